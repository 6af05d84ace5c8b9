"""Raw rows of CSV, JSONL and Parquet files, streamed: memory does not grow with the file.

Faults are collected, the first 20 are told at once with file and line, and no row follows the first of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tailtune.services.sources import delimited, jsonl, parquet
from tailtune.services.sources.faults import Faults, one_fault
from tailtune.spec.model import DataSpec

FORMATS: dict[str, ModuleType] = {".csv": delimited, ".jsonl": jsonl, ".parquet": parquet}
HINT = "correct the file, then run the same command again"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One per row of a source file.

    Attributes:
        text: As it stands in the file; empty where the file holds null.
        label: Without surrounding white space; numbers and truth values as Python writes them.
        origin: `file:line`; for Parquet `file:row N`, counted from 1.
        group: Value of the group column; None without one.
    """

    text: str
    label: str
    origin: str
    group: str | None = None


def read(file: Path, spec: DataSpec, shown: str, hint: str = HINT, name: str | None = None) -> Iterator[RawRow]:
    """Stream the rows of a file.

    Args:
        file: A CSV (commas, header, UTF-8), JSONL or Parquet file.
        spec: Which columns hold text, label and group.
        shown: How faults name the file.
        hint: The next command that faults show.
        name: How origins name the file; its own name by default.

    Raises:
        DataError: Everything wrong in the file, the first 20 faults in words. Rows before the first fault have
            been given out by then.
    """
    source = _format(file, shown, hint)
    return _rows(source, file, spec, Faults(shown, hint, source.PLACE), name or file.name)


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


def labels_in(file: Path, spec: DataSpec, shown: str | None = None) -> dict[str, int]:
    """Label → rows, most frequent first, then by name.

    Raises:
        DataError: As in `read`.
    """
    counts = Counter(row.label for row in read(file, spec, shown or str(file)))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _format(file: Path, shown: str, hint: str) -> ModuleType:
    if file.is_dir():
        raise one_fault(shown, f"a folder; expected a file: {', '.join(FORMATS)}", hint)
    source = FORMATS.get(file.suffix.lower())
    if source is None:
        raise one_fault(shown, f"unknown kind of file; expected {', '.join(FORMATS)}", hint)
    if not file.is_file():
        raise one_fault(shown, "no such file", hint)
    if not file.stat().st_size:
        raise one_fault(shown, "empty file; expected labelled rows", hint)
    return source


def _rows(source: ModuleType, file: Path, spec: DataSpec, faults: Faults, name: str) -> Iterator[RawRow]:
    wanted = (spec.text, spec.label, *(() if spec.group is None else (spec.group,)))
    records: Callable[..., Iterator[tuple[int, tuple[Any, ...]]]] = source.records
    seen = 0
    for number, values in records(file, wanted, faults):
        seen += 1
        text = _text(values[0], spec.text, number, faults)
        label = _label(values[1], spec.label, number, faults)
        group = _group(values[2], str(spec.group), number, faults) if len(values) > 2 else None
        if not faults.count:
            yield RawRow(text, label, f"{name}:{source.PLACE}{number}", group)
    if not seen and not faults.count:
        faults.add(1, f"no rows; expected {source.EXPECTED}")
    faults.raise_any()


def _text(value: Any, column: str, number: int, faults: Faults) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        faults.add(number, f"`{column}` is {_shown(value)}; expected a string")
        return ""
    return value


def _label(value: Any, column: str, number: int, faults: Faults) -> str:
    if isinstance(value, int):  # and bool, which is one
        return str(value)
    if not isinstance(value, str | None):
        faults.add(number, f"`{column}` is {_shown(value)}; expected a label: a string, or a whole number")
        return ""
    label = (value or "").strip()
    if not label:
        faults.add(number, f"`{column}` is {'null' if value is None else 'empty'}; expected a label on every row")
    elif not label.isascii() and not _encodable(label):
        faults.add(number, f"`{column}` holds half a surrogate pair; expected a label in valid Unicode")
    return label


def _group(value: Any, column: str, number: int, faults: Faults) -> str | None:
    if isinstance(value, list | dict):
        faults.add(number, f"`{column}` is {_shown(value)}; expected one value to group rows by")
        return None
    if value is None or value == "":
        return None
    return str(value).encode("utf-8", "replace").decode()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    short = repr(value)
    return f"{type(value).__name__} {short if len(short) <= 40 else short[:37] + '…'}"
