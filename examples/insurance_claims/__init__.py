"""The sample use case `insurance-claims`: first messages about losses to an invented insurer, and what they say."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import write_lines
from .calendar import stamp
from .generate import Claim, generate
from .pieces import Entity

__all__ = ["Written", "write"]


@dataclass(frozen=True, slots=True)
class Written:
    """One per call of `write`: the two files and how many claims of each kind they hold."""

    claims: Path
    truth: Path
    rows: int
    wrong_rows: int
    """Rows with at least one wrong field."""
    fields: int
    """Fields with a true value, over all rows."""
    wrong_fields: int
    rows_by_kind: dict[str, int]


def write(data: Path) -> Written:
    """Writes the sample claims and the truth about them, byte-identical on any machine.

    Args:
        data: The data folder; `insurance-claims/claims.jsonl` and `truth/insurance-claims.jsonl` go below it.

    Returns:
        The paths and counts of what was written.

    Raises:
        OSError: a file cannot be written; no torn file is left behind.
    """
    made = generate()
    claims, truth = data / "insurance-claims" / "claims.jsonl", data / "truth" / "insurance-claims.jsonl"
    write_lines(claims, (_claim(line, one) for line, one in enumerate(made, start=1)))
    write_lines(truth, (_truth(line, one) for line, one in enumerate(made, start=1)))
    wrong = [len(one.wrong_fields) for one in made]
    return Written(
        claims,
        truth,
        len(made),
        sum(count > 0 for count in wrong),
        sum(len(one.true_values) for one in made),
        sum(wrong),
        dict(sorted(Counter(one.kind for one in made).items())),
    )


def _claim(line: int, one: Claim) -> dict[str, Any]:
    return {
        "id": f"C{line:05}",
        "received_at": stamp(one.received_at),
        "channel": one.channel,
        "policyholder": one.policyholder,
        "text": one.text,
        "entities": _marked(one.entities),
        "fields": dict(sorted(one.values.items())),
    }


def _truth(line: int, one: Claim) -> dict[str, Any]:
    return {
        "line": line,
        "fields": dict(sorted(one.true_values.items())),
        "entities": _marked(one.true_entities),
        "wrong_fields": one.wrong_fields,
        "kind": one.kind,
        "near_duplicate_of": one.near_duplicate_of,
    }


def _marked(entities: Iterable[Entity]) -> list[dict[str, Any]]:
    return [{"start": one.start, "end": one.end, "label": one.label} for one in entities]
