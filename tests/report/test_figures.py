"""Every figure draws, says what it shows, and survives thin evidence."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from services.tracking import examples

from tailtune.report import figures
from tailtune.spec.load import UseCase


@pytest.fixture
def case(tmp_path: Path) -> UseCase:
    return examples.make_case(tmp_path)


def words(figure: Figure) -> str:
    """All text on a figure, after it was drawn without a window."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    assert png.getvalue().startswith(b"\x89PNG")
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    labels = [t.get_text() for a in figure.axes for t in (*a.get_xticklabels(), *a.get_yticklabels())]
    return " | ".join([figure.get_suptitle(), *texts, *labels])


def test_accuracy_names_every_rung_and_the_target(case: UseCase) -> None:
    report = examples.ladder(case)
    shown = words(figures.accuracy(report.rungs, "dev", 0.95))
    assert "1,180 dev rows" in shown and "target 95%" in shown
    for rung in report.rungs:
        assert rung.title in shown and f"{rung.accuracy.value:.1%}" in shown
    assert "target" not in words(figures.accuracy(report.rungs[:1], "dev"))


def test_learning_curve_has_every_size(case: UseCase) -> None:
    shown = words(figures.learning_curve(examples.ladder(case).curve))
    assert "1,036" in shown and "8,290" in shown and "90.7%" in shown
    words(figures.learning_curve(examples.ladder(case).curve[:1]))


def test_latency_leaves_untimed_candidates_out(case: UseCase) -> None:
    first, second, *_ = examples.evaluate(case).candidates
    shown = words(figures.latency_accuracy((first, second.model_copy(update={"latency": None})), "test"))
    assert first.title in shown and second.title not in shown
    words(figures.latency_accuracy((first.model_copy(update={"latency": None}),), "test"))


def test_confusions_shows_counts_and_f1(case: UseCase) -> None:
    report = examples.evaluate(case)
    shown = words(figures.confusions(report.confusions, report.per_class))
    assert "17" in shown and "billing_double_charge  (F1 0.90)" in shown


def test_confusions_keeps_to_the_worst_labels(case: UseCase) -> None:
    pair = examples.evaluate(case).confusions[0]
    many = [pair.model_copy(update={"expected": f"a{i}", "answered": f"b{i}", "rows": i + 1}) for i in range(30)]
    shown = words(figures.confusions(many))
    assert "15 of 60" in shown and "a29" in shown and "a0 " not in shown


def test_calibration_leaves_empty_bins_out(case: UseCase) -> None:
    bins = examples.evaluate(case).calibration
    empty = bins[0].model_copy(update={"confidence": float("nan"), "accuracy": float("nan"), "rows": 0})
    words(figures.calibration((empty, *bins[1:])))
