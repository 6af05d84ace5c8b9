"""Figures for MLflow and the decision page: records in, matplotlib figures out. Pure; no window, no global state."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from tailtune.core.records import Estimate
from tailtune.core.reports import (
    CalibrationBin,
    CandidateResult,
    ClassResult,
    Confusion,
    CurvePoint,
    FieldResult,
    PromptedRung,
    RungResult,
)
from tailtune.report.numbers import capital, dollars, inline, title
from tailtune.report.story import worst_first

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Scored = RungResult | CandidateResult

INK, MUTED, GRID, LEAD = "#1f2933", "#6b7785", "#e3e8ee", "#b8c2cc"
BLUE, GREEN, RED = "#2563a8", "#1b7f5c", "#c2410c"
_MOST_CONFUSED = 15
_WORST_FIELDS = 20


def quality(results: Sequence[Scored], split: str, target: float | None = None) -> Figure:
    """The first measure of each rung or candidate with its 95 % interval, best on top, and the target as a line."""
    shown = sorted(results, key=lambda result: result.quality.value)
    named = f"{capital(title(shown[0].metric))} on {_counted(shown)} {split} rows, with 95 % intervals"
    figure, axes = _sheet(8.0, 1.5 + 0.42 * len(shown), named)
    for at, result in enumerate(shown):
        best = result is shown[-1]
        _interval(axes, at, result.quality, GREEN if best else BLUE)
        axes.annotate(
            f"{result.quality.value:.1%}",
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
    axes.set_xlim(max(0.0, min(r.quality.low for r in shown) - 0.05), 1.0)
    _percent(axes.xaxis)
    return figure


def _counted(results: Sequence[Scored]) -> str:
    """On how many rows: prompted rungs are asked no more than settles the question."""
    rows = [result.quality.rows for result in results]
    return f"{rows[0]:,}" if min(rows) == max(rows) else f"{min(rows):,} to {max(rows):,}"


def learning_curve(points: Sequence[CurvePoint], rung: str, metric: str) -> Figure:
    """Quality of a cheap rung by number of train rows, with its interval as a band.

    Args:
        points: One per number of rows.
        rung: Title of the rung that was fitted.
        metric: The measure of the points.
    """
    figure, axes = _sheet(7.0, 4.0, f"More labels: {inline(rung)}")
    axes.set_ylabel(f"dev {title(metric)}, with 95 % interval")
    ordered = sorted(points, key=lambda point: point.rows)
    sizes = [point.rows for point in ordered]
    values = [point.quality.value for point in ordered]
    axes.fill_between(
        sizes, [p.quality.low for p in ordered], [p.quality.high for p in ordered], color=BLUE, alpha=0.15, lw=0
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


def latency_quality(results: Sequence[Scored], split: str) -> Figure:
    """Quality against the 99th percentile of latency: upper left is better. Untimed ones are left out."""
    timed = sorted(
        ((r.latency.p99_ms, r) for r in results if r.latency is not None), key=lambda pair: -pair[1].quality.value
    )
    figure, axes = _sheet(9.0, 4.4, f"What an answer takes, and how good it is ({split} rows)")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    near = timed and max(p99 for p99, _ in timed) < 8 * min(p99 for p99, _ in timed)
    axes.xaxis.set_minor_formatter("{x:g}" if near else "")
    axes.set_xlabel("p99 latency of one row, milliseconds (log scale; left is faster)")
    axes.set_ylabel(f"{title(results[0].metric)}, with 95 % interval")
    axes.margins(x=0.1, y=0.12)
    _around_one(axes, [p99 for p99, _ in timed])
    for p99, result in timed:
        colour = GREEN if result is timed[0][1] else BLUE
        arms = _arms(result.quality)
        axes.errorbar(p99, result.quality.value, yerr=arms, fmt="o", color=colour, markersize=7, elinewidth=1.2)
    _percent(axes.yaxis)
    _names_beside(axes, [(p99, r.quality.value, f"{r.title}, {p99:.3g} ms") for p99, r in timed], 4.4)
    return figure


def cost_quality(results: Sequence[Scored], split: str, target: float | None = None) -> Figure | None:
    """Quality against US dollars per 1,000 answers: upper left is better. Those without a price are left out.

    Args:
        results: Rungs, local and prompted, or candidates; prompted ones have an interval of their price as well.
        split: Whose rows they answered.
        target: What quality should reach, as a line.

    Returns:
        None when nothing has a price above 0: a logarithmic axis has no place for it.
    """
    priced = [(r.usd_per_1000, r) for r in results if r.usd_per_1000 and not isnan(r.quality.value)]
    if not priced:
        return None
    priced.sort(key=lambda pair: -pair[1].quality.value)
    height = 1.8 + 0.36 * max(len(priced), 7)
    figure, axes = _sheet(9.0, height, f"What an answer costs, and how good it is ({split} rows)")
    ends: list[float] = []
    axes.set_xscale("log")
    axes.set_xlabel("US dollars per 1,000 answers, with 95 % interval (log scale; left is cheaper)")
    axes.set_ylabel(f"{title(results[0].metric)}, with 95 % interval")
    axes.margins(x=0.1, y=0.12)
    for usd, result in priced:
        below, above = _price_arms(result, usd) or ([0.0], [0.0])
        ends += [usd - below[0], usd + above[0]]
    _around_one(axes, ends)
    for usd, result in priced:
        colour = GREEN if result is priced[0][1] else BLUE
        arms = _arms(result.quality)
        axes.errorbar(
            usd, result.quality.value, yerr=arms, xerr=_price_arms(result, usd), fmt="o", color=colour, markersize=7,
            elinewidth=1.2,
        )  # fmt: skip
    if target is not None:
        axes.axhline(target, color=RED, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.text(0.005, target, f"target {target:.0%}", transform=axes.get_yaxis_transform(), color=RED, va="bottom")
    _percent(axes.yaxis)
    _names_beside(axes, [(usd, r.quality.value, f"{r.title}, {dollars(usd)}") for usd, r in priced], height)
    return figure


def _price_arms(result: Scored, usd: float) -> list[list[float]] | None:
    if not isinstance(result, PromptedRung) or result.usd_low is None or result.usd_high is None:
        return None
    return [[max(usd - max(result.usd_low, usd / 100), 0.0)], [max(result.usd_high - usd, 0.0)]]


def confusions(pairs: Sequence[Confusion], parts: Sequence[ClassResult] = ()) -> Figure:
    """Heat map of the labels, or fields, that take part in most confusions: rows expected, columns answered.

    Args:
        pairs: What was answered for what.
        parts: Results of the labels or fields, for the F1 beside a name.
    """
    weight: dict[str, int] = {}
    for pair in pairs:
        for label in (pair.expected, pair.answered):
            weight[label] = weight.get(label, 0) + pair.rows
    labels = sorted(sorted(weight, key=lambda label: -weight[label])[:_MOST_CONFUSED])
    place = {label: at for at, label in enumerate(labels)}
    grid = [[0] * len(labels) for _ in labels]
    for pair in pairs:
        if pair.expected in place and pair.answered in place:
            grid[place[pair.expected]][place[pair.answered]] += pair.rows
    side = 2.6 + 0.36 * len(labels)
    things = "fields" if any(isinstance(part, FieldResult) for part in parts) else "labels"
    figure, axes = _sheet(side + 1.2, side, f"Most confused {things}: wrong test rows ({len(labels)} of {len(weight)})")
    most = max(max(row) for row in grid) or 1
    axes.imshow(grid, cmap="Blues", vmin=0, vmax=most, aspect="equal")
    for y, row in enumerate(grid):
        for x, rows in enumerate(row):
            if rows:
                axes.text(x, y, str(rows), ha="center", va="center", color="white" if rows > most / 2 else INK)
    f1 = {part.label: part.f1 for part in parts}
    names = [f"{label}  (F1 {f1[label]:.2f})" if label in f1 else label for label in labels]
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), names)
    axes.set_xlabel("answered")
    axes.set_ylabel("expected")
    axes.grid(visible=False)
    return figure


def field_f1(fields: Sequence[FieldResult]) -> Figure:
    """F1 of the weakest fields as bars, the weakest on top, and of the other candidate as a stroke."""
    shown = worst_first(fields)[:_WORST_FIELDS]
    named = f"Weakest fields: F1 on test rows ({len(shown)} of {len(fields)})"
    figure, axes = _sheet(7.5, 1.4 + 0.3 * len(shown), named)
    places = range(len(shown))
    axes.barh(places, [0.0 if isnan(f.f1) else f.f1 for f in shown], color=BLUE, height=0.62)
    others = [(f.f1_other, at) for at, f in enumerate(shown) if not isnan(f.f1_other)]
    if others:
        x, y = zip(*others, strict=True)
        axes.plot(x, y, "|", color=RED, markersize=13, markeredgewidth=2, label="the other candidate")
        figure.legend(loc="outside lower right", frameon=False)
    for at, field in enumerate(shown):
        value = "n/a" if isnan(field.f1) else f"{field.f1:.2f}"
        axes.annotate(value, (1.02, at), xycoords=("axes fraction", "data"), va="center", color=INK)
    axes.set_yticks(places, [f"{field.label}  ({field.kind}, {field.rows:,} rows)" for field in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 1)
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


def _around_one(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis around one value is left without any width by rounding; here it gets one."""
    if values and max(values) < 1.001 * min(values):
        axes.set_xlim(values[0] / 3, values[0] * 3)


def _names_beside(axes: Axes, items: Sequence[tuple[float, float, str]], height: float) -> None:
    """Names in a column on the right, highest on top, pushed apart where two would overlap, a line to each point."""
    low, high = axes.get_ylim()
    step = 0.31 / height  # of the height: one line of text
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
