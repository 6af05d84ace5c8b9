"""Raw rows of CSV, JSONL and Parquet files, streamed: memory does not grow with the file.

Faults are collected, the first 20 are told at once with file and line, and no row follows the first of them.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, Generic

from tailtune.core.figures import counted
from tailtune.core.records import Label
from tailtune.services.sources import delimited, jsonl, parquet
from tailtune.services.sources.faults import Faults, encodable, one_fault
from tailtune.services.sources.faults import shown as quoted

FORMATS: dict[str, ModuleType] = {".csv": delimited, ".jsonl": jsonl, ".parquet": parquet}
REJECTED: dict[str, tuple[str, ...]] = {
    "answer": ("reject", "ignore"),
    "was_cancelled": ("true", "1"),
    "status": ("discarded",),
}
"""Column → values by which Prodigy, Label Studio and Argilla mark a row that is not to be used."""
_CORRECT = "correct the file"
HINT = f"{_CORRECT}, then run the same command again"
_CONVERSIONS = {
    ".tsv": "rename it to .csv",
    ".txt": "if it has columns, rename it to .csv",
    ".json": "convert a list of objects with  jq -c '.[]' FILE.json > FILE.jsonl",
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save it as CSV (UTF-8) in the spreadsheet program"),
}
"""End of a file's name → how to make a file of it that can be read."""


@dataclass(frozen=True, slots=True)
class RawRow(Generic[Label]):
    """One per row of a source file.

    Attributes:
        text: As it stands in the file; empty where the file holds null.
        label: As `Columns.read_label` made it; `str` gives its text.
        origin: `file:line`; for Parquet `file:row N`, counted from 1.
        group: Value of the group column in one spelling: white space, ways to compose a letter and `.0` do not count.
            None without one.
        rejected: What marks it as rejected by an annotation tool, such as `answer: reject`; empty for a row of use.
        slices: Columns of slices with their values; no value is the empty text.
    """

    text: str
    label: Label
    origin: str
    group: str | None = None
    rejected: str = ""
    slices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Columns(Generic[Label]):
    """One per use case: which columns its files have, and how a row's label is read from them.

    Attributes:
        text: Column that holds the text.
        label: Columns that the label is made of.
        read_label: Given their values, the place of the row and the faults so far, the label.
        group: Column whose equal values stay in one split; None without one.
        drop_rejected: Whether marks of annotation tools count.
        slices: Columns by which quality is measured apart.
    """

    text: str
    label: tuple[str, ...]
    read_label: Callable[[Sequence[Any], int, Faults], Label]
    group: str | None = None
    drop_rejected: bool = True
    slices: tuple[str, ...] = ()


def read(
    file: Path,
    columns: Columns[Label],
    shown: str,
    hint: str = HINT,
    name: str | None = None,
    *,
    with_rejected: bool = False,
    rejected: Counter[str] | None = None,
) -> Iterator[RawRow[Label]]:
    """Stream the rows of a file.

    Args:
        file: A CSV (header, UTF-8), JSONL or Parquet file.
        columns: Which columns hold text, label and group.
        shown: How faults name the file.
        hint: The next command that faults show.
        name: How origins name the file; its own name by default.
        with_rejected: Whether rows that an annotation tool rejected are given out too; their labels may be none.
        rejected: Takes what marks the rows that are left out, such as `answer: reject` → rows.

    Raises:
        DataError: Everything wrong in the file, the first 20 faults in words. Rows before the first fault have
            been given out by then.
    """
    source = _format(file, shown, hint)
    rows = _rows(source, file, columns, Faults(shown, hint, source.PLACE), name or file.name)
    return rows if with_rejected else _of_use(rows, Counter() if rejected is None else rejected)


def peek(file: Path, shown: str | None = None) -> tuple[str, ...]:
    """The columns of a file: the header, or the keys of the first 100 JSON objects.

    Raises:
        DataError: The file is missing, empty or unreadable.
    """
    source = _format(file, shown or str(file), HINT)
    faults = Faults(shown or str(file), HINT, source.PLACE)
    columns: tuple[str, ...] = source.columns(file, faults)
    faults.raise_any()
    return columns


