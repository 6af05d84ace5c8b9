"""Audits in the database: a draw stays as it was, its result is the latest, and none is lost to another."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from functools import partial

import pytest

from tailtune.core.audits import Audit, AuditResult, AuditRow
from tailtune.core.records import Estimate
from tailtune.services.audits import Audits, Results

ROW = AuditRow(id="a1-001", request_id="r1", row=0, stratum=0, weight=9.0, answer="login", confidence=None)
SHARE = Estimate(value=0.9, low=0.8, high=0.95, rows=1, worth_rows=1.5)


def draw(audit: str, last_day: int = 20_001, version: str = "3") -> Audit:
    return Audit(
        id=audit,
        use_case="inbox",
        version=version,
        first_day=20_000,
        last_day=last_day,
        window_rows=9,
        confidences=(None, 0.5, 1.0),
        rows=(ROW,),
    )


def result(audit: str, score: float = 1.0) -> AuditResult:
    return AuditResult(
        audit=audit,
        labelled=1,
        scores={"a1-001": score},
        accuracy=SHARE,
        own=None,
        fall=None,
        over_time=SHARE,
        audits=1,
        judged_at="2026-11-01T00:00:00+00:00",
    )


def labelled(audit: str, _: Results) -> AuditResult:
    return result(audit)


@pytest.mark.filterwarnings("error")
def test_a_draw_is_kept_and_its_latest_result(database: str) -> None:
    with closing(Audits(database)) as audits:
        audits.keep(draw("a1"))
        audits.keep_result(draw("a1"), lambda _: result("a1"))
        audits.keep(draw("a1"))
        assert audits.keep_result(draw("a1"), lambda _: result("a1", 0.0)) == result("a1", 0.0)
    with closing(Audits(database)) as again:
        assert again.get("inbox", "a1") == draw("a1")
        assert again.get("other", "a1") is None and again.get("inbox", "a2") is None
        assert again.results("inbox", "3") == [(draw("a1"), result("a1", 0.0))]


def test_results_are_those_of_the_version_oldest_window_first(database: str) -> None:
    with closing(Audits(database)) as audits:
        made = (draw("b", 20_009), draw("a", 20_003), draw("c", 20_004, "4"), draw("d"))
        for audit in made:
            audits.keep(audit)
        for audit in made[:3]:
            audits.keep_result(audit, partial(labelled, audit.id))
        assert [audit.id for audit, _ in audits.results("inbox", "3")] == ["a", "b"]


def test_two_results_at_once_come_one_after_the_other(database: str) -> None:
    def added(name: str, results: Results) -> AuditResult:
        scores = {key: score for _, kept in results for key, score in kept.scores.items()} | {name: 1.0}
        return result("a1").model_copy(update={"scores": scores, "labelled": len(scores)})

    def slow(results: Results) -> AuditResult:
        other.start()
        assert started.wait(10)
        time.sleep(0.3)  # in which the other one would read, if it did not wait
        return added("a1-001", results)

    def meanwhile() -> None:
        started.set()
        theirs.keep_result(draw("a1"), lambda results: added("a1-002", results))

    started, other = threading.Event(), threading.Thread(target=meanwhile)
    with closing(Audits(database)) as audits, closing(Audits(database)) as theirs:
        audits.keep(draw("a1"))
        audits.keep_result(draw("a1"), slow)
        other.join(20)
        ((_, kept),) = audits.results("inbox", "3")
    assert {*kept.scores} == {"a1-001", "a1-002"}
