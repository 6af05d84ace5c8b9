from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tailtune.judge.estimated_accuracy import (
    FEWEST,
    EstimatedAccuracy,
    Labelled,
    TopLabels,
    estimated_accuracy,
    estimated_score,
)

LABELS = 8
Rows = tuple[list[list[tuple[Any, float]]], list[Any]]


def rows(random: np.random.Generator, count: int, mix: NDArray[np.float64] | None = None, names: Any = str) -> Rows:
    """Likeliest labels and truth of rows from a world in which the probabilities are exact for an even mix."""
    truth = random.choice(LABELS, count, p=mix)
    # Label k shows up as a point near k on a circle of labels; odd labels are blurred with their neighbours.
    blur = np.where(np.arange(LABELS) % 2, 0.35, 0.08)
    channel = np.array([[_near(seen, label, blur[label]) for seen in range(LABELS)] for label in range(LABELS)])
    seen = np.array([random.choice(LABELS, p=channel[label]) for label in truth])
    posterior = channel / channel.sum(axis=0)
    likeliest = []
    for at in seen:
        order = np.argsort(-posterior[:, at], kind="stable")[:5]
        likeliest.append([(names(int(label)), float(posterior[label, at])) for label in order])
    return likeliest, [names(int(label)) for label in truth]


def _near(seen: int, label: int, blur: float) -> float:
    away = min((seen - label) % LABELS, (label - seen) % LABELS)
    return {0: 1 - blur, 1: blur / 2}.get(away, 0.0)


def labelled(made: Rows) -> Labelled:
    return Labelled(TopLabels.of(made[0]), made[1])


def accuracy(made: Rows) -> float:
    return float(np.mean([row[0][0] == truth for row, truth in zip(*made, strict=True)]))


SHIFTED = np.array([0.05, 0.2, 0.05, 0.2, 0.05, 0.2, 0.05, 0.2])


def test_another_mix_of_labels_is_seen() -> None:
    random = np.random.default_rng(1)
    reference, window = rows(random, 2000), rows(random, 3000, SHIFTED)
    found = estimated_accuracy(labelled(reference), TopLabels.of(window[0]))
    assert found.accuracy is not None
    assert accuracy(reference) > accuracy(window) + 0.04
    assert abs(found.accuracy.value - accuracy(window)) < abs(accuracy(reference) - accuracy(window))
    assert found.accuracy.low < accuracy(window) < found.accuracy.high
    assert found.mix["1"] == pytest.approx(0.2, abs=0.04)
    assert found.mix["0"] == pytest.approx(0.05, abs=0.04)


def test_intervals_have_the_accuracy_of_the_window() -> None:
    random, inside = np.random.default_rng(2), 0
    for _ in range(60):
        reference, window = rows(random, 400), rows(random, 300, SHIFTED)
        found = estimated_accuracy(labelled(reference), TopLabels.of(window[0])).accuracy
        assert found is not None
        inside += found.low <= accuracy(window) <= found.high
    assert inside >= 53


def test_confidences_that_are_too_high_are_brought_down() -> None:
    random = np.random.default_rng(3)

    def sharpened(made: Rows) -> Rows:
        sums = [sum(share**3 for _, share in row) for row in made[0]]
        return [
            [(label, share**3 / total) for label, share in row] for row, total in zip(made[0], sums, strict=True)
        ], made[1]

    reference, window = sharpened(rows(random, 2000)), sharpened(rows(random, 2000))
    raw = np.mean([row[0][1] for row in window[0]])
    found = estimated_accuracy(labelled(reference), TopLabels.of(window[0])).accuracy
    assert found is not None
    assert raw > accuracy(window) + 0.05
    assert found.value == pytest.approx(accuracy(window), abs=0.03)


def test_texts_and_numbers_as_labels_give_equal_results() -> None:
    found = []
    for names in (str, int):
        random = np.random.default_rng(4)
        reference, window = rows(random, 500, None, names), rows(random, 300, SHIFTED, names)
        found.append(estimated_accuracy(labelled(reference), TopLabels.of(window[0])))
    assert found[0] == found[1]


