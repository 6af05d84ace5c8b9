"""The sample use case `support-tickets`: tickets to Hallwick, an invented planning tool for service teams."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..files import write_lines
from .calendar import stamp
from .generate import Ticket, generate

__all__ = ["Written", "write"]


@dataclass(frozen=True, slots=True)
class Written:
    """One per call of `write`: the two files and how many tickets of each kind they hold."""

    tickets: Path
    truth: Path
    rows: int
    wrong_label_rows: int
    rows_by_kind: dict[str, int]


def write(data: Path) -> Written:
    """Writes the sample tickets and the truth about them, byte-identical on any machine.

    Args:
        data: The data folder; `support-tickets/tickets.jsonl` and `truth/support-tickets.jsonl` go below it.

    Returns:
        The paths and counts of what was written.

    Raises:
        OSError: a file cannot be written; no torn file is left behind.
    """
    made = generate()
    tickets, truth = data / "support-tickets" / "tickets.jsonl", data / "truth" / "support-tickets.jsonl"
    write_lines(tickets, (_ticket(line, one) for line, one in enumerate(made, start=1)))
    write_lines(truth, (_truth(line, one) for line, one in enumerate(made, start=1)))
    wrong = sum(one.label != one.true_label for one in made)
    return Written(tickets, truth, len(made), wrong, dict(sorted(Counter(one.kind for one in made).items())))


def _ticket(line: int, one: Ticket) -> dict[str, object]:
    return {"id": f"T{line:05}", "created_at": stamp(one.created_at), "text": one.text, "label": one.label}


def _truth(line: int, one: Ticket) -> dict[str, object]:
    return {
        "line": line,
        "label": one.true_label,
        "wrong_label": one.label != one.true_label,
        "near_duplicate_of": one.near_duplicate_of,
        "kind": one.kind,
    }
