"""Floors from model.yaml to the verdict: every predictor is measured by them, and again when they change."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from project import NAME, context, copy, make, respec, run
from worlds.once import once

from tailtune.config.paths import Paths
from tailtune.core.records import Row, Split
from tailtune.core.reports import DecideReport, LadderReport
from tailtune.services import store

LOCAL: dict[str, Any] = {"rungs": ["majority", "tfidf"], "latency_rows": 20, "curve_points": 2}
QUICK = {"ladder": LOCAL, "targets": {"accuracy": 0.94, "min_train_rows": 0}}


def rare() -> list[Row]:
    """In each split 20 stolen cards among 800 rows; 4 of them say that they are, the others read like logins."""
    made, split_names = [], ("train", "dev", "test")
    for at, split in itertools.product(range(800), split_names):
        stolen = at < 20
        what = "a thief took my card" if at < 4 else f"the login page {at % 7} rejects me"
        text = f"{what} {hashlib.sha256(f'{split}{at}'.encode()).hexdigest()[:6]}"
        name: Split = split  # type: ignore[assignment]
        label = "card_stolen" if stolen else "login"
        made.append(Row(hashlib.sha256(text.encode()).hexdigest()[:16], text, label, f"rows.jsonl:{at}", name))
    return made


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Measured without a declared floor."""

    def build(root: Path) -> None:
        run(make(root, QUICK, rare()), "ladder", "prompt", "diagnose", "decide")

    return Paths(once(tmp_path_factory, "uneven", build))


def report(paths: Paths, stage: str, kind: type[Any]) -> Any:
    return store.read_report(paths.case(NAME).report(stage), kind, NAME)


def test_uneven_labels_bring_macro_f1_into_the_target(uneven: Paths) -> None:
    decided = report(uneven, "decide", DecideReport)
    (guard,) = decided.guards
    assert guard.metric == "macro_f1" and "39 times the rows of the rarest" in guard.why
    ladder = report(uneven, "ladder", LadderReport)
    assert ladder.rungs[1].quality.value == pytest.approx(0.98)


def test_a_floor_on_a_rare_label_forbids_to_stay(uneven: Paths, tmp_path: Path) -> None:
    paths = copy(uneven, tmp_path / "declared")
    respec(paths, {"ladder": LOCAL, "targets": QUICK["targets"] | {"macro_f1": 0, "recall": {"card_stolen": 0.8}}})
    run(paths, "ladder", "prompt", "diagnose", "decide")
    found = report(paths, "ladder", LadderReport).rungs[1].metrics["recall/card_stolen"]
    assert (found.value, found.rows) == (0.2, 20)
    decided = report(paths, "decide", DecideReport)
    assert decided.verdict != "stay"
    assert "its recall of card_stolen is 20.0 % (5.7–43.7) on 20 rows, below the floor 80.0 %" in decided.reason


def test_without_floors_accuracy_alone_would_stay(uneven: Paths, tmp_path: Path) -> None:
    paths = copy(uneven, tmp_path / "none")
    respec(paths, {"ladder": LOCAL, "targets": QUICK["targets"] | {"macro_f1": 0}})
    run(paths, "decide")
    assert report(paths, "decide", DecideReport).verdict == "stay"


def test_a_floor_of_a_label_that_there_is_not_is_a_fault(uneven: Paths, tmp_path: Path) -> None:
    paths = copy(uneven, tmp_path / "strange")
    respec(paths, {"targets": {"recall": {"card_stole": 0.8}}})
    faults = list(context(paths).case.task.faults())
    assert [str(fault) for fault in faults] == [
        f"models/{NAME}/model.yaml  targets.recall.card_stole: unknown key; did you mean card_stolen?"
    ]


def test_a_row_that_must_not_fail_forbids_to_stay(uneven: Paths, tmp_path: Path) -> None:
    paths = copy(uneven, tmp_path / "must")
    respec(paths, {"ladder": LOCAL, "targets": QUICK["targets"] | {"macro_f1": 0, "must_not_fail": "must.jsonl"}})
    passed = paths.case(NAME).passed
    rows = [
        {"text": "a thief took my card 1", "label": "card_stolen", "origin": "must.jsonl:1"},
        {"text": "the login page 3 rejects me", "label": "card_stolen", "origin": "must.jsonl:2"},
    ]
    store.write_json(passed, json.loads(passed.read_text(encoding="utf-8")) | {"must_not_fail": rows})
    run(paths, "ladder", "prompt", "diagnose", "decide")
    rung = report(paths, "ladder", LadderReport).rungs[1]
    assert rung.metrics["must_not_fail"].value == 0.5 and rung.must_failed == ("must.jsonl:2",)
    decided = report(paths, "decide", DecideReport)
    assert decided.verdict != "stay"
    assert "it answers 1 of the 2 rows that must not fail wrongly (must.jsonl:2)" in decided.reason
