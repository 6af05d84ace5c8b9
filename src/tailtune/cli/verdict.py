"""`tailtune verdict`: what was decided, for machines and for CI."""

from __future__ import annotations

import json
from typing import Any, get_args

from tailtune.cli.cost import finite
from tailtune.config.paths import Paths
from tailtune.core.errors import MissingInputError, UsageError
from tailtune.core.reports import Verdict, last_verdict
from tailtune.report.prompted import why_provisional
from tailtune.report.story import Story
from tailtune.services import store

EXPECTED: tuple[Verdict, ...] = get_args(Verdict)


def verdict_of(paths: Paths, use_case: str) -> dict[str, Any]:
    """The verdict of the last run as JSON values: after the test where test was opened, before it otherwise.

    Raises:
        MissingInputError: The last run did not come to a verdict, or there was none.
    """
    story = Story.of(store.read_reports(paths.case(use_case)))
    decided, evaluated = story.decide, story.evaluate
    if decided is None:
        at = f"{story.due} has not run to its end" if story.reports else "nothing has run yet"
        if story.validate is not None and not story.validate.passed:
            at = f"the rows do not pass; tailtune show {use_case} says which"
        raise MissingInputError(f"{use_case}: no verdict; {at}", f"tailtune run {use_case}")
    current = last_verdict(decided, evaluated)
    assert current is not None  # noqa: S101 - there is a decision
    economics = current.economics
    page = paths.case(use_case).page
    return {
        "use_case": use_case,
        "verdict": current.verdict,
        "reason": current.reason,
        "provisional": current.provisional,
        "why_provisional": why_provisional(story),
        "stage": "evaluate" if evaluated is not None and current is evaluated.final else "decide",
        "would_change": list(current.would_change),
        "unmeasured": list(story.not_measured),
        "best_rung": decided.best_rung,
        "winner": None if evaluated is None else evaluated.winner,
        "metric": decided.metric,
        "target": decided.target,
        "ceiling": story.ceiling,
        "questions": [question.model_dump(mode="json") for question in decided.questions],
        "economics": None if economics is None else economics.model_dump(mode="json"),
        "page": paths.shown(page) if page.is_file() else None,
        "finished_at": story.finished_at,
    }


def as_expected(found: str, expected: str | None) -> bool:
    """Whether the verdict is the one that was asked for; any is when none was.

    Raises:
        UsageError: There is no such verdict.
    """
    if expected is not None and expected not in EXPECTED:
        raise UsageError(
            f"--expect {expected}: no such verdict; there is {', '.join(EXPECTED)}", "tailtune verdict --help"
        )
    return expected is None or found == expected


def described(found: dict[str, Any], as_json: bool) -> str:
    """The verdict as a person reads it, or as JSON."""
    if as_json:
        return json.dumps(finite(found), indent=2, ensure_ascii=False, allow_nan=False)
    why = found["why_provisional"]
    lines = [
        f"{found['use_case']}: {found['verdict']}{f' (provisional: {why})' if why else ''}",
        found["reason"],
        *([f"labels: {found['ceiling']}"] if found["ceiling"] else []),
    ]
    lines += [f"would change it: {line}" for line in found["would_change"]]
    lines += [f"not measured: {line}" for line in found["unmeasured"]]
    return "\n".join(lines)
