"""Quality slice by slice: what is behind, what is worse than the champion, and what so few rows cannot say."""

from __future__ import annotations

import numpy as np
import pytest

from tailtune.core.records import Answer, Row
from tailtune.judge.counted import Counted
from tailtune.judge.promote import worse_in_a_slice
from tailtune.judge.scores import Score
from tailtune.judge.shares import share_of
from tailtune.judge.slices import OTHERS, by_slice, changes
from tailtune.tasks.classification.scoring import score


def rows(**counts: int) -> list[Row]:
    """Rows by channel, in the order in which they are named; every second one is German."""
    channels = [channel for channel, count in counts.items() for _ in range(count)]
    made = []
    for at, channel in enumerate(channels):
        slices = (("channel", channel), ("language", ("de", "en")[at % 2]))
        made.append(Row(str(at), f"text {at}", "a", f"r:{at}", "test", slices=slices))
    return made


def answered(wrong: set[int], count: int, group: bool = False) -> Score:
    groups = [str(at // 10) for at in range(count)] if group else []
    return score(["a"] * count, [Answer("b" if at in wrong else "a", 1.0) for at in range(count)], groups=groups)


def test_each_value_has_its_own_interval_worst_first() -> None:
    found = by_slice(rows(mail=200, phone=100), answered({*range(200, 240)}, 300))
    assert [(each.name, each.value, each.rows) for each in found] == [
        ("channel", "phone", 100), ("channel", "mail", 200), ("language", "de", 150), ("language", "en", 150)
    ]  # fmt: skip
    assert found[0].quality == share_of(60, 100)
    assert found[0].behind == pytest.approx(0.4)
    assert [each.is_behind for each in found] == [True, False, False, False]


def test_values_with_few_rows_are_counted_together() -> None:
    found = by_slice(rows(mail=100, fax=5, pigeon=6, telex=0), answered(set(), 111))
    assert [(each.value, each.rows) for each in found if each.name == "channel"] == [("mail", 100), (OTHERS, 11)]


def test_rows_without_slices_have_none() -> None:
    plain = [Row(str(at), "text", "a", f"r:{at}") for at in range(40)]
    assert by_slice(plain, answered(set(), 40)) == ()
    assert changes(plain, answered(set(), 40), answered(set(), 40), ("new", "old")) == ()


def test_groups_of_alike_rows_are_worth_fewer() -> None:
    sliced, wrong = rows(mail=200, phone=100), {*range(200, 220)}
    alone, grouped = (by_slice(sliced, answered(wrong, 300, group))[0] for group in (False, True))
    assert grouped.quality.groups == 10
    assert grouped.quality.high - grouped.quality.low > alone.quality.high - alone.quality.low
    assert grouped.p_adjusted > alone.p_adjusted


def test_by_luck_a_slice_is_seldom_behind() -> None:
    random, sliced = np.random.default_rng(3), rows(**{f"c{at}": 40 for at in range(10)})
    false = 0
    for _ in range(100):
        wrong = set(np.flatnonzero(random.random(400) < 0.1).tolist())
        false += any(each.is_behind for each in by_slice(sliced, answered(wrong, 400)))
    assert false <= 8


def test_a_regression_in_one_slice_is_named_though_all_in_all_it_is_better() -> None:
    sliced = rows(mail=200, phone=100)
    old, new = answered({*range(0, 60)}, 300), answered({*range(200, 220)}, 300)
    found = changes(sliced, new, old, ("candidate", "champion v1"))
    assert (found[0].value, found[0].is_worse) == ("phone", True)
    assert sum(each.is_worse for each in found) == 1
    refused = worse_in_a_slice(found)
    assert refused is not None and refused.reason.startswith(
        "not promoted: clearly worse than the champion in a slice: channel phone: −20.0 points ("
    )
    assert refused.reason.endswith("on 100 test rows")
    assert worse_in_a_slice(changes(sliced, old, old, ("candidate", "champion v1"))) is None


def test_a_slice_in_which_nothing_counts_hides_no_other() -> None:
    """Of an extraction, rows of a channel may have no field at all: their measure is NaN."""
    channels = [channel for channel in ("mail", "empty", "fax", "phone") for _ in range(30)]
    sliced = [
        Row(str(at), "t", "a", f"r:{at}", "test", slices=(("channel", each),)) for at, each in enumerate(channels)
    ]
    sizes = np.array([0 if each == "empty" else 2 for each in channels])
    right = {"mail": 27, "empty": 0, "fax": 9, "phone": 18}

    def shown(more: int) -> Score:
        hits = np.array([2 * (at % 30 < right[each] + more) for at, each in enumerate(channels)]) * (sizes > 0)
        return Score(hits > 0, {"field_f1": Counted.ratio(hits, sizes)}, None, np.nan, 0)

    assert [each.value for each in by_slice(sliced, shown(0))] == ["fax", "phone", "mail", "empty"]
    assert [each.value for each in changes(sliced, shown(0), shown(2), ("new", "old"))][-1] == "empty"
