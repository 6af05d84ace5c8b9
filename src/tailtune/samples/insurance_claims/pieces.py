"""A text in the making: stretches that say a field's value, and stretches that say nothing of the kind."""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ITEM_FIELDS = ("damaged_items", "witnesses")


class Piece(NamedTuple):
    """One per stretch of a text."""

    text: str
    label: str = ""
    """The field whose value it says; empty for all other words."""
    value: Any = None
    """The value it says; None for the words as they stand."""


class Entity(NamedTuple):
    """One per labelled span of a finished text."""

    start: int
    end: int
    label: str


@dataclass(slots=True)
class Draft:
    """One per text while it is written: its pieces, and what it says in whole sentences."""

    pieces: list[Piece] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)
    """Classified field → value."""
    labels: set[str] = field(default_factory=set)
    """Span fields that have been said."""

    def add(self, *pieces: Piece) -> None:
        """Puts pieces at the end."""
        self.pieces.extend(pieces)
        self.labels.update(piece.label for piece in pieces if piece.label)

    def put(self, text: str) -> None:
        """Puts words that say no span field at the end."""
        if text:
            self.pieces.append(Piece(text))

    def says(self, name: str) -> bool:
        """Whether a field has been said."""
        return name in self.labels or name in self.chosen

    def change(self, words: Callable[[str], str], labelled: Callable[[str], str] | None = None) -> None:
        """Rewrites the words, and labelled stretches too where a second function is given."""
        self.pieces = [
            piece._replace(
                text=(labelled(piece.text) if labelled else piece.text) if piece.label else words(piece.text)
            )
            for piece in self.pieces
        ]

    def finish(self) -> tuple[str, tuple[Entity, ...], dict[str, Any]]:
        """The text, the spans in it, and the value of every field that it says."""
        parts: list[str] = []
        entities: list[Entity] = []
        values = dict(self.chosen)
        at = 0
        for piece in self.pieces:
            if piece.label:
                entities.append(Entity(at, at + len(piece.text), piece.label))
                _note(values, piece)
            parts.append(piece.text)
            at += len(piece.text)
        return "".join(parts), tuple(entities), values


def plain(surface: str) -> str:
    """A text value as it is compared: composed, white space collapsed."""
    return " ".join(unicodedata.normalize("NFC", surface).split())


def _note(values: dict[str, Any], piece: Piece) -> None:
    value = plain(piece.text) if piece.value is None else piece.value
    if piece.label not in ITEM_FIELDS:
        values.setdefault(piece.label, value)
        return
    labelled = values.setdefault(piece.label, [])
    if str(value).casefold() not in (str(one).casefold() for one in labelled):
        labelled.append(value)


def text_of(pieces: Iterable[Piece]) -> str:
    """The words of some pieces."""
    return "".join(piece.text for piece in pieces)
