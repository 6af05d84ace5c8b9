"""The scorer against scikit-learn and cases worked by hand."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support

from tailtune.core.records import Answer
from tailtune.tasks.classification.scoring import confusions, per_class, score

ROWS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["a", "b", "c", "d", "other", None])), min_size=1, max_size=50
)


def answers(values: Sequence[str | None], confidence: float = 0.5) -> list[Answer]:
    return [Answer(value, confidence) for value in values]


def sklearn_macro(expected: Sequence[str], values: Sequence[str | None]) -> float:
    shown = [value or "(none)" for value in values]
    return float(f1_score(expected, shown, average="macro", labels=sorted(set(expected)), zero_division=0))


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_macro_f1_is_sklearns_over_the_labels_present(pairs: list[tuple[str, str | None]]) -> None:
    expected, values = [e for e, _ in pairs], [v for _, v in pairs]
    found = score(expected, answers(values)).metrics["macro_f1"]
    assert found.value == pytest.approx(sklearn_macro(expected, values))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.rows == len(pairs)


def test_macro_f1s_interval_is_about_that_of_resampled_rows() -> None:
    random = np.random.default_rng(2)
    expected = [str(x) for x in random.choice(list("abc"), 150, p=[0.6, 0.3, 0.1])]
    values = [label if random.random() < 0.75 else "a" for label in expected]
    found = score(expected, answers(values)).metrics["macro_f1"]
    samples = []
    for _ in range(600):
        rows = random.integers(0, 150, 150)
        samples.append(sklearn_macro([expected[i] for i in rows], [values[i] for i in rows]))
    low, high = np.quantile(samples, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.04)


def test_memory_does_not_grow_with_labels_times_rows() -> None:
    expected = [str(i % 500) for i in range(20_000)]
    values = [str(i // 40) for i in range(20_000)]
    tracemalloc.start()
    try:
        assert score(expected, answers(values)).metrics["macro_f1"].high < 0.01
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * 2**20, "a table of 20,000 rows by 500 labels is 80 MB"


@settings(max_examples=40, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_a_score_knows_no_order(pairs: list[tuple[str, str | None]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (score([e for e, _ in rows], answers([v for _, v in rows])) for rows in (pairs, shuffled))
    assert one.quality == other.quality
    assert one.metrics["macro_f1"].value == pytest.approx(other.metrics["macro_f1"].value)
    assert one.invalid_rows == other.invalid_rows


def test_an_invalid_answer_is_not_right_and_is_counted() -> None:
    found = score(["a", "b", "a"], answers(["a", None, None]))
    assert found.right.tolist() == [True, False, False]
    assert found.invalid_rows == 2
    assert found.quality.value == pytest.approx(1 / 3)


@pytest.mark.parametrize(("expected", "given_"), [([], []), (["a"], []), (["a"], ["a", "a"])])
def test_nothing_to_score_and_rows_that_do_not_match_are_refused(expected: list[str], given_: list[str]) -> None:
    with pytest.raises(ValueError, match="expected as many, and at least one"):
        score(expected, answers(given_))


def test_without_confidence_calibration_is_not_a_number() -> None:
    found = score(["a", "b"], [Answer("a", 0.9), Answer("b", math.nan)])
    assert math.isnan(found.ece)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_per_class_is_sklearns(pairs: list[tuple[str, str | None]]) -> None:
    expected, values = [e for e, _ in pairs], [v for _, v in pairs]
    labels = sorted(set(expected))
    known = precision_recall_fscore_support(
        expected, [v or "(none)" for v in values], labels=labels, zero_division=np.nan
    )
    found = {item.label: item for item in per_class(expected, values, None)}
    assert sorted(found) == labels
    for i, label in enumerate(labels):
        item = found[label]
        assert item.precision == pytest.approx(known[0][i], nan_ok=True)
        assert (item.recall, item.rows) == (pytest.approx(known[1][i]), known[3][i])
        assert item.f1 == pytest.approx(0 if np.isnan(known[2][i]) else known[2][i])
        assert math.isnan(item.f1_other)


def test_a_label_nobody_answered_has_no_precision_and_the_worst_stands_first() -> None:
    worst, best = per_class(["a", "a", "b"], ["a", "a", "a"], ["b", "b", "b"])
    assert (worst.label, worst.f1, worst.f1_other) == ("b", 0, pytest.approx(0.5))
    assert math.isnan(worst.precision)
    assert (best.label, best.recall, best.precision, best.f1_other) == ("a", 1, pytest.approx(2 / 3), 0)


def test_confusions_are_ordered_by_rows_and_name_invalid_answers() -> None:
    found = confusions(list("aaabbc"), ["b", "b", None, "a", "b", "c"])
    assert [(c.expected, c.answered, c.rows) for c in found] == [
        ("a", "b", 2),
        ("a", "(no valid answer)", 1),
        ("b", "a", 1),
    ]
    assert len(confusions(list("aaabbc"), ["b", "b", None, "a", "b", "c"], most=1)) == 1
    assert confusions(["a"], ["a"]) == ()


def test_answers_that_look_like_the_label_are_counted() -> None:
    expected = ["billing", "Billing", "log-in", "login", "export", "C", "sync"]
    answers = [Answer(value, 1.0) for value in ("Billing", "Billing", "login", "sync", None, "C#", "sy\u200bnc")]
    assert score(expected, answers).look_alike_rows == 3
