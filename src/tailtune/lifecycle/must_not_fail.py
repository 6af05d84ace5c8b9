"""Rows that must not fail: read from the use case's own file, and tried on every predictor beside dev and test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tailtune.core.errors import DataError, Fault
from tailtune.core.records import Answer, Estimate, Row
from tailtune.judge.guards import MUST_NOT_FAIL
from tailtune.judge.shares import share_of
from tailtune.lifecycle.context import Context
from tailtune.predictors.prepare.clean import clean
from tailtune.services import sources
from tailtune.tasks.use_case import UseCase


def read(case: UseCase, path: Path) -> list[Row]:
    """The rows of the file, cleaned as those of the data are; they may stand there too.

    Raises:
        DataError: The file cannot be read as the spec says, or a row cannot be used; all of it at once.
    """
    task, shown, hint = case.task, case.paths.project.shown(path), f"tailtune check {case.name}"
    columns, check = replace(task.columns(), group=None, slices=()), task.label_check()
    rows: list[Row] = []
    faults: list[Fault] = []
    for raw in task.resolve(lambda: sources.read(path, columns, shown, hint, with_rejected=True)):
        if raw.rejected:
            faults.append(Fault(shown, f"{raw.origin}: marked as rejected ({raw.rejected}), so nobody vouches for it"))
            continue
        check.add(raw.label, raw.origin)
        cleaned, changes = clean(raw.text)
        made = task.prepare_row(raw, cleaned, changes)
        if made.reason or not cleaned:
            faults.append(Fault(shown, f"{raw.origin}: {(made.reason or 'empty').replace('_', ' ')}: {made.detail}"))
        rows.append(Row(raw.origin, made.text, made.label, raw.origin))
    faults += check.faults()
    if faults:
        raise DataError(faults, hint)
    return rows


def as_json(rows: Sequence[Row]) -> list[dict[str, str]]:
    """The rows as validation leaves them for the stages after it."""
    return [{"text": row.text, "label": str(row.label), "origin": row.origin} for row in rows]


def declared(context: Context) -> list[Row]:
    """The rows that must not fail, as validation passed them; none where the spec declares none."""
    return [] if context.case.spec.targets.must_not_fail is None else context.inputs.must_not_fail


@dataclass(frozen=True)
class Tried:
    """One per predictor: how it did on the rows that must not fail.

    Attributes:
        metrics: The share that it answered right; empty where there are no such rows.
        failed: Origins of the others.
    """

    metrics: dict[str, Estimate] = field(default_factory=dict)
    failed: tuple[str, ...] = ()


def tried(context: Context, answer: Callable[[list[str]], Sequence[Answer]]) -> Tried:
    """Have a predictor answer the rows that must not fail; nothing is asked where there are none.

    Args:
        context: Of a stage that reads what validation passed.
        answer: Gives the predictor's answers to texts.
    """
    rows = declared(context)
    if not rows:
        return Tried()
    right = context.case.task.score(rows, answer([row.text for row in rows])).right
    failed = tuple(row.origin for row, good in zip(rows, right, strict=True) if not good)
    return Tried({MUST_NOT_FAIL: share_of(len(rows) - len(failed), len(rows))}, failed)
