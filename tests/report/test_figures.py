"""Every figure draws, says what it shows, and survives thin evidence."""

from __future__ import annotations

import io

import pytest
from matplotlib.figure import Figure

from tailtune.report import figures

from . import claims, fixtures, lives


def words(figure: Figure) -> str:
    """All text on a figure, after it was drawn without a window."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    assert png.getvalue().startswith(b"\x89PNG")
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    labels = [t.get_text() for a in figure.axes for t in (*a.get_xticklabels(), *a.get_yticklabels())]
    axes = [name for a in figure.axes for name in (a.get_xlabel(), a.get_ylabel())]
    return " | ".join([figure.get_suptitle(), *axes, *texts, *labels])


def test_quality_names_the_measure_every_rung_and_the_target() -> None:
    report = fixtures.ladder()
    shown = words(figures.quality(report.rungs, "dev", 0.95))
    assert "Accuracy on 1,085 dev rows" in shown and "target 95%" in shown
    for rung in report.rungs:
        assert rung.title in shown and f"{rung.quality.value:.1%}" in shown
    assert "target" not in words(figures.quality(report.rungs[:1], "dev"))
    assert "Field F1 on 1,512 test rows" in words(figures.quality(claims.evaluate().candidates, "test"))


def test_learning_curve_has_every_size() -> None:
    curve = fixtures.ladder().curve
    shown = words(figures.learning_curve(curve, "Frozen encoder + linear probe", "accuracy"))
    assert "1,015" in shown and "8,123" in shown and "91.3%" in shown
    assert "More labels: frozen encoder + linear probe" in shown and "dev accuracy" in shown
    assert "dev field F1" in words(figures.learning_curve(curve[:1], "a rung", "field_f1"))


def test_latency_leaves_untimed_candidates_out() -> None:
    first, second, *_ = fixtures.evaluate().candidates
    shown = words(figures.latency_quality((first, second.model_copy(update={"latency": None})), "test"))
    assert first.title in shown and second.title not in shown and "accuracy, with 95 % interval" in shown
    words(figures.latency_quality((first.model_copy(update={"latency": None}),), "test"))


@pytest.mark.parametrize("value", [1.37, 2.11, 7.29, 20.61])
def test_one_alone_has_room_on_both_sides(value: float) -> None:
    first = fixtures.evaluate().candidates[0]
    assert first.latency is not None
    timed = first.latency.model_copy(update={"p99_ms": value})
    alone = first.model_copy(update={"latency": timed, "usd_per_1000": value})
    for figure in (figures.latency_quality((alone,), "test"), figures.cost_quality((alone,), "test")):
        assert figure is not None and first.title in words(figure)
        low, high = figure.axes[0].get_xlim()
        assert low < value < high and high > 2 * low


def test_confusions_shows_counts_and_f1() -> None:
    report = fixtures.evaluate()
    shown = words(figures.confusions(report.confusions, report.per_class))
    assert f"{fixtures.LABELS[0]}  (F1 0.76)" in shown
    assert {str(pair.rows) for pair in report.confusions} <= set(shown.split(" | "))


def test_confusions_says_whether_labels_or_fields_are_confused() -> None:
    report, found = fixtures.evaluate(), claims.evaluate()
    assert "Most confused labels" in words(figures.confusions(report.confusions, report.per_class))
    shown = words(figures.confusions(found.confusions, found.per_field))
    assert "Most confused fields" in shown and "loss_date  (F1 0.93)" in shown


def test_field_f1_has_the_weakest_twenty_on_top() -> None:
    found = claims.evaluate().per_field
    ranked = sorted(found, key=lambda one: one.f1)
    figure = figures.field_f1(found)
    shown = words(figure)
    assert "20 of 45" in shown
    assert all(f"{one.label}  (" in shown for one in ranked[:20])
    assert not any(f"{one.label}  (" in shown for one in ranked[20:])
    lengths = [bar.get_width() for bar in sorted(figure.axes[0].patches, key=lambda bar: bar.get_y())]
    assert lengths == [one.f1 for one in ranked[:20]]


def test_field_f1_draws_no_value_for_what_was_not_measured() -> None:
    first, second, *_ = claims.evaluate().per_field
    nan = float("nan")
    shown = words(figures.field_f1((first.model_copy(update={"f1": nan, "f1_other": nan}), second)))
    assert "n/a" in shown and "nan" not in shown and f"{second.f1:.2f}" in shown


def test_confusions_keeps_to_the_worst_labels() -> None:
    pair = fixtures.evaluate().confusions[0]
    many = [pair.model_copy(update={"expected": f"a{i}", "answered": f"b{i}", "rows": i + 1}) for i in range(30)]
    shown = words(figures.confusions(many))
    assert "15 of 60" in shown and "a29" in shown and "a0 " not in shown


def test_calibration_leaves_empty_bins_out() -> None:
    bins = fixtures.evaluate().calibration
    empty = bins[0].model_copy(update={"confidence": float("nan"), "accuracy": float("nan"), "rows": 0})
    words(figures.calibration((empty, *bins[1:])))


def test_quality_takes_prompted_rungs_and_says_on_how_many_rows() -> None:
    reports = lives.stay()
    shown = words(figures.quality(reports["prompt"].rungs, "dev", 0.9))
    assert "Accuracy on 200 to 450 dev rows" in shown and "Prompt with retrieved examples" in shown


def test_cost_quality_has_every_priced_rung_and_the_target() -> None:
    reports = lives.tune()
    rungs = (*reports["ladder"].rungs, *reports["prompt"].rungs)
    figure = figures.cost_quality(rungs, "dev", 0.93)
    assert figure is not None
    shown = words(figure)
    assert all(rung.title in shown for rung in rungs)
    assert "Best prompt, stronger model, $7.10" in shown and "target 93%" in shown
    assert "US dollars per 1,000 answers" in shown


def test_cost_quality_leaves_out_what_has_no_price_and_is_none_without_any() -> None:
    unpriced = lives.not_yet()["prompt"].rungs
    figure = figures.cost_quality((*fixtures.ladder().rungs, *unpriced), "dev")
    assert figure is not None and unpriced[0].title not in words(figure)
    assert figures.cost_quality(unpriced, "dev") is None
    free = fixtures.ladder().rungs[0].model_copy(update={"usd_per_1000": 0.0})
    assert figures.cost_quality((free,), "dev") is None
