"""JSON with line numbers: read a file into plain values and say where each of them stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tailtune.core.errors import Fault, SpecError

Loc = tuple[str | int, ...]

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_DEEPEST = 100


class LinedJson:
    """One per JSON document: its value and the line of every key and item.

    JSON is almost YAML: tabs, `1e5` and escaped emoji are where a reader of YAML goes wrong.

    Args:
        text: The document.
        shown: How errors name it.
        hint: The next command an error shows.

    Raises:
        SpecError: Not JSON, nested too deep, a key that stands twice, or no object.
    """

    def __init__(self, text: str, shown: str, hint: str | None) -> None:
        self.shown, self.hint = shown, hint
        self.lines: dict[Loc, int] = {(): 1}
        try:
            value = json.loads(text, parse_constant=_no_number)
        except json.JSONDecodeError as error:
            raise SpecError([Fault(f"{shown}:{error.lineno}", f"not JSON: {error.msg}")], hint) from None
        except (ValueError, RecursionError) as error:
            what = "nested too deep" if isinstance(error, RecursionError) else str(error)
            raise SpecError([Fault(shown, f"not JSON: {what}")], hint) from None
        faults = list(self._walk(text))
        if not isinstance(value, dict):
            faults.append(Fault(f"{shown}:1", f"expected an object {{…}}, found a {type(value).__name__}"))
        if faults:
            raise SpecError(faults, hint)
        self.value: dict[str, Any] = value

    @classmethod
    def read(cls, path: Path, shown: str, hint: str | None) -> LinedJson:
        """Read a file.

        Raises:
            SpecError: Missing, not UTF-8, or as said of the class.
        """
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise SpecError([Fault(shown, "no such file")], hint) from None
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise SpecError([Fault(f"{shown}:{line}", "bytes that are not UTF-8")], hint) from None
        return cls(text, shown, hint)

    def line(self, loc: Loc) -> int:
        """Line of a location, or of the nearest parent that has one."""
        while loc not in self.lines:
            loc = loc[:-1]
        return self.lines[loc]

    def fault(self, loc: Loc, what: str) -> Fault:
        """A fault at a location, written `file:line  a.b.c: what`."""
        dotted = ".".join(str(part) for part in loc)
        return Fault(f"{self.shown}:{self.line(loc)}", f"{dotted}: {what}" if dotted else what)

    def _walk(self, text: str) -> Iterator[Fault]:
        """Note lines while going through the pieces of a text that is known to be JSON."""
        path: list[str | int] = []  # the key or index that the innermost containers are at
        line, reached, wants_key = 1, 0, False
        for match in _PIECE.finditer(text):
            line += text.count("\n", reached, match.start())
            reached, piece = match.start(), match.group()
            if piece in "}]":
                path.pop()
                wants_key = False
            elif piece == ",":
                wants_key = isinstance(path[-1], str)
                if isinstance(path[-1], int):
                    path[-1] += 1
            elif piece == ":":
                wants_key = False
            elif wants_key:
                path[-1] = json.loads(piece)
                if tuple(path) in self.lines:
                    first = self.lines[tuple(path)]
                    yield Fault(f"{self.shown}:{line}", f"{path[-1]}: stands twice (first on line {first})")
                self.lines.setdefault(tuple(path), line)
            else:
                self.lines.setdefault(tuple(path), line)
                if piece in "{[":
                    path.append("" if piece == "{" else 0)
                    wants_key = piece == "{"
                    if len(path) > _DEEPEST:
                        yield Fault(f"{self.shown}:{line}", "nested too deep")
                        return


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
