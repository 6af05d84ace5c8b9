"""A toy project whose ladder is measured, with prompt files and a double to ask."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from doubles.conduct import Conduct
from doubles.endpoint import Double
from doubles.skill import Skill, Skilled
from project import NAME, copy, make, respec, rows_of, run, sentences
from worlds.once import once

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.records import SPLITS
from tailtune.core.reports import CurateReport, PromptReport, ValidateReport
from tailtune.services import store
from tailtune.services.mlflow import connect, ledger
from tailtune.tasks.use_case import load_use_case

HALF = ("lm_zero_shot", "lm_retrieval")
PRICES = {"small": (1.0, 2.0), "large": (10.0, 20.0)}


def truth() -> dict[str, dict[str, Any]]:
    """Every sentence of the toy project with its label as given, wrong ones too."""
    return {row.text: {"label": row.label} for row in sentences()}


def measured(factory: pytest.TempPathFactory) -> Paths:
    """A project that went through the ladder. Read only: copy it to change it."""

    def build(root: Path) -> None:
        paths = make(root)
        price(paths)
        run(paths, "ladder")
        write_earlier_reports(paths)

    return Paths(once(factory, "measured", build))


def write_earlier_reports(paths: Paths) -> None:
    """What curation and validation would have reported of the rows, so that the story has no gap."""
    case, rows = paths.case(NAME), {split: rows_of(paths, split) for split in SPLITS}
    digest = store.rows_digest(rows["train"], rows["dev"])
    kept = sum(map(len, rows.values()))
    labels = Counter(row.label for split_rows in rows.values() for row in split_rows)
    curated = CurateReport(
        use_case=NAME, stage="curate", rows_digest=digest, rows_read=kept, rows_kept=kept, dropped={},
        splits={split: len(split_rows) for split, split_rows in rows.items()}, labels=dict(labels), test_file=False,
    )  # fmt: skip
    store.write_report(case.report("curate"), curated)
    validated = ValidateReport(
        use_case=NAME, stage="validate", rows_digest=digest, rows_read=kept, passed=True, expectations=(), docs=""
    )
    store.write_report(case.report("validate"), validated)


def price(paths: Paths, **tokens: tuple[float, float]) -> None:
    """Give the models prices: input and output, US dollars for a million tokens."""
    listed = {
        name: {"input_usd_per_million": read, "output_usd_per_million": written}
        for name, (read, written) in (tokens or PRICES).items()
    }
    content = {"as_of": "2026-11-01", "cpu_core_hour_usd": 0.04, "machine_cores": 2, "tokens": listed}
    paths.prices.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def declare(
    paths: Paths,
    url: str,
    *,
    strong: bool = False,
    model: Mapping[str, Any] | None = None,
    targets: Mapping[str, Any] | None = None,
    **prompt: Any,
) -> None:
    """Declare the double as the base model, and as the strong one where asked for."""
    base = {"name": "small", "endpoint": url, "price": "small", "retries": 1, "timeout_s": 10, **(model or {})}
    models = [base]
    if strong:
        models.append({**base, "name": "strong", "role": "strong", "price": "large"})
    section = {"models": models, "rungs": list(HALF), "shots": 4, "min_rows": 20, "batch_rows": 20, **prompt}
    respec(paths, {"prompt": section, "targets": targets or {}})


@contextmanager
def asking(
    factory: pytest.TempPathFactory, root: Path, skill: Skill | None = None, conduct: Conduct | None = None
) -> Iterator[tuple[Paths, Double]]:
    """A copy of the measured project and a double that knows its labels."""
    paths = copy(measured(factory), root)
    with Double(skill or Skilled(truth()), conduct) as double:
        yield paths, double


def prompt(paths: Paths) -> PromptReport:
    """Run the stage."""
    (report,) = run(paths, "prompt")
    assert isinstance(report, PromptReport)
    return report


def dev_rows(paths: Paths) -> int:
    """Dev rows of the project."""
    return len(rows_of(paths, "dev"))


def bought_usd(paths: Paths) -> float | None:
    """US dollars of answers that the ledger in the project's own store counts; None when one is not known."""
    case = load_use_case(paths, NAME)
    tracker = connect(Settings().resolved_tracking_uri(paths), case)
    found = ledger.facts(tracker, NAME, case.spec.metric)
    known = [entry.usd for entry in found.entries if "bought" in entry.what]
    return None if None in known else sum(usd for usd in known if usd is not None)


def forget(paths: Paths) -> None:
    """As if nothing had been answered before."""
    shutil.rmtree(paths.answers.parent, ignore_errors=True)
