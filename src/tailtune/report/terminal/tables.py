"""The summary's tables: rungs, test candidates, further measures, the bill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import nan

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import CandidateResult, PromptedRung, RungResult, Scored
from tailtune.report.numbers import (
    NOT_MEASURED,
    Scale,
    bounds,
    count,
    duration,
    further,
    measure,
    memory,
    milliseconds,
    next_to,
    percent,
    plain,
    share,
    title,
    usd,
    with_interval,
)
from tailtune.report.story import Bill, Story, telling
from tailtune.report.terminal.drawing import DOT, LINE_TO_BEAT, Axis, Whisker
from tailtune.report.verdict import SETTLED, spent_line, total_usd

WIDE = 100


def none(story: Story, width: int) -> Iterable[RenderableType]:
    """No table: the facts say all."""
    return ()


def ladder(story: Story, width: int) -> Iterable[RenderableType]:
    """Cheaper rungs on dev."""
    rungs = story.ladder.rungs if story.ladder else ()
    return (_candidates(rungs, story.target, story.best_name, width),) if rungs else ()


def prompts(story: Story, width: int) -> Iterable[RenderableType]:
    """Prompted rungs on the dev rows that were bought for them."""
    rungs = story.prompt.rungs if story.prompt else ()
    return (_prompts(rungs, story.target, story.best_name, width),) if rungs else ()


def test(story: Story, width: int) -> Iterable[RenderableType]:
    """Candidates on test, and the measures that have no column."""
    found = story.evaluate
    if found is None:
        return
    pair, winner = found.comparison, story.candidate(found.winner)
    shown = [scored for scored in found.candidates if pair is None or scored.name in (pair.first, pair.second)]
    if shown:
        yield _candidates(shown, story.target, found.winner, width)
    more = _measures(shown if pair else [winner] if winner else [], width)
    if more is not None:
        yield from (Text(), more, Text())


def side_by_side(story: Story, width: int) -> Iterable[RenderableType]:
    """A prompt, a rung of each kind and the fine-tune: quality, time and price, and on how many rows."""
    rows = [candidate.scored for candidate in telling(story)]
    if rows:
        times = [_time(row.latency) for row in rows]
        figures = {
            "p50 ms": [p50 for p50, _ in times],
            "p99 ms": [p99 for _, p99 in times],
            "$/1,000": [_price(row.usd_per_1000) for row in rows],
            "rows": [count(row.quality.rows) for row in rows],
        }
        names = {row.name: row.title if width >= WIDE else row.name for row in rows}
        best = story.evaluate.winner if story.evaluate else story.best_name
        yield _side_by_side(rows, ("candidate", measure(rows[0].metric).short), names, figures, story.target, best)


def ownership(story: Story, width: int) -> Iterable[RenderableType]:
    """What each candidate costs to own, in a line."""
    found = story.verdict.economics if story.verdict else None
    if found is None:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("candidate", overflow="fold", min_width=9)
    for name in ("quality", "once", "a month", "1,000 requests", "in all"):
        table.add_column(name, justify="right", no_wrap=True)
    for candidate in found.candidates:
        quality = NOT_MEASURED if candidate.quality is None else share(candidate.quality)
        thousand = None if candidate.request_usd is None else candidate.request_usd * 1000
        figures = (usd(candidate.one_off_usd), usd(candidate.monthly_usd), usd(thousand))
        table.add_row(candidate.title, quality, *figures, Text(usd(candidate.total_usd), "bold"))
    yield Padding(table, (0, 0, 0, 2))


def bill(story: Story, width: int) -> Iterable[RenderableType]:
    """What each stage used."""
    return (_costs(story.bill),)


def _candidates(
    rows: Sequence[RungResult] | Sequence[CandidateResult], target: float | None, best: str, width: int
) -> Table:
    """Rungs of the ladder, or candidates on test: quality, time, price, and what else they need."""
    rungs = any(isinstance(row, RungResult) for row in rows)
    second = next_to(rows[0].metrics)
    columns = {measure(second).short: [_second(row, second) for row in rows]} if second else {}
    times = [_time(row.latency) for row in rows]
    columns |= {"p50 ms": [p50 for p50, _ in times], "p99 ms": [p99 for _, p99 in times]}
    columns["$/1,000"] = [_price(row.usd_per_1000) for row in rows]
    columns["labels" if rungs else "ECE"] = [
        count(row.fit_rows) if isinstance(row, RungResult) else plain(row.ece) for row in rows
    ]
    names = {row.name: row.title if width >= WIDE else row.name for row in rows}
    heads = "rung" if rungs else "model", title(rows[0].metric)
    return _side_by_side(rows, heads, names, columns, target, best)


def _prompts(rows: Sequence[PromptedRung], target: float | None, best: str, width: int) -> Table:
    """Prompted rungs, at least one: quality, time, price, usable answers, rows bought, and why buying stopped."""
    columns = {
        "p50 ms": [milliseconds(row.latency.p50_ms) for row in rows],
        "$/1,000": [_price(row.usd_per_1000) for row in rows],
        "usable": [percent(1 - row.invalid_rows / row.quality.rows if row.quality.rows else nan) for row in rows],
        "rows": [count(row.quality.rows) for row in rows],
    }
    wide = width >= WIDE
    names = {row.name: row.title if wide else row.name.removeprefix("lm_") for row in rows}
    words = {"stopped": [SETTLED[row.settled] for row in rows]} if wide else {}
    return _side_by_side(rows, ("prompt", measure(rows[0].metric).short), names, columns, target, best, words)


def _side_by_side(
    rows: Sequence[Scored],
    heads: tuple[str, str],
    names: Mapping[str, str],
    figures: Mapping[str, Sequence[str]],
    target: float | None,
    best: str,
    words: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Predictors under each other, each with its quality as a figure and as a dot with its interval.

    Args:
        rows: At least one.
        heads: What a row is, and what its quality is measured in.
        names: Predictor → what it is called here.
        figures: Heading → a figure of each row.
        target: What quality should reach, as a dotted line.
        best: Name of the row to stress.
        words: Heading → some words about each row, after the figures.
    """
    scale = Scale.around([row.quality for row in rows], target)
    words = words or {}
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(f"  {heads[0]}", no_wrap=True, overflow="ellipsis")
    table.add_column(f"{heads[1]}, 95 %", no_wrap=True)
    table.add_column(Axis(scale), ratio=1, min_width=8, no_wrap=True)
    for heading in figures:
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in words:
        table.add_column(heading, no_wrap=True)
    for place, row in enumerate(rows):
        stressed = row.name == best
        style = "bold green" if stressed else "dim" if row.ignores_text else ""
        name = Text(f"{'▸' if stressed else LINE_TO_BEAT if row.ignores_text else ' '} {names[row.name]}")
        quality = Text(f"{percent(row.quality.value):>5} ({bounds(row.quality)})")
        mark = LINE_TO_BEAT if row.ignores_text else DOT
        cells = [column[place] for column in (*figures.values(), *words.values())]
        table.add_row(name, quality, Whisker(row.quality, scale, target, style or "cyan", mark), *cells, style=style)
    return table