def test_macro_f1_and_the_answers_of_a_label_are_estimated() -> None:
    random = np.random.default_rng(5)
    window = rows(random, 4000)
    found = estimated_accuracy(labelled(rows(random, 2000)), TopLabels.of(window[0]))
    answers, truth = np.array([row[0][0] for row in window[0]]), np.array(window[1])
    f1 = [
        2 * ((answers == name) & (truth == name)).sum() / ((answers == name).sum() + (truth == name).sum())
        for name in sorted(set(window[1]))
    ]
    assert found.macro_f1 == pytest.approx(np.mean(f1), abs=0.04)
    assert found.right_by["0"] == pytest.approx((truth[answers == "0"] == "0").mean(), abs=0.08)


def test_a_changed_truth_is_not_seen() -> None:
    random = np.random.default_rng(6)
    reference, window = rows(random, 1000), rows(random, 1000)
    changed = {"0": "4", "2": "6"}
    truth = [changed.get(label, label) for label in window[1]]
    found = estimated_accuracy(labelled(reference), TopLabels.of(window[0])).accuracy
    assert found is not None
    assert found.value > accuracy((window[0], truth)) + 0.15


def _reason(found: EstimatedAccuracy) -> str:
    assert found.accuracy is None
    assert found.macro_f1 is None
    return found.reason


def test_what_cannot_be_estimated_has_a_reason() -> None:
    random = np.random.default_rng(7)
    reference, window = labelled(rows(random, 200)), TopLabels.of(rows(random, 100)[0])
    assert "no rows" in _reason(estimated_accuracy(reference, TopLabels.of([])))
    assert "has a probability" in _reason(estimated_accuracy(reference, TopLabels.of([[], []])))
    few = labelled(rows(random, FEWEST - 1))
    assert f"{FEWEST - 1} labelled rows" in _reason(estimated_accuracy(few, window))
    nothing = Labelled(TopLabels.of([[]] * 200), ["a"] * 200)
    assert "0 labelled rows" in _reason(estimated_accuracy(nothing, window))
    same = Labelled(reference.top, ["a"] * 200)
    assert "the same label" in _reason(estimated_accuracy(same, window))
    alike = TopLabels.of([[("3", 0.9), ("4", 0.1)]] * 20)
    assert "every answer of the window is 3" in _reason(estimated_accuracy(reference, alike))


def test_rows_without_a_probability_are_left_out_and_counted() -> None:
    random = np.random.default_rng(8)
    reference, window = labelled(rows(random, 200)), rows(random, 100)[0]
    whole = estimated_accuracy(reference, TopLabels.of(window))
    more = estimated_accuracy(reference, TopLabels.of([*window, [], [("1", math.nan)], [("1", None)]]))
    assert more.accuracy == whole.accuracy
    assert (more.rows, more.without) == (100, 3)


def test_a_label_that_the_reference_does_not_have_is_no_fault() -> None:
    random = np.random.default_rng(9)
    window = [*rows(random, 100)[0], [("new", 0.8), ("0", 0.2)]]
    assert estimated_accuracy(labelled(rows(random, 200)), TopLabels.of(window)).accuracy is not None


def fields(random: np.random.Generator, count: int, harder: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Confidences of four fields, and each row's share of right ones; rows are easy or hard as a whole."""
    ease = random.normal(2.5 - harder, 1.0, (count, 1)) + random.normal(0, 0.7, (count, 4))
    right = random.random((count, 4)) < 1 / (1 + np.exp(-ease))
    return 1 / (1 + np.exp(-1.5 * ease)), right.mean(axis=1)


def test_an_extractors_score_is_estimated_from_its_fields() -> None:
    random = np.random.default_rng(10)
    then, scores = fields(random, 1000, 0.0)
    now, truth = fields(random, 800, 0.8)
    then[0, 0] = np.nan
    names = ("a", "b", "c", "d")
    found = estimated_score(then, scores, now, names)
    assert found.accuracy is not None
    assert scores.mean() > truth.mean() + 0.05
    assert found.accuracy.low < truth.mean() < found.accuracy.high
    assert set(found.right_by) == set(names)
    assert "no rows" in _reason(estimated_score(then, scores, now[:0], names))
    assert "gives none" in _reason(estimated_score(then, scores, np.full((3, 4), np.nan), names))
