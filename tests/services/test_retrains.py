"""Retrains are kept: the last one that ended counts, one that was cut off does not hold up the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tailtune.core.retrains import Reckoning, RetrainDecision, RetrainOutcome, RetrainState
from tailtune.services.retrains import Retrains


@pytest.fixture
def kept(database: str) -> Iterator[Retrains]:
    opened = Retrains(database)
    yield opened
    opened.close()


def outcome(state: RetrainState = "promoted", pin: str = "a.dir") -> RetrainOutcome:
    reckoning = Reckoning(then=None, now=None, requests_per_day=None, error_usd=None, days=7)
    decision = RetrainDecision(
        because="hand", go=True, reason="by hand", worth_it=None, new_labels=1, reckoning=reckoning
    )
    return RetrainOutcome(use_case="inbox", measure="accuracy", state=state, decision=decision, data_hash=pin)


def test_the_last_that_ended_is_read_as_it_was(kept: Retrains) -> None:
    assert kept.last("inbox") is None
    kept.end(kept.begin("inbox", "/a", "hand", 5), 10, outcome())
    kept.end(kept.begin("inbox", "/a", "drift", 15), 20, outcome("not promoted", "b.dir"))
    last = kept.last("inbox")
    assert last is not None and (last.ended_us, last.outcome) == (20, outcome("not promoted", "b.dir"))
    assert kept.last("outbox") is None


def test_one_that_was_cut_off_counts_as_none(kept: Retrains) -> None:
    kept.begin("inbox", "/a", "hand", 5)
    assert kept.last("inbox") is None
    second = kept.begin("inbox", "/a", "hand", 6)
    kept.end(second, 7, outcome())
    last = kept.last("inbox")
    assert last is not None and last.ended_us == 7
