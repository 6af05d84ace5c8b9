"""A tiny project in a temporary folder, for tests of stages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import yaml

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.reports import RegisterReport
from tailtune.lifecycle import guards
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.publish import decision_page
from tailtune.lifecycle.table import BY_NAME
from tailtune.services.mlflow import Tracker
from tailtune.tasks.use_case import load_use_case

NAME = "tickets"
LABELS = ("billing", "login", "refund")
_SECTIONS = (
    *("curate", "split", "validate", "ladder", "prompt", "targets", "value", "train", "evaluate", "register"),
    "serve",
    "monitor",
    "retrain",
)


class NoTracker:
    """Stands where a tracker is asked for; curate and validate never call it."""


@dataclass
class Heard:
    """A progress that remembers what it was told."""

    lines: list[str] = field(default_factory=list)
    states: list[tuple[float, float, str]] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def at(self, done: float, total: float, what: str) -> None:
        self.states.append((done, total, what))


def jsonl(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(dict(row)) + "\n" for row in rows).encode()


def rows(*pairs: tuple[str, str]) -> bytes:
    """JSONL of (text, label) pairs."""
    return jsonl({"text": text, "label": label} for text, label in pairs)


def project(
    root: Path,
    files: Mapping[str, bytes],
    labels: Sequence[str] = LABELS,
    data: Mapping[str, Any] | None = None,
    schema: Mapping[str, Any] | None = None,
    **sections: Mapping[str, Any],
) -> Context:
    """Write a project with one use case and return the context a stage gets: an extraction where a schema is given.

    Args:
        root: Becomes the project root.
        files: Name in the use case's data folder → content. The first is the training file.
        labels: The label set.
        data: Keys of the data section; `file` is the first of files unless given.
        schema: Of the objects.
        sections: Other sections of model.yaml; the defaults where not given.
    """
    paths = Paths(root)
    case = paths.case(NAME)
    task = "classification" if schema is None else "extraction"
    spec = {"task": task, "data": {"file": next(iter(files), "rows.jsonl"), **(data or {})}}
    spec |= {name: dict(sections.get(name, {})) for name in _SECTIONS}
    case.folder.mkdir(parents=True, exist_ok=True)
    case.model_yaml.write_text(yaml.safe_dump(spec), encoding="utf-8")
    (case.folder / "labels.yaml").write_text(yaml.safe_dump(dict.fromkeys(labels, "")), encoding="utf-8")
    (case.folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    paths.prices.write_text("as_of: 2026-01-01\n", encoding="utf-8")
    paths.dvc_yaml.write_text("stages: {}\n", encoding="utf-8")
    case.data.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (case.data / name).write_bytes(content)
    return Context(load_use_case(paths, NAME), Settings(), Heard(), cast(Tracker, NoTracker()))


def dropped(context: Context) -> list[dict[str, Any]]:
    """The lines of dropped.jsonl."""
    return [json.loads(line) for line in context.paths.dropped.read_text(encoding="utf-8").splitlines()]


def perform(stage: str, context: Context) -> Any:
    """Run a stage as the runner does, without lock and report: its guards, then its function on no old files."""
    context = replace(context, stage=stage)
    guards.check(context)
    shutil.rmtree(context.out, ignore_errors=True)
    report = BY_NAME[stage].load()(context)
    if isinstance(report, RegisterReport):
        decision_page(context, report)
    return report
