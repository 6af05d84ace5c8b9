"""What is known of an encoder: how much of the texts it can read, and how it answers once it is exported."""

from __future__ import annotations

from pydantic import Field

from tailtune.core.figures import share
from tailtune.core.records import Estimate, Record


class Reading(Record):
    """One per encoder and set of texts: how much of the texts it can read, on a sample of them."""

    rows: int = Field(ge=0, description="Texts looked at.")
    unreadable_rows: int = Field(description="Of these, with half their letters or more unknown to the encoder.")
    unread_share: float = Field(description="Share of all letters that it reads as unknown, bytes or one by one.")
    cut_rows: int = Field(description="Of these, longer than max_tokens: what follows is not read.")
    max_tokens: int = Field(description="Where texts are cut.")

    @property
    def mostly_unreadable(self) -> bool:
        """Whether the encoder cannot read most of the texts."""
        return self.unreadable_rows * 2 > self.rows

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person should know, as sentences without a dot; none when all is read."""
        lines = []
        if self.unreadable_rows:
            lines.append(
                f"the encoder cannot read {self._rows(self.unreadable_rows)}: half their letters or more are unknown "
                "to it (another script or language)"
            )
        if self.cut_rows:
            lines.append(f"the encoder reads {self.max_tokens} tokens; {self._rows(self.cut_rows)} are longer and cut")
        return tuple(lines)

    def _rows(self, rows: int) -> str:
        return f"{share(rows / self.rows)} of the texts ({rows:,} of {self.rows:,} looked at)"


class Parity(Record):
    """One per try to export: how far an exported model's answers are the original's."""

    weights: str = Field(description="int8, int8-mixed or fp32, as of predictors/onnx_graph.py.")
    same: Estimate = Field(
        description="Share of answers that are the original's, without labels: of texts, or of fields with a value."
    )
    same_objects: Estimate | None = Field(
        None, description="Share of texts whose whole object is the original's; null where answers have one part."
    )
    difference: Estimate = Field(description="Measure of the target on dev, exported − original, paired.")
    passed: bool
    reason: str = Field(description="What passed, or what did not; one sentence without full stop.")


class ExportedModel(Record):
    """One per candidate that could win and has an encoder: the file it would be served from."""

    name: str
    title: str
    weights: str = Field(description="Of the file that was kept.")
    megabytes: float = Field(description="Of the encoder's file.")
    tries: tuple[Parity, ...] = Field((), description="In the order tried; empty where answers would cost money.")