def sample(file: Path, most: int = 200) -> dict[str, list[Any]]:
    """Column → its values in the first rows that have all columns; faults are left to `read`.

    Raises:
        DataError: The file is missing, empty or unreadable.
    """
    names = peek(file)
    source = _format(file, str(file), HINT)
    records: Callable[..., Iterator[tuple[int, tuple[Any, ...]]]] = source.records
    rows = [values for _, values in islice(records(file, names, Faults(str(file), HINT, source.PLACE)), most)]
    return {name: [values[at] for values in rows] for at, name in enumerate(names)}


def records(
    file: Path, names: Sequence[str], optional: Sequence[str], shown: str, hint: str = HINT
) -> tuple[list[tuple[int, dict[str, Any]]], Faults]:
    """All rows of a small file by column, each with its line; and the faults so far, for the caller to add to.

    Args:
        file: A CSV, JSONL or Parquet file.
        names: Columns that must be there.
        optional: Columns that may be there; None where they are not.
        shown: How faults name the file.
        hint: The next command that faults show.

    Raises:
        DataError: The file is missing, empty or of another kind.
    """
    source = _format(file, shown, hint)
    faults, columns = Faults(shown, hint, source.PLACE), (*names, *optional)
    found: Callable[..., Iterator[tuple[int, tuple[Any, ...]]]] = source.records
    rows = [
        (number, dict(zip(columns, values, strict=True))) for number, values in found(file, names, faults, optional)
    ]
    return rows, faults


def rejected_rows(rejected: Mapping[str, int]) -> str:
    """A sentence about rows that annotation tools rejected; empty where there are none.

    Args:
        rejected: As `read` counts them.
    """
    rows, marks = sum(rejected.values()), ", ".join(f"{mark} {count:,}" for mark, count in rejected.items())
    are = f"{counted(rows, 'row is', 'rows are')} marked as rejected and dropped"
    return f"{are} ({marks}); to keep such rows: data.drop_rejected: false" if rows else ""


def as_written(value: Any) -> str:
    """What a person put into a cell, whatever kind of file it came in: empty for nothing, 7 for 7.0, objects as JSON.

    Args:
        value: Of `records`.
    """
    if _is_missing(value):
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(_whole(value)).strip()


def labels_in(
    file: Path, columns: Columns[str], shown: str | None = None, rejected: Counter[str] | None = None
) -> dict[str, int]:
    """Label → rows, most frequent first, then by name; `rejected` is as in `read`.

    Raises:
        DataError: As in `read`.
    """
    counts = Counter(row.label for row in read(file, columns, shown or str(file), rejected=rejected))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def unknown_kind(suffix: str) -> str:
    """The sentence for a file whose name ends otherwise than those that can be read, with the way to make it one."""
    way = _CONVERSIONS.get(suffix.lower(), "")
    return f"unknown kind of file; expected {', '.join(FORMATS)}" + (f": {way}" if way else "")


def no_such_file(file: Path) -> str:
    """The sentence for a file that is not there, with the nearest name in its folder."""
    there = sorted(each.name for each in file.parent.iterdir()) if file.parent.is_dir() else []
    near = get_close_matches(file.name, there, n=1, cutoff=0.75)
    return "no such file" + (f"; did you mean {file.with_name(near[0])}?" if near else "")


def _format(file: Path, shown: str, hint: str) -> ModuleType:
    other = "run the command again with a file that is there" if hint.startswith(_CORRECT) else hint
    if file.is_dir():
        raise one_fault(shown, f"a folder; expected a file: {', '.join(FORMATS)}", other)
    if not file.is_file():
        raise one_fault(shown, no_such_file(file), other)
    source = FORMATS.get(file.suffix.lower())
    if source is None:
        other = "run the command again with a file of such a kind" if hint.startswith(_CORRECT) else hint
        raise one_fault(shown, unknown_kind(file.suffix), other)
    if not file.stat().st_size:
        raise one_fault(shown, "empty file; expected labelled rows", hint)
    return source


