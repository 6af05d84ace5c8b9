"""The rows that a prompt got wrong, and what is known of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tailtune.core.errors import MissingInputError
from tailtune.core.records import Answer, Row
from tailtune.judge.diagnose import FAULTS, Failure, Reason, Shown
from tailtune.lifecycle.context import Context
from tailtune.services import store
from tailtune.tasks.base import RowAnswers


@dataclass(frozen=True)
class Witness:
    """One per use case: the best local rung, which has learnt from other rows than it is asked about.

    Attributes:
        name: The rung; empty when there is none.
        answers: Row's id → its answer.
        suspect: Ids of rows whose label confident learning calls unlikely.
    """

    name: str = ""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    suspect: frozenset[str] = frozenset()


@dataclass
class Failing:
    """One per diagnosis: the rows that the prompt got wrong, and its answers.

    Attributes:
        rows: n of them.
        answers: To these rows, n of them.
        answered: Rows that the prompt answered, the right ones too.
        strong: Place of a row → what the stronger model said.
        examples: Labels of the examples in each row's prompt, n of them; empty when nobody looked.
        shown: Which examples the prompt shows.
        usd_spent: Paid for asking again; None when the cost of an answer is not known.
    """

    rows: list[Row]
    answers: list[Answer]
    answered: int
    strong: dict[int, Answer] = field(default_factory=dict)
    examples: list[list[str]] = field(default_factory=list)
    shown: Shown = "none"
    witness: Witness = field(default_factory=Witness)
    usd_spent: float | None = 0.0


def read_failing(context: Context, name: str, dev: Sequence[Row]) -> Failing:
    """What a rung answered wrongly, as the stage `prompt` wrote it down.

    Raises:
        MissingInputError: The answers are not there, or are of other rows.
    """
    path, case = context.paths.stage("prompt") / "answers.jsonl", context.case
    hint = f"tailtune prompt {case.name}"
    by_id = {row.id: row for row in dev}
    held = [line for line in store.read_jsonl(path, "the diagnosis", hint) if name in line]
    strange = [line["origin"] for line in held if line["id"] not in by_id]
    if strange or not held:
        what = f"{len(strange):,} answers to rows that are not in dev, first {strange[0]}" if strange else "no answers"
        raise MissingInputError(f"{context.project.shown(path)}: {what} of {name}", hint)
    rows, answers = [by_id[line["id"]] for line in held], [Answer(line[name], math.nan) for line in held]
    right = case.task.score(rows, answers, resamples=1).right
    wrong = [place for place, good in enumerate(right) if not good]
    return Failing([rows[place] for place in wrong], [answers[place] for place in wrong], len(rows))


def failures_of(context: Context, failing: Failing) -> list[Failure]:
    """Every failure with its wrong parts, in the order in which rows were bought."""
    task, witness = context.case.task, failing.witness
    made = []
    for place, row in enumerate(failing.rows):
        answers = RowAnswers(
            answer=failing.answers[place],
            strong=failing.strong.get(place),
            local=witness.answers.get(row.id),
            suspect=row.id in witness.suspect,
            shown=failing.examples[place] if failing.examples else None,
        )
        made.append(Failure(row.id, row.origin, row.text, task.wrong_parts(row, answers)))
    return made


def write_failures(context: Context, failures: Sequence[Failure], reasons: Sequence[Reason]) -> None:
    """Every failure with its reason, one per line."""

    def lines() -> Iterator[dict[str, Any]]:
        for failure, reason in zip(failures, reasons, strict=True):
            held = asdict(failure)
            yield {
                "id": held.pop("id"),
                "origin": held.pop("origin"),
                "fault": FAULTS[reason],
                "reason": reason,
                **held,
            }

    store.write_jsonl(context.paths.stage("diagnose") / "failures.jsonl", lines())
