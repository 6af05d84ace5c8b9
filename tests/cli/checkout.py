"""A small checkout with DVC in it, and the command line as a person uses it."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from project import ROOT

from tailtune.cli import main
from tailtune.config.paths import Paths
from tailtune.core.reports import Report
from tailtune.services import store

LABELS = ("billing", "login", "refund")


def rows(per_label: int = 4, labels: Iterable[str] = LABELS, start: int = 0) -> list[dict[str, str]]:
    return [
        {"text": f"a text about {label}, number {start + i}", "label": label}
        for label in labels
        for i in range(per_label)
    ]


def write(path: Path, content: list[dict[str, Any]]) -> Path:
    """Rows as CSV, JSONL or Parquet, by the file's ending."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(content[0]))
            writer.writeheader()
            writer.writerows(content)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content), encoding="utf-8")
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(content), path)
    return path


def checkout(root: Path) -> Paths:
    """An empty checkout: the real stage graph without use cases of its own, prices, DVC without git."""
    paths = Paths(root)
    paths.models.mkdir(parents=True)
    shutil.copyfile(ROOT / "models" / "prices.yaml", paths.prices)
    graph = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    paths.dvc_yaml.write_text(
        re.sub(r"use_cases:\n(      [\w-]+: .*\n)+", "use_cases:\n      first: {answers: labels.yaml}\n", graph),
        encoding="utf-8",
    )
    folder = paths.case("first").folder
    folder.mkdir()
    sections = "".join(
        f"{name}: {{}}\n"
        for name in (
            "curate",
            "split",
            "validate",
            "ladder",
            "prompt",
            "targets",
            "value",
            "train",
            "evaluate",
            "register",
        )
    )
    (folder / "model.yaml").write_text(f"task: classification\ndata: {{file: rows.csv}}\n{sections}", encoding="utf-8")
    (folder / "labels.yaml").write_text("billing: money\nlogin: access\nrefund: money back\n", encoding="utf-8")
    paths.case("first").data.mkdir(parents=True)
    write(paths.case("first").data / "rows.csv", rows())
    Repo.init(str(root), no_scm=True).close()
    return paths


def tree(root: Path) -> dict[str, str]:
    """Every file's bytes, by path; DVC's own cache and temporary files aside."""
    files = [path for path in root.rglob("*") if path.is_file() and ".dvc" not in path.relative_to(root).parts]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@dataclass(frozen=True)
class Result:
    """One per command: how it ended and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Cli:
    """`tailtune …` in a checkout."""

    paths: Paths
    captured: pytest.CaptureFixture[str]

    def __call__(self, *words: str | Path) -> Result:
        self.captured.readouterr()
        code = main([str(word) for word in words])
        printed = self.captured.readouterr()
        return Result(code, printed.out, printed.err)


def reported(cli: Cli, reports: Mapping[str, Report]) -> None:
    """The checkout has these reports, by stage."""
    for stage, report in reports.items():
        store.write_report(cli.paths.case("first").report(stage), report)


def environment(patch: pytest.MonkeyPatch, root: Path, site: Path) -> None:
    """The checkout is the current one, and DVC keeps to the temporary folder."""
    for name in [name for name in os.environ if name.startswith("TAILTUNE_")]:
        patch.delenv(name)
    patch.setenv("TAILTUNE_ROOT", str(root))
    patch.setenv("DVC_SITE_CACHE_DIR", str(site))
    patch.setenv("DVC_NO_ANALYTICS", "1")
    patch.setenv("COLUMNS", "200")


def unreadable(patch: pytest.MonkeyPatch, file: Path) -> None:
    """Opening the file fails as without permission; the tests may run as root, whom no mode stops."""
    really = Path.open

    def refuse(self: Path, *words: Any, **named: Any) -> Any:
        if self == file:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return really(self, *words, **named)

    patch.setattr(Path, "open", refuse)
