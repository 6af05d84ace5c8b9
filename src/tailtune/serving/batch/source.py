"""The file whose rows are answered: CSV, JSONL or Parquet, streamed as often as it is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tailtune.core.errors import DataError, UsageError
from tailtune.services.sources import FORMATS, delimited, jsonl, no_such_file, parquet, peek, unknown_kind
from tailtune.services.sources.faults import Faults, missing, one_fault, shown

BLOCK_ROWS, BLOCK_CHARS = 256, 1 << 20
"""Texts that are answered, kept and counted together at most."""
_BIGGEST, _EXACT = 1 << 63, 1 << 53


@dataclass(frozen=True)
class SourceRow:
    """One per row that can be read.

    Attributes:
        text: What is answered; empty where the file has none.
        values: Column → value.
    """

    text: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Survey:
    """One per file that was read through.

    Attributes:
        rows: That can be read.
        unreadable: That cannot; each is a line of the file of dropped rows.
        columns: Column → kinds of its values: `str`, `int`, `long` (an int beyond what floats hold exactly), `float`,
            `bool`, or another that is written as JSON.
        first: The first row that cannot be read, with its reason; empty where all can be.
    """

    rows: int
    unreadable: int
    columns: Mapping[str, frozenset[str]]
    first: str = ""


class DroppedRows(Faults):
    """Faults of single rows, each written as a line with its place and reason."""

    def __init__(self, file: str, hint: str, place: str, out: IO[str]) -> None:
        super().__init__(file, hint, place)
        self._out = out

    def add(self, number: int, what: str) -> None:
        """See `Faults`."""
        super().add(number, what)
        line = {"origin": self.fault(number, what).where, "reason": what}
        self._out.write(json.dumps(line, ensure_ascii=False) + "\n")


class Source:
    """One per input file.

    Args:
        file: Ends in .csv, .jsonl or .parquet.
        text_column: Holds what is answered.

    Raises:
        UsageError: It is of another kind.
        DataError: It is not there, or has no such column.
    """

    def __init__(self, file: Path, text_column: str) -> None:
        self.file, self.text_column = file, text_column
        self.hint = "correct the file, then run the same command again"
        self.suffix = suffix_of(file, "--in")
        if not file.is_file():
            raise one_fault(str(file), no_such_file(file), "name another file with --in")
        self.columns: tuple[str, ...] = ()
        if self.suffix == ".jsonl":  # each row has columns of its own
            return
        if not file.stat().st_size:
            raise one_fault(str(file), "empty file; expected rows with a text", "name another file with --in")
        self.columns = peek(file)
        twice = next((name for name in self.columns if self.columns.count(name) > 1), None)
        if twice is not None:
            raise one_fault(f"{file}:1", f"column `{twice}` stands several times; expected once", self.hint)
        if text_column not in self.columns:
            raise self._no_text(missing(text_column, self.columns))

    def rows(self, faults: Faults | None = None, only_text: bool = False) -> Iterator[SourceRow]:
        """The rows that can be read, in order.

        Args:
            faults: Takes what cannot.
            only_text: Whether other columns of a Parquet file may be left out.
        """
        faults = faults or self.faults()
        for number, values in self._records(faults, only_text):
            text = values[self.text_column]
            if text is None or isinstance(text, str):
                yield SourceRow(text or "", values)
            else:
                faults.add(number, f"`{self.text_column}` is {shown(text)}; expected a string")

    def faults(self, out: IO[str] | None = None) -> Faults:
        """What takes the faults of a reading; with `out`, it writes them there."""
        place = FORMATS[self.suffix].PLACE
        shown_as = str(self.file)
        return Faults(shown_as, self.hint, place) if out is None else DroppedRows(shown_as, self.hint, place, out)

    def survey(self, faults: Faults) -> Iterator[Survey]:
        """Read the file through; the last survey is of all of it.

        Raises:
            DataError: Nothing more can be read from some place on, or no row can be.
        """
        rows, kinds = 0, {name: set[str]() for name in self.columns}
        for row in self.rows(faults, only_text=True):
            rows += 1
            if self.suffix == ".jsonl":
                for name, value in row.values.items():
                    kinds.setdefault(name, set()).add(_kind(value))
            if rows % 20_000 == 0:
                yield Survey(rows, faults.count, {})
        if faults.ended is not None:
            raise DataError([faults.ended], self.hint)
        if not rows or self.suffix == ".parquet":  # there it is the column that is wrong, not some rows
            faults.raise_any()
        columns = {name: frozenset(of - {"NoneType"}) for name, of in kinds.items()}
        yield Survey(rows, faults.count, columns, "" if faults.first is None else str(faults.first))

    def _records(self, faults: Faults, only_text: bool) -> Iterator[tuple[int, Mapping[str, Any]]]:
        if self.suffix == ".jsonl":
            for number, value in jsonl.objects(self.file, faults):
                if self.text_column in value:
                    yield number, value
                else:
                    faults.add(number, missing(self.text_column, list(value)).replace("the file has", "the row has"))
            return
        reader = delimited if self.suffix == ".csv" else parquet
        names = (self.text_column,) if only_text else self.columns
        for number, values in reader.records(self.file, names, faults):
            yield number, dict(zip(names, values, strict=True))

    def _no_text(self, what: str) -> DataError:
        return one_fault(str(self.file), what, "name the column that holds the texts with --text-column")


def suffix_of(file: Path, option: str) -> str:
    """The end of a file's name, in lower case.

    Raises:
        UsageError: It is none that can be read and written.
    """
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"{option} {file}: {unknown_kind(suffix)}", f"name another file with {option}")
    return suffix


def blocks(rows: Iterator[SourceRow]) -> Iterator[list[str]]:
    """Texts in blocks, so that memory is bounded however long they are."""
    block, chars = list[str](), 0
    for row in rows:
        block.append(row.text)
        chars += len(row.text)
        if len(block) == BLOCK_ROWS or chars >= BLOCK_CHARS:
            yield block
            block, chars = [], 0
    if block:
        yield block


def _kind(value: Any) -> str:
    kind = type(value).__name__
    if kind != "int" or -_EXACT <= value <= _EXACT:
        return kind
    return "long" if -_BIGGEST <= value < _BIGGEST else "object"
