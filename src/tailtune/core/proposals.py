"""Classes that nobody has labelled yet, as plain values: groups of texts that a person may make a class of."""

from __future__ import annotations

from pydantic import Field

from tailtune.core.monitored import MovedWord
from tailtune.core.records import Record


class ProposedClass(Record):
    """One per group of texts unlike any known one."""

    name: str = Field(description="Of its telling words, for a person to change.")
    rows: int = Field(ge=1, description="Rows that were asked with these texts.")
    share: float = Field(ge=0, le=1, description="Of all rows that were looked at.")
    words: tuple[MovedWord, ...] = Field(description="That tell these texts from known ones.")
    answers: tuple[tuple[str, float], ...] = Field(description="What was answered most, with its share.")
    texts: tuple[str, ...] = Field(description="Different texts, the most typical first.")


class Proposals(Record):
    """One per look for new classes."""

    use_case: str
    version: str = Field(description="Whose answers were looked at.")
    first_day: int
    last_day: int
    rows: int = Field(ge=0, description="Rows that were looked at.")
    without_text: int = Field(0, ge=0, description="Rows left out, because their text was not kept.")
    labelled: int = Field(0, ge=0, description="Rows left out, because people labelled their text already.")
    classes: tuple[ProposedClass, ...] = ()
