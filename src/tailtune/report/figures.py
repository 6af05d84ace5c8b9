"""Figures for MLflow and the decision page: records in, matplotlib figures out. Pure; no window, no global state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tailtune.core.records import Estimate
from tailtune.core.reports import (
    CalibrationBin,
    CandidateResult,
    ClassResult,
    Confusion,
    CurvePoint,
    RungResult,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Scored = RungResult | CandidateResult

INK, MUTED, GRID, LEAD = "#1f2933", "#6b7785", "#e3e8ee", "#b8c2cc"
BLUE, GREEN, RED = "#2563a8", "#1b7f5c", "#c2410c"
_WORST_LABELS = 15


def accuracy(results: Sequence[Scored], split: str, target: float | None = None) -> Figure:
    """Accuracy of each rung or candidate with its 95 % interval, best on top, and the target as a line."""
    shown = sorted(results, key=lambda result: result.accuracy.value)
    rows = shown[0].accuracy.rows
    figure, axes = _sheet(8.0, 1.5 + 0.42 * len(shown), f"Accuracy on {rows:,} {split} rows, with 95 % intervals")
    for at, result in enumerate(shown):
        best = result is shown[-1]
        _interval(axes, at, result.accuracy, GREEN if best else BLUE)
        axes.annotate(
            f"{result.accuracy.value:.1%}",
            (1.02, at),
            xycoords=("axes fraction", "data"),
            va="center",
            color=GREEN if best else INK,
            fontweight="bold" if best else "normal",
        )
    axes.set_yticks(range(len(shown)), [result.title for result in shown])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    if target is not None:
        axes.axvline(target, color=RED, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(f"target {target:.0%}", (target, len(shown) - 0.45), color=RED, fontsize=9, ha="right")
    axes.set_xlim(max(0.0, min(r.accuracy.low for r in shown) - 0.05), 1.0)
    _percent(axes.xaxis)
    return figure


def learning_curve(points: Sequence[CurvePoint]) -> Figure:
    """Accuracy of the linear probe by number of train rows, with its interval as a band."""
    figure, axes = _sheet(7.0, 4.0, "More labels: linear probe by number of train rows (dev accuracy, 95 %)")
    ordered = sorted(points, key=lambda point: point.rows)
    sizes = [point.rows for point in ordered]
    values = [point.accuracy.value for point in ordered]
    axes.fill_between(
        sizes, [p.accuracy.low for p in ordered], [p.accuracy.high for p in ordered], color=BLUE, alpha=0.15, lw=0
    )
    axes.plot(sizes, values, color=BLUE, marker="o", linewidth=2)
    for size, value in zip(sizes, values, strict=True):
        axes.annotate(f"{value:.1%}", (size, value), (0, 9), textcoords="offset points", ha="center", color=INK)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("labelled train rows (doubling scale)")
    axes.margins(x=0.08, y=0.18)
    _percent(axes.yaxis)
    return figure


def latency_accuracy(results: Sequence[Scored], split: str) -> Figure:
    """Accuracy against the 99th percentile of latency: upper left is better. Untimed ones are left out."""
    timed = sorted(
        ((r.latency.p99_ms, r) for r in results if r.latency is not None), key=lambda pair: -pair[1].accuracy.value
    )
    figure, axes = _sheet(9.0, 4.4, f"What an answer takes, and how often it is right ({split} rows)")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("p99 latency of one row, milliseconds (log scale; left is faster)")
    axes.set_ylabel("accuracy, with 95 % interval")
    axes.margins(x=0.1, y=0.12)
    for p99, result in timed:
        colour = GREEN if result is timed[0][1] else BLUE
        arms = _arms(result.accuracy)
        axes.errorbar(p99, result.accuracy.value, yerr=arms, fmt="o", color=colour, markersize=7, elinewidth=1.2)
    _percent(axes.yaxis)
    _names_beside(axes, [(p99, r.accuracy.value, f"{r.title}, {p99:.3g} ms") for p99, r in timed])
    return figure


def confusions(pairs: Sequence[Confusion], classes: Sequence[ClassResult] = ()) -> Figure:
    """Heat map of the labels that take part in most confusions: rows expected, columns answered."""
    weight: dict[str, int] = {}
    for pair in pairs:
        for label in (pair.expected, pair.answered):
            weight[label] = weight.get(label, 0) + pair.rows
    labels = sorted(sorted(weight, key=lambda label: -weight[label])[:_WORST_LABELS])
    place = {label: at for at, label in enumerate(labels)}
    grid = [[0] * len(labels) for _ in labels]
    for pair in pairs:
        if pair.expected in place and pair.answered in place:
            grid[place[pair.expected]][place[pair.answered]] += pair.rows
    side = 2.6 + 0.36 * len(labels)
    figure, axes = _sheet(side + 1.2, side, f"Most confused labels: wrong test rows ({len(labels)} of {len(weight)})")
    most = max(max(row) for row in grid) or 1
    axes.imshow(grid, cmap="Blues", vmin=0, vmax=most, aspect="equal")
    for y, row in enumerate(grid):
        for x, rows in enumerate(row):
            if rows:
                axes.text(x, y, str(rows), ha="center", va="center", color="white" if rows > most / 2 else INK)
    f1 = {result.label: result.f1 for result in classes}
    names = [f"{label}  (F1 {f1[label]:.2f})" if label in f1 else label for label in labels]
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), names)
    axes.set_xlabel("answered")
    axes.set_ylabel("expected")
    axes.grid(visible=False)
    return figure


def calibration(bins: Sequence[CalibrationBin]) -> Figure:
    """Reliability plot: how often answers of a stated confidence are right, by equal-mass bins."""
    figure, axes = _sheet(5.6, 5.0, "Is the stated confidence true? (test rows, equal-mass bins)")
    known = [b for b in bins if b.rows]
    lowest = min([b.confidence for b in known] + [b.accuracy for b in known], default=0.0)
    start = max(0.0, lowest - 0.05)
    axes.plot([start, 1], [start, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="perfect")
    axes.plot([b.confidence for b in known], [b.accuracy for b in known], color=BLUE, marker="o", label="measured")
    for b in known:
        axes.plot([b.confidence, b.confidence], [b.confidence, b.accuracy], color=RED, linewidth=1, alpha=0.6)
    axes.set_xlabel("mean confidence of the bin")
    axes.set_ylabel("share that was right")
    axes.set_xlim(start, 1.02)
    axes.set_ylim(start, 1.02)
    axes.legend(frameon=False, loc="upper left")
    _percent(axes.xaxis)
    _percent(axes.yaxis)
    return figure


def _sheet(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    figure.suptitle(title, fontsize=11.5, fontweight="bold", color=INK, ha="left", x=0.02)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0, labelsize=9.5)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    return figure, axes


def _interval(axes: Axes, at: float, estimate: Estimate, colour: str) -> None:
    axes.plot([estimate.low, estimate.high], [at, at], color=colour, linewidth=5, alpha=0.3, solid_capstyle="round")
    axes.plot(estimate.value, at, "o", color=colour, markersize=8)


def _arms(estimate: Estimate) -> list[list[float]]:
    return [[estimate.value - estimate.low], [estimate.high - estimate.value]]


def _names_beside(axes: Axes, items: Sequence[tuple[float, float, str]]) -> None:
    """Names in a column on the right, highest on top, pushed apart where two would overlap, a line to each point."""
    low, high = axes.get_ylim()
    step = 0.07  # of the height: one line of text
    below = 1.05 + step
    for x, y, name in sorted(items, key=lambda item: -item[1]):
        below = min((y - low) / (high - low), below - step)
        axes.annotate(
            name,
            (x, y),
            (1.03, below),
            xycoords="data",
            textcoords="axes fraction",
            color=INK,
            fontsize=9.5,
            va="center",
            arrowprops={"arrowstyle": "-", "color": LEAD, "linewidth": 0.8, "shrinkB": 5, "relpos": (0, 0.5)},
        )


def _percent(axis: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
