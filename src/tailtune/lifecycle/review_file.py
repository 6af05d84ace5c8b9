"""The rows whose label looks wrong, as a CSV file that people fill in and `tailtune labels --from` reads."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tailtune.core.errors import MissingInputError, UsageError
from tailtune.core.private import private_file
from tailtune.core.spreadsheet import BYTE_ORDER_MARK, harmless
from tailtune.lifecycle.corrections import already_reviewed
from tailtune.services import store
from tailtune.tasks.use_case import UseCase

COLUMNS = ("id", "split", "text", "label_now", "likely_label", "probability", "label", "who")
"""`label` and `who` are for people: a line where both stay empty has not been looked at."""


def write_review(case: UseCase, file: Path) -> int:
    """Write every row whose label looks wrong and that nobody has reviewed: of test, dev, train, the worst first.

    Args:
        case: The use case; its ladder has run.
        file: To write; it must not be there, since people may have filled it in.

    Returns:
        How many there are.

    Raises:
        MissingInputError: No labels were checked yet.
        UsageError: The file is there already, or is no CSV file.
    """
    expect_new(file)
    lines, reviewed = list(_suspects(case)), already_reviewed(case)
    rows = [_cells(line) for line in lines if line["id"] not in reviewed]
    write_cells(file, COLUMNS, rows)
    return len(rows)


def expect_new(file: Path) -> None:
    """Refuse to write over what people may have filled in.

    Raises:
        UsageError: The file is there already, or is no CSV file.
    """
    if file.suffix.lower() != ".csv":
        raise UsageError(f"{file}: expected a file that ends in .csv", "name another one")
    if file.exists():
        raise UsageError(f"{file} is there already, and people may have filled it in", "name another one, or remove it")


def write_cells(file: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a file for people to fill in, which only its owner may read; its cells are `harmless` already."""
    with store.written_whole(file) as made:
        private_file(made)
        with made.open("w", encoding="utf-8", newline="") as out:
            out.write(BYTE_ORDER_MARK)
            writer = csv.writer(out)
            writer.writerow(columns)
            writer.writerows(rows)


def _suspects(case: UseCase) -> Iterator[dict[str, Any]]:
    from tailtune.lifecycle.suspect_labels import FILE

    files = [case.paths.stage(stage) / FILE for stage in ("evaluate", "ladder")]
    there = [file for file in files if file.is_file()]
    if not there:
        shown = case.paths.project.shown(files[1])
        raise MissingInputError(f"{shown}: not there; no labels were checked yet", f"tailtune run {case.name}")
    for file in there:
        yield from store.read_jsonl(file, case.name, f"tailtune run {case.name}")


def _cells(line: dict[str, Any]) -> list[str]:
    now, likely = harmless(line["label"]), harmless(line["likely_label"])
    return [line["id"], line["split"], harmless(line["text"]), now, likely, f"{line['confidence']:.2f}", "", ""]
