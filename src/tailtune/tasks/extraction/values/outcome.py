"""What comes of reading a surface: a value, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Normalised:
    """One per surface and field.

    Attributes:
        value: The JSON value, valid against the field; None when it was refused.
        reason: Why it was refused; empty when it was not.
        needs_anchor: It is a date that counts from another one, and that one was not given.
    """

    value: Any = None
    reason: str = ""
    needs_anchor: bool = False

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Refusal:
    """One per surface that a reader of one kind could not read.

    Attributes:
        reason: A short sentence, the surface in it.
        needs_anchor: A date to count from would help.
    """

    reason: str
    needs_anchor: bool = False


def shown(surface: str) -> str:
    """A surface as reasons quote it."""
    return f"“{surface if len(surface) <= 60 else surface[:57] + '…'}”"
