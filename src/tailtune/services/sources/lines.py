"""Physical lines of a text file, decoded strictly, in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from tailtune.services.sources.faults import Faults

LONGEST = 16 * 1024 * 1024


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
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            if self.readable:
                bad, position = raw[error.start : error.start + 1].hex(), error.start + 1
                self._faults.add(self.number, f"byte 0x{bad} at position {position} is not UTF-8; expected UTF-8 text")
            self.readable = False
            return raw.decode("utf-8", "replace")
