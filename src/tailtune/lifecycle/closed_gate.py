"""A gate that closed, as flows hand it on: an answer, and no failure."""

from __future__ import annotations

from dataclasses import dataclass

from tailtune.core.errors import GateError, StageFailedError


@dataclass(frozen=True, slots=True)
class ClosedGate:
    """One per stage whose gate said no, or whose limit of money was reached.

    Attributes:
        stage: Whose gate.
        use_case: Of whose life.
        why: In words, for people.
    """

    stage: str
    use_case: str
    why: str

    def as_error(self) -> StageFailedError:
        """For whom an exit code is the answer."""
        return StageFailedError(f"{self.stage}@{self.use_case}", GateError.exit_code, self.why)


def closed_gate(value: object) -> ClosedGate | None:
    """The closed gate that a flow or a task returned; None where none closed.

    A flow returns it by itself, a task in a state of Prefect's, in which it may be wrapped once more.
    """
    for wrapped in ("data", "result"):
        value = value if isinstance(value, ClosedGate) else getattr(value, wrapped, value)
    return value if isinstance(value, ClosedGate) else None
