"""What curated rows must satisfy, as plain values: the validate stage hands them to Great Expectations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Expected:
    """One per expectation.

    Attributes:
        table: What it is about.
        kind: Great Expectations' type.
        subject: Column, or the table where it is about all of it.
        meaning: One sentence a person reads.
        arguments: As Great Expectations takes them.
    """

    table: str
    kind: str
    subject: str
    meaning: str
    arguments: Mapping[str, Any]


def column(table: str, kind: str, name: str, meaning: str, **arguments: Any) -> Expected:
    """An expectation about the values of a column."""
    return Expected(table, kind, name, meaning, {"column": name, **arguments})
