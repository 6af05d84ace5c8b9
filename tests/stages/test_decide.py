"""The decision of a measured ladder, and the ticket that training obeys."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from project import NAME, context, make, respec

from tailtune.core.errors import MissingInputError
from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import CurvePoint, LadderReport, RungResult
from tailtune.judge.decide import NO_ENDPOINT
from tailtune.services import store
from tailtune.spec.paths import Paths
from tailtune.stages import decide


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return make(tmp_path / "project")


def rung(name: str, value: float, p99_ms: float = 5.0) -> RungResult:
    accuracy = Estimate(value=value, low=value - 0.01, high=min(value + 0.01, 1), rows=500)
    latency = Latency(p50_ms=1, p95_ms=2, p99_ms=p99_ms, mean_ms=p99_ms / 3, rows=200)
    return RungResult(
        name=name, title=name, metrics={"accuracy": accuracy, "macro_f1": accuracy}, latency=latency,
        usd_per_1000=p99_ms, fit_s=p99_ms, fit_rows=10,
    )  # fmt: skip


def measured(paths: Paths, *rungs: RungResult, **changes: Any) -> LadderReport:
    """Write a ladder report: 8,000 train rows, 1,000 rows/s, a flat curve."""
    points = tuple(CurvePoint(rows=n, quality=Estimate(value=0.8, low=0.8, high=0.8, rows=9)) for n in (4000, 8000))
    known: dict[str, Any] = {
        "rows_digest": "abc", "train_rows": 8000, "dev_rows": 500, "encode_rows_per_s": 1000.0, "rungs": rungs,
        "curve": points, "unmeasured": (NO_ENDPOINT,),
    }  # fmt: skip
    report = LadderReport(use_case=NAME, stage="ladder", **(known | changes))
    store.write_report(paths.case(NAME).report("ladder"), report)
    return report


def ticket(paths: Paths) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(paths.case(NAME).ticket.read_text(encoding="utf-8"))
    return found


def test_without_a_ladder_nothing_is_decided(paths: Paths) -> None:
    with pytest.raises(MissingInputError, match="no report of ladder yet"):
        decide.run(context(paths))
    assert not paths.case(NAME).ticket.exists()


def test_a_good_rung_stays_and_training_may_not_spend(paths: Paths) -> None:
    respec(paths, {"targets": {"accuracy": 0.9}})
    measured(paths, rung("tfidf", 0.8), rung("retrieval", 0.95), rung("probe", 0.99))
    found = decide.run(context(paths))
    assert (found.verdict, found.train.yes, found.best_rung) == ("stay", False, "retrieval")
    assert ticket(paths) == {"train": False, "best_rung": "retrieval", "rows_digest": "abc"}
    assert (found.target, found.rows_digest) == (0.9, "abc")


def test_short_rungs_let_training_spend_at_its_estimated_price(paths: Paths) -> None:
    respec(paths, {"targets": {"accuracy": 0.95}, "train": {"epochs": 5}})
    measured(paths, rung("tfidf", 0.8), rung("probe", 0.9))
    found = decide.run(context(paths))
    assert (found.verdict, found.train.yes) == ("fine-tune", True)
    assert ticket(paths) == {"train": True, "best_rung": "probe", "rows_digest": "abc"}
    # 8,000 rows × 5 epochs at a quarter of 1,000 rows/s, on 2 cores at $0.04
    assert found.estimated_train_usd == pytest.approx(40_000 / 250 * 0.08 / 3600)


def test_rows_beyond_train_max_rows_cost_nothing(paths: Paths) -> None:
    respec(paths, {"train": {"max_rows": 800, "epochs": 1}})
    measured(paths, rung("probe", 0.9))
    assert decide.run(context(paths)).estimated_train_usd == pytest.approx(800 / 250 * 0.08 / 3600)


def test_without_prices_the_cost_is_unknown_and_not_0(paths: Paths) -> None:
    paths.prices.write_text("as_of: 2026-11-01\n", encoding="utf-8")
    measured(paths, rung("probe", 0.9))
    found = decide.run(context(paths))
    assert found.estimated_train_usd is None
    assert "at no declared price" in found.reason


def test_an_estimate_over_the_limit_is_not_yet(paths: Paths) -> None:
    respec(paths, {"train": {"max_cost_usd": 0.0001, "epochs": 5}})
    measured(paths, rung("probe", 0.9))
    found = decide.run(context(paths))
    assert (found.verdict, ticket(paths)["train"]) == ("not-yet", False)
    assert f"over train.max_cost_usd ${Decimal('0.0001')}" in found.reason


@pytest.mark.parametrize(("when", "trains"), [("always", True), ("never", False)])
def test_the_spec_overrules_the_verdict_in_the_ticket(paths: Paths, when: str, trains: bool) -> None:
    accuracy = 0.99 if when == "always" else 0.8
    respec(paths, {"targets": {"accuracy": 0.9}, "train": {"when": when}})
    measured(paths, rung("probe", accuracy))
    found = decide.run(context(paths))
    assert ticket(paths)["train"] is found.train.yes is trains
    assert found.verdict == ("stay" if trains else "fine-tune")


def test_what_was_not_measured_makes_the_verdict_provisional(paths: Paths) -> None:
    measured(paths, rung("probe", 0.9))
    found = decide.run(context(paths))
    assert found.provisional
    assert found.unmeasured == (NO_ENDPOINT,)
    assert f"measuring {NO_ENDPOINT}" in found.would_change
    assert len(found.questions) == 5
    measured(paths, rung("probe", 0.9), unmeasured=())
    assert not decide.run(context(paths)).provisional


def test_a_second_decision_on_other_timings_gives_the_same_ticket_to_the_byte(paths: Paths) -> None:
    """A new ticket would make DVC train again."""
    measured(paths, rung("tfidf", 0.8), rung("probe", 0.9))
    decide.run(context(paths))
    first = paths.case(NAME).ticket.read_bytes()
    measured(paths, rung("tfidf", 0.8, 7.5), rung("probe", 0.9, 9.25), encode_rows_per_s=333.3, finished_at="later")
    again = decide.run(context(paths))
    assert again.estimated_train_usd is not None
    assert paths.case(NAME).ticket.read_bytes() == first