def _rows(
    source: ModuleType, file: Path, columns: Columns[Label], faults: Faults, name: str
) -> Iterator[RawRow[Label]]:
    names = (columns.text, *columns.label, *(() if columns.group is None else (columns.group,)))
    end = 1 + len(columns.label)
    apart = len(names)
    names += columns.slices
    marks = [mark for mark in REJECTED if columns.drop_rejected and mark not in names]
    records: Callable[..., Iterator[tuple[int, tuple[Any, ...]]]] = source.records
    seen = 0
    for number, values in records(file, names, faults, marks):
        seen += 1
        rejected = _rejection(dict(zip(marks, values[len(names) :], strict=True)))
        # Nobody answers for a rejected row: what is wrong in it is no fault of the file.
        own = Faults(faults.shown, faults.hint, faults.place) if rejected else faults
        text = _text(values[0], columns.text, number, own)
        label = columns.read_label(values[1:end], number, own)
        group = _group(values[end], str(columns.group), number, own) if apart > end else None
        slices = tuple(zip(columns.slices, map(_slice, values[apart : len(names)]), strict=True))
        if not faults.count:
            yield RawRow(text, label, f"{name}:{source.PLACE}{number}", group, rejected, slices)
    if not seen and not faults.count:
        faults.add(1, f"no rows; expected {source.EXPECTED}")
    faults.raise_any()


def _of_use(rows: Iterator[RawRow[Label]], rejected: Counter[str]) -> Iterator[RawRow[Label]]:
    for row in rows:
        if row.rejected:
            rejected[row.rejected] += 1
        else:
            yield row


def _slice(value: Any) -> str:
    return "" if _is_missing(value) else str(value).strip().encode("utf-8", "replace").decode()


def _rejection(marks: Mapping[str, Any]) -> str:
    """The first mark that rejects a row, as `column: value`; empty without one."""
    for column, value in marks.items():
        if isinstance(value, str | bool) and str(value).strip().lower() in REJECTED[column]:
            return f"{column}: {str(value).strip().lower()}"
    return ""


def _text(value: Any, column: str, number: int, faults: Faults) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        faults.add(number, f"`{column}` is {quoted(value)}; expected a string")
        return ""
    return value


def one_label(column: str) -> Callable[[Sequence[Any], int, Faults], str]:
    """Reads a label that stands in one column: without surrounding white space, numbers as Python writes them."""
    return lambda values, number, faults: _label(values[0], column, number, faults)


def _label(value: Any, column: str, number: int, faults: Faults) -> str:
    if isinstance(value, int):  # and bool, which is one
        return str(value)
    if not isinstance(value, str | None):
        faults.add(number, f"`{column}` is {quoted(value)}; expected a label: a string, or a whole number")
        return ""
    label = (value or "").strip()
    if not label:
        faults.add(number, f"`{column}` is {'null' if value is None else 'empty'}; expected a label on every row")
    elif not label.isascii() and not encodable(label):
        faults.add(number, f"`{column}` holds half a surrogate pair; expected a label in valid Unicode")
    elif not label.isprintable() and not any(map(str.isprintable, label)):
        faults.add(number, f"`{column}` holds nothing visible; expected a label on every row")
    return label


def _group(value: Any, column: str, number: int, faults: Faults) -> str | None:
    if isinstance(value, list | dict):
        faults.add(number, f"`{column}` is {quoted(value)}; expected one value to group rows by")
        return None
    if _is_missing(value):
        return None
    text = unicodedata.normalize("NFC", str(_whole(value)).encode("utf-8", "replace").decode())
    return " ".join(text.split()) or None


def _whole(value: Any) -> Any:
    """A whole number as one: data frames write 7.0 once another row of the column has none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_missing(value: Any) -> bool:
    """Whether a column has no value in a row: null, or NaN, which data frames write for it in a column of numbers."""
    return value is None or value != value
