"""A tiny project in a temporary folder: six labels, 360 sentences, already curated and validated.

`lived` runs ladder, decide, train and evaluate on it once a run of the tests, really, with the embedded encoder.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from worlds.once import once

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.records import SPLITS, Row, Split
from tailtune.core.reports import CurateReport, Report
from tailtune.core.run_plan import RunPlan
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.runner import run_stage
from tailtune.services import mlflow, store
from tailtune.services.mlflow import Charge, Tracker
from tailtune.tasks.use_case import load_use_case

NAME = "toy"
ROOT = Path(__file__).parents[1]
_PHRASES = {  # label → description, what is said of it
    "card_lost": ("A card went missing.", "my card is gone", "i lost my card", "the card is nowhere to be found",
                  "i left my card in a taxi", "i cannot find the card"),
    "card_stolen": ("Somebody took a card.", "my card was stolen", "a thief has my card", "somebody took my card",
                    "my card is gone, a man grabbed it", "i was robbed of the card"),
    "refund": ("Money back.", "give me my money back", "refund the order", "i want my payment returned",
               "return the amount i paid", "reimburse me"),
    "double_charge": ("Charged twice.", "you charged me twice", "there are two payments for one order",
                      "the amount was taken two times", "i paid once and was billed twice",
                      "the order is billed double"),
    "login": ("Getting into the account.", "i cannot sign in", "the login page rejects me", "my account does not open",
              "signing in fails", "the site will not let me in"),
    "password": ("A new password.", "i forgot my password", "reset my password", "the new password is not accepted",
                 "send me a password link", "i want to change the password"),
}  # fmt: skip
LABELS = {label: words[0] for label, words in _PHRASES.items()}
_LEADS = ("hello,", "hi there,", "please help:", "good morning,")
_ENDS = ("", "since yesterday", "what should i do now?")
SECTIONS: dict[str, dict[str, Any]] = {
    "data": {"file": "rows.jsonl"},
    "curate": {},
    "split": {},
    "validate": {},
    "ladder": {"latency_rows": 20, "curve_points": 3, "shots": 3, "neighbours": 5},
    "prompt": {},
    "targets": {"accuracy": 0.999, "min_train_rows": 0},
    "value": {},
    "train": {"epochs": 1, "rank": 4, "batch_rows": 32, "max_tokens": 32},
    "evaluate": {"latency_rows": 20, "resamples": 200},
    "register": {},
}


def sentences() -> list[Row]:
    """Sixty rows a label: two thirds train, a sixth dev, a sixth test. One label in eight is wrong: nobody gets all."""
    made = []
    for label, (_, *phrase) in _PHRASES.items():
        for lead, what, end in itertools.product(_LEADS, phrase, _ENDS):
            text = f"{lead} {what} {end}".strip()
            digest = hashlib.sha256(f"{label}\x1f{text}".encode()).hexdigest()
            at = int(digest[:8], 16) % 6
            split: Split = "dev" if at == 0 else "test" if at == 1 else "train"
            wrong = int(digest[8:16], 16) % 8 == 0
            given = list(LABELS)[int(digest[16:24], 16) % len(LABELS)] if wrong else label
            made.append(Row(digest[:16], text, given, f"rows.jsonl:{len(made) + 1}", split))
    return sorted(made, key=lambda row: row.id)


def make(root: Path, changes: Mapping[str, Mapping[str, Any]] | None = None, rows: Sequence[Row] = ()) -> Paths:
    """Write a checkout with one use case; its rows are curated and have passed."""
    paths = Paths(root)
    case = paths.case(NAME)
    case.folder.mkdir(parents=True)
    (case.folder / "labels.yaml").write_text(yaml.safe_dump(LABELS, sort_keys=False), encoding="utf-8")
    paths.prices.write_text("as_of: 2026-11-01\ncpu_core_hour_usd: 0.04\nmachine_cores: 2\n", encoding="utf-8")
    graph = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    paths.dvc_yaml.write_text(_with_use_case(graph, "labels.yaml"), encoding="utf-8")
    respec(paths, changes or {})
    write_prompts(paths)
    curate(paths, list(rows) or sentences())
    return paths


def _with_use_case(graph: str, answers: str) -> str:
    """The stage graph with this one use case instead of the shipped ones."""
    lines = f"use_cases:\n      {NAME}: {{answers: {answers}}}\n"
    return re.sub(r"use_cases:\n(      [\w-]+: .*\n)+", lines, graph)


def respec(paths: Paths, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Write model.yaml with the usual sections and some keys changed."""
    sections = {name: {**usual, **changes.get(name, {})} for name, usual in SECTIONS.items()}
    text = yaml.safe_dump({"task": "classification", **sections}, sort_keys=False)
    paths.case(NAME).model_yaml.write_text(text, encoding="utf-8")


