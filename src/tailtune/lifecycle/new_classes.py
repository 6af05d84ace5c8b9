"""Rows of proposed classes that a person accepted (`lifecycle/accepting.py`), as curation and retrains use them.

A person has read every text that became a row, so these are rows like those of a file: their splits are a function of
their texts, and a class has test rows from its first day. Without these, nothing could show that a version knows it.
"""

from __future__ import annotations

from pathlib import Path

from tailtune.core.errors import UsageError
from tailtune.lifecycle.corrections import labelled_rows
from tailtune.services.corrections import read_corrections
from tailtune.services.sources import RawRow
from tailtune.tasks.use_case import UseCase


def expect_classes(case: UseCase) -> None:
    """Make sure that answers of a use case are labels.

    Raises:
        UsageError: They are objects.
    """
    try:
        case.task.with_classes("", {})
    except ValueError as error:
        raise UsageError(f"{case.name}: {error}", "change its schema instead: docs/guides/extract-objects.md") from None


def accepted_rows(case: UseCase, file: Path) -> list[RawRow]:
    """The rows of accepted classes beside a use case's rows, as rows of a file, in the order in which they came.

    Raises:
        DataError: A line that is none, or a label that the use case does not declare; all at once.
    """
    hint = f"declare it in {case.task.files.answers}, or take its lines out of {case.paths.project.shown(file)}"
    return labelled_rows(case, file, hint)


def undeclared(case: UseCase, file: Path) -> set[str]:
    """Classes of accepted rows that the use case's file of allowed answers does not have."""
    kept = read_corrections(file, case.paths.project.shown(file), f"tailtune check {case.name}")
    return {each.label for each in kept} - set(case.answers.names)
