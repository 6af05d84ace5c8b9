"""Labels that people corrected or confirmed: one file beside a use case's rows, a line per row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tailtune.services import sources, store

_COLUMNS = ("id", "text", "label", "who", "at")


@dataclass(frozen=True, slots=True)
class Correction:
    """One per row whose label a person has looked at.

    Attributes:
        id: Of the row, made of the text and label that its file has; it stays when the label is corrected again.
        text: As curation writes it; other rows with this text get the label too.
        label: What the person says that it is, also where that is what the file says.
        who: The person.
        at: When, ISO 8601.
        line: In the file of corrections; 0 before it was written.
    """

    id: str
    text: str
    label: str
    who: str
    at: str
    line: int = 0


def read_corrections(file: Path, shown: str, hint: str) -> list[Correction]:
    """The corrections of a use case, in the order in which rows were first corrected; none without a file.

    Raises:
        DataError: A line that is no correction; all of them at once.
    """
    if not file.is_file():
        return []
    rows, faults = sources.records(file, _COLUMNS, (), shown, hint)
    for line, values in rows:
        strange = [name for name in _COLUMNS if not isinstance(values[name], str)]
        if strange:
            faults.add(line, f"expected text as {', '.join(strange)}")
    faults.raise_any()
    return [Correction(**values, line=line) for line, values in rows]


def write_corrections(file: Path, corrections: Iterable[Correction]) -> int:
    """Write all corrections of a use case, whole. Returns how many there are."""
    lines = ({name: value for name, value in asdict(each).items() if name in _COLUMNS} for each in corrections)
    return store.write_jsonl(file, lines)
