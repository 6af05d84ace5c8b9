"""CSV: a header, RFC 4180 quoting held strictly; numbers are physical lines.

Commas stand between columns. Semicolons, tabs or bars do where the header has more of them: in countries whose numbers
have a comma, spreadsheets write so. A first line `sep=;`, as spreadsheets write and hide it, says so itself.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tailtune.core.figures import counted
from tailtune.services.sources.faults import Faults
from tailtune.services.sources.lines import LONGEST, Lines

PLACE = ""
EXPECTED = "rows below the header"
COMMA = ","
_LONGEST_FIELD = 1 << 20
"""Characters; Python's own limit, 131,072, is less than a mail with what is quoted in it."""
DELIMITERS = {COMMA: "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
"""What may stand between columns → its name."""
_FIRST_LINE = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*\s*', re.IGNORECASE)


def delimiter_of(file: Path) -> str:
    """What stands between columns: as the first line says, or what makes most names of the header, a comma first."""
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        declared = _FIRST_LINE.fullmatch(stream.readline(LONGEST))
    return declared[1] if declared else max(DELIMITERS, key=lambda delimiter: _header_names(file, delimiter))


def _header_names(file: Path, delimiter: str) -> tuple[bool, int]:
    """Whether the names are whole, as none of them holds a quote, and how many there are."""
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        lines = (line for line in iter(lambda: stream.readline(LONGEST), "") if line.strip())
        try:
            names = next(_reader(lines, delimiter), [])
        except csv.Error:
            return False, 0
    return '"' not in "".join(names), len(names)


def _reader(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_FIELD)  # of the whole process
    return csv.reader(lines, delimiter=delimiter, strict=True)


def columns(file: Path, faults: Faults) -> tuple[str, ...]:
    """The header."""
    for _, record in _records(Lines(file, faults), faults, delimiter_of(file)):
        return tuple(record)
    return ()


def records(
    file: Path, names: Sequence[str], faults: Faults, optional: Sequence[str] = ()
) -> Iterator[tuple[int, tuple[str | None, ...]]]:
    """The wanted fields of every record, with the line on which the record begins; None for an optional one."""
    lines = Lines(file, faults)
    rows = _records(lines, faults, delimiter_of(file))
    number, header = next(rows, (1, None))
    if header is None:
        return
    if faults.missing_columns(names, header, number):
        return
    places = [header.index(name) if name in header else None for name in (*names, *optional)]
    for number, record in rows:
        if not lines.readable:
            continue
        if len(record) < len(header) and not "".join(record).strip():
            continue  # a line of white space
        if len(record) != len(header):
            faults.add(number, f"{counted(len(record), 'field')}; expected {len(header)}, as in the header")
        else:
            yield number, tuple(None if i is None else record[i] for i in places)


def _records(lines: Lines, faults: Faults, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = _reader(lines, delimiter)
    while True:
        begin = lines.number + 1
        lines.mark()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # What follows a broken quote cannot be told apart from what it swallowed.
            number, what = _broken(str(error), begin, lines, delimiter)
            faults.end(number, f"{what}. The rest of the file was not read")
            return
        says_only_how = begin == 1 and _FIRST_LINE.fullmatch("".join(lines.since_mark)) is not None
        if record and not says_only_how:
            yield begin, record


def _broken(error: str, begin: int, lines: Lines, delimiter: str) -> tuple[int, str]:
    opened = begin + _open_quote(lines.since_mark, delimiter)
    if "end of data" in error:
        return opened, 'the quote that opens here is never closed; expected "" for a quote inside a field'
    if "field limit" in error:
        limit = f"{csv.field_size_limit():,}"
        return (
            opened,
            f"a field of more than {limit} characters begins here; expected a shorter one, or a closing quote",
        )
    if "expected after" in error:
        return opened, (
            f"the quoted field that opens here is closed on line {lines.number} by a quote that no "
            f"{DELIMITERS[delimiter]} follows; "
            'expected "" for a quote inside a field'
        )
    if "new-line character" in error:
        return begin, "a carriage return inside a line; expected lines that end with LF or CRLF"
    return begin, f"not CSV: {error}"


def _open_quote(lines: Sequence[str], delimiter: str) -> int:
    """Which of a broken record's lines holds the last quote that opens a field, counted from 0."""
    opened, inside, at_start = 0, False, True
    for number, line in enumerate(lines):
        i = 0
        while i < len(line):
            char = line[i]
            if inside and line[i : i + 2] == '""':
                i += 1
            elif inside:
                inside = char != '"'
            elif char == '"' and at_start:
                opened, inside = number, True
            at_start = not inside and char == delimiter
            i += 1
    return opened
