"""The summary's sections up to the decision: rows, checks, ladder, verdict. None where there is nothing to tell."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from tailtune.core.reports import CurateReport, ExpectationResult
from tailtune.report.evidence import changes
from tailtune.report.numbers import (
    count,
    counted,
    share,
    usd,
    words,
)
from tailtune.report.prose import Section, lines
from tailtune.report.story import Story
from tailtune.report.tables import predictors
from tailtune.report.verdict import VERDICTS

MOST = 6


def rows(story: Story, width: int) -> Section | None:
    """Rows in, rows kept, rows dropped by reason, and values that their texts do not say."""
    found = story.curate
    if found is None:
        return None
    parts = " · ".join(f"{name} {count(rows)}" for name, rows in found.splits.items())
    reasons = sorted(found.dropped.items(), key=lambda item: -item[1])
    gone = " · ".join(f"{words(reason)} {count(rows)}" for reason, rows in reasons if rows)
    kept = Text.assemble(
        f"{count(found.rows_read)} read → ", (f"{count(found.rows_kept)} kept", "bold"), f"  ({parts})"
    )
    leaked = f"{counted(found.leaked_test_rows, 'given test row')} also stood in the training file"
    return Section(
        "Rows",
        counted(len(found.labels), found.unit),
        lines(
            kept,
            (f"dropped {count(sum(found.dropped.values()))}", gone) if gone else None,
            (f"not found {count(sum(found.unaligned.values()))}", _not_found(found))
            if any(found.unaligned.values())
            else None,
            Text(leaked, "yellow") if found.leaked_test_rows else None,
        ),
    )


def _not_found(found: CurateReport) -> str:
    """Which fields' values do not stand in the text, most often first."""
    fields = sorted(((name, rows) for name, rows in found.unaligned.items() if rows), key=lambda item: -item[1])
    shown = " · ".join(f"{name} {count(rows)}" for name, rows in fields[:MOST])
    more = f" · {counted(len(fields) - MOST, 'more field')}" if len(fields) > MOST else ""
    return f"values that their text does not say: {shown}{more}"


def checks(story: Story, width: int) -> Section | None:
    """Expectations: how many hold, and the failing ones with the places of offending rows."""
    found = story.validate
    if found is None:
        return None
    failed = [one for one in found.expectations if not one.passed]
    of = counted(len(found.expectations), "expectation")
    if not failed:
        return Section("Checks", "", lines(Text(f"✓ {of} hold", "green")))
    parts = tuple(part for one in failed for part in _failure(one))
    return Section("Checks", f"{len(failed)} of {of} failed", parts)


def _failure(one: ExpectationResult) -> tuple[RenderableType, ...]:
    where = ", ".join(one.bad_origins)
    more = one.bad_rows - len(one.bad_origins)
    if where and more > 0:
        where += f" and {count(more)} more"
    return lines(
        Text.assemble(("✗ ", "bold red"), (one.meaning, "bold"), (f"  {one.subject}", "dim")),
        ("  expectation", one.name),
        ("  found", one.observed) if one.observed else None,
        ("  rows", where or counted(one.bad_rows, "row")) if one.bad_rows else None,
    )


def ladder(story: Story, width: int) -> Section | None:
    """Every cheaper rung on the same dev rows, and the target."""
    found = story.ladder
    if found is None:
        return None
    target = story.decide.target if story.decide else None
    best = story.best_rung.name if story.best_rung else ""
    note = f"cheaper rungs on {counted(found.dev_rows, 'dev row')}"
    aim = f", target {share(target)} at ┊" if target is not None else ""
    missing = "; ".join(found.unmeasured)
    table = () if not found.rungs else (predictors(found.rungs, target, best, width),)
    return Section("Ladder", note + aim, (*table, *lines(("not measured", missing) if missing else None)))


def decision(story: Story, width: int) -> Section | None:
    """The verdict with its reason, and what it does not know."""
    found = story.decide
    if found is None:
        return None
    verdict = Text(VERDICTS[found.verdict], "bold")
    verdict.append(": " + found.reason, "not bold")
    unknown = "; ".join(found.unmeasured) or "some evidence is missing"
    train = "allowed" if found.train.yes else "not allowed"
    if found.train.reason != found.reason:
        train += f": {found.train.reason}"
    if found.train.yes:
        train += f" (estimated cost {usd(found.estimated_train_usd)})"
    final = story.evaluate.final if story.evaluate else None
    return Section(
        "Decision",
        "before any training money",
        lines(
            verdict,
            (Text("provisional", "yellow"), "not measured: " + unknown) if found.provisional else None,
            ("training", train),
            *(() if final else changes(found.would_change)),
        ),
    )