def _second(row: Scored, name: str) -> str:
    return percent(row.metrics[name].value) if name in row.metrics else NOT_MEASURED


def _measures(rows: Sequence[Scored], width: int) -> Table | None:
    """Measures that have no column of their own, each with its interval, predictors side by side.

    Args:
        rows: Predictors; the first decides which measures there are.
        width: Columns of the terminal; from 100 on there is room for what a measure means.

    Returns:
        None where all measures have their columns already.
    """
    names = further(rows[0].metrics) if rows else ()
    if not names:
        return None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  measure, 95 %", no_wrap=True)
    for row in rows:
        table.add_column(row.name, no_wrap=True)
    if width >= WIDE:
        table.add_column("", style="dim", overflow="fold")
    for name in names:
        known = [_aligned(row.metrics[name]) if name in row.metrics else NOT_MEASURED for row in rows]
        extra = [measure(name).meaning] if width >= WIDE else []
        table.add_row("  " + title(name), *known, *extra)
    return table


def _aligned(found: Estimate) -> str:
    return " " * (5 - len(percent(found.value))) + with_interval(found)


def _time(latency: Latency | None) -> tuple[str, str]:
    if latency is None:
        return "n/a", "n/a"
    return milliseconds(latency.p50_ms), milliseconds(latency.p99_ms)


def _price(value: float | None) -> str:
    return usd(value).replace("$", "")


def _costs(bill: Bill) -> Table:
    """What each stage used, with its share of the time drawn, and the sums."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_footer=True)
    table.add_column("  stage", footer=Text("  all", "bold"))
    table.add_column("time", justify="right", footer=Text(duration(bill.wall_s), "bold"))
    table.add_column("", width=14)
    table.add_column("CPU", justify="right")
    table.add_column("memory", justify="right")
    table.add_column("USD", justify="right", footer=Text(total_usd(bill), "bold"))
    for line in bill.lines:
        if line.cost is None:
            table.add_row("  " + line.stage, *["n/a", "", "n/a", "n/a", usd(None)])
            continue
        cost = line.cost
        part = cost.wall_s / bill.wall_s if bill.wall_s else 0.0
        bar = Text("█" * int(part * 14) + ("▌" if part * 14 % 1 >= 0.5 else ""), "cyan")
        table.add_row(
            "  " + line.stage,
            duration(cost.wall_s),
            bar,
            duration(cost.cpu_s),
            memory(cost.peak_memory_mb),
            spent_line(line),
        )
    return table
