"""Physical lines of a text file, decoded strictly, in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from tailtune.services.sources.faults import Faults

LONGEST = 16 * 1024 * 1024
_CONVERT = ": if the file is Windows-1252, as Excel saves it, convert with  iconv -f WINDOWS-1252 -t UTF-8"


class Lines:
    """One per reading: an iterator over lines that knows where it stands.

    Attributes:
        number: Of the line given out last, counted from 1.
        readable: False when bytes since `mark` was called were not UTF-8 (they are replaced, and a fault is noted).
        since_mark: Lines given out since `mark` was called.
    """

    def __init__(self, file: Path, faults: Faults) -> None:
        self.number = 0
        self.readable = True
        self.since_mark: list[str] = []
        self._file, self._faults = file, faults
        self._one_encoding = True  # as long as no line had UTF-8 beyond ASCII, and none was faulty

    def mark(self) -> None:
        """A record begins on the next line."""
        self.since_mark.clear()
        self.readable = True

    def __iter__(self) -> Iterator[str]:
        with self._file.open("rb") as stream:
            while raw := stream.readline(LONGEST):
                self.number += 1
                if len(raw) == LONGEST:
                    self._faults.end(
                        self.number, "longer than 16 MiB; expected one row per line. The rest was not read"
                    )
                    return
                if self.number == 1:
                    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                        self._faults.end(1, "UTF-16; expected UTF-8: convert with  iconv -f UTF-16 -t UTF-8")
                        return
                    raw = raw.removeprefix(codecs.BOM_UTF8)
                line = self._decoded(raw)
                self.since_mark.append(line)
                yield line

    def _decoded(self, raw: bytes) -> str:
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            if self.readable:
                bad, position = raw[error.start : error.start + 1].hex(), error.start + 1
                advice = _CONVERT if self._one_encoding and _is_windows_1252(raw) else ""
                what = f"byte 0x{bad} at position {position} is not UTF-8; expected UTF-8 text{advice}"
                self._faults.add(self.number, what)
            self.readable = self._one_encoding = False
            return raw.decode("utf-8", "replace")
        self._one_encoding = self._one_encoding and line.isascii()
        return line


def _is_windows_1252(raw: bytes) -> bool:
    """Whether a line may be in the encoding of Excel and of older Windows programs."""
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True