def write_prompts(paths: Paths) -> None:
    """Starting prompts, as `tailtune new` writes them."""

    case = load_use_case(paths, NAME)
    case.paths.prompts.mkdir(exist_ok=True)
    for name, text in case.task.starting_prompts("Sort what bank customers write.").items():
        (case.paths.prompts / f"{name}.md").write_text(text, encoding="utf-8")


def curate(paths: Paths, rows: Sequence[Row]) -> None:
    """What curation and validation leave behind."""
    case, parts = paths.case(NAME), {split: [row for row in rows if row.split == split] for split in SPLITS}
    for split, part in parts.items():
        store.write_rows(case.rows(split), [part])
    digests = {
        "rows_digest": store.rows_digest(parts["train"], parts["dev"]),
        "test_digest": store.rows_digest(parts["test"]),
    }
    store.write_json(case.passed, digests)


@dataclass
class Heard:
    """A progress that remembers what it was told."""

    lines: list[str] = field(default_factory=list)
    states: list[tuple[float, float, str]] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def at(self, done: float, total: float, what: str) -> None:
        self.states.append((done, total, what))


@dataclass
class Published:
    """Stands where a tracker is asked for, and remembers what it was given."""

    reports: list[Report] = field(default_factory=list)
    points: list[tuple[str, str, float, int]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)

    def publish(self, report: Report, plan: RunPlan) -> str:
        self.reports.append(report)
        return "run"

    def charge(self, charge: Charge) -> str | None:
        self.charges.append(charge)
        return "run"

    def live(self, stage: str, name: str, value: float, step: int) -> None:
        self.points.append((stage, name, value, step))

    def prompts(self, templates: Mapping[str, str], origins: Mapping[str, str] | None = None) -> Mapping[str, int]:
        """As MLflow's prompt registry: a version per text, from 1."""
        self.origins |= origins or {}
        for name, text in templates.items():
            known = self.texts.setdefault(name, [])
            if text not in known:
                known.append(text)
        return {name: self.texts[name].index(text) + 1 for name, text in templates.items()}


def context(paths: Paths) -> Context:
    """What a stage is handed, with a tracker and a progress that remember."""
    return Context(load_use_case(paths, NAME), Settings(), Heard(), cast(Tracker, Published()))


@contextmanager
def untracked() -> Iterator[Published]:
    """Runs inside go to a tracker that only remembers, and on one thread (two are slower on a busy machine)."""
    import torch

    threads, published = torch.get_num_threads(), Published()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow, "connect", lambda uri, case: published)
        try:
            yield published
        finally:
            torch.set_num_threads(threads)


def run(paths: Paths, *stages: str) -> list[Report]:
    """Run stages as the command line does, without a tracking server."""
    with untracked():
        return [run_stage(name, NAME, paths, Settings(), Heard()) for name in stages]


def lived(factory: pytest.TempPathFactory) -> Paths:
    """A project that went through ladder, decide, train and evaluate. Read only: copy it to change it."""

    def build(root: Path) -> None:
        run(make(root), "ladder", "prompt", "diagnose", "decide", "train", "export", "evaluate")

    return Paths(once(factory, "lived", build))


def copy(paths: Paths, root: Path) -> Paths:
    """A copy that a test may change."""
    shutil.copytree(paths.root, root)
    return Paths(root)


def jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rows_of(paths: Paths, split: Split) -> list[Row]:
    """The curated rows of a split."""
    return store.read_rows(paths.case(NAME).rows(split), split, NAME)


def quick_stage(context: Context) -> Report:
    """A stage that does nothing, in no time."""
    return CurateReport(
        use_case=context.case.name, stage="curate", rows_read=1, rows_kept=1, dropped={}, splits={"train": 1},
        labels={"login": 1}, test_file=False,
    )  # fmt: skip


def sleeping_stage(context: Context) -> Report:
    """A stage that says that it has begun, and then takes a minute."""
    (context.project.root / "began").write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(60)
    raise AssertionError("nobody ended this stage")
