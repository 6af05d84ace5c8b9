"""Whose fault a failure is: the model's, the context's or the label's. Pure: answers in, reasons with counts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tailtune.core.reports import FailureClass, FailureExample, Fault, MixedUp
from tailtune.judge.remedies import Places, remedy
from tailtune.judge.stats import wilson

Reason = Literal[
    "label suspect",
    "model too weak",
    "answer not usable",
    "wrong format",
    "retrieval missed",
    "ambiguous instructions",
    "no example",
    "not asked again",
    "unexplained",
]
FAULTS: dict[Reason, Fault] = {
    "label suspect": "label",
    "model too weak": "model",
    "answer not usable": "context",
    "wrong format": "context",
    "retrieval missed": "context",
    "ambiguous instructions": "context",
    "no example": "context",
    "not asked again": "unexplained",
    "unexplained": "unexplained",
}
"""Reason → fault, in the order in which reasons are looked for."""
Shown = Literal["none", "fixed", "retrieved"]
"""Which examples a prompt shows: none, the same for every row, or each row's nearest."""
MIXED_UP_ROWS = 2
"""Rows in which two labels must be taken for each other before the instructions are blamed."""
_EXAMPLES = 5
_TEXT_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Part:
    """One per wrong part of an answer: the label, or a field. Equal strings mean the same.

    Attributes:
        name: The field; empty for an answer that has no parts.
        expected: As the row is labelled.
        answered: What the prompted model said; None when its answer could not be used.
        strong: What the stronger model said to the same prompt; None when it was not asked, or not usable.
        strong_right: Whether that is right; None when it was not asked.
        local: What the best local rung says, which has learnt from other rows; None when there is none.
        suspect: Whether confident learning, or whatever a task has instead of it, calls the label unlikely.
        evidence: Whether an example in the prompt showed what was expected; None when it is not known.
        malformed: Whether the answer means what was expected and is only written otherwise.
        pair: What was taken for what; None when nothing can be named.
    """

    name: str
    expected: str
    answered: str | None
    strong: str | None = None
    strong_right: bool | None = None
    local: str | None = None
    suspect: bool = False
    evidence: bool | None = None
    malformed: bool = False
    pair: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """One per row that the prompted model got wrong; at least one part is."""

    id: str
    origin: str
    text: str
    parts: tuple[Part, ...]


def explain(failures: Sequence[Failure], shown: Shown, strong_declared: bool) -> list[Reason]:
    """The reason of each failure: the first rule that speaks.

    1. *Label suspect*: the label is called unlikely and the prompted and the stronger model agree on the same other
       answer, or the stronger model and the local rung do, which have seen nothing in common. Without a stronger model
       the prompted one and the local rung must agree, besides the suspicion. First, because whoever agrees with a
       wrong label is praised for it: no later rule means anything on such a row.
    2. *Model too weak*: the stronger model is right with the same prompt. So the context is enough, whatever it lacks.
    3. *Answer not usable*, *wrong format*: nothing was said that could be right or wrong in itself. The remedy is
       cheap (an answer held to the schema), and what follows could not be seen in such an answer.
    4. *Retrieval missed*: the prompt retrieves, and no example showed what was expected. Before ambiguity, because two
       models that are led by the same misleading examples agree for that reason.
    5. *Ambiguous instructions*: both models agree on one wrong answer, and the two are mixed up in at least two rows.
       Before a missing example, because it is something seen, and that only something not seen.
    6. *No example*: a prompt without retrieval showed no example of what was expected.
    7. *Not asked again*: a stronger model is declared, and the money ran out before this row. Then rules 3 to 6 would
       blame the context for what may be the model's, and are skipped.
    8. *Unexplained*.

    A row with several wrong fields gets the reason that most of them have; of equally many the earlier one.

    Args:
        failures: Of one prompt, n of them.
        shown: Which examples it shows.
        strong_declared: Whether there is a stronger model to be asked.

    Returns:
        n reasons.
    """
    mixed = _pairs(failures)
    reasons: list[Reason] = []
    for failure in failures:
        found = Counter(_reason(part, shown, strong_declared, mixed) for part in failure.parts)
        reasons.append(max(FAULTS, key=lambda reason: found[reason]))  # the first of equals: order of the rules
    return reasons


def _reason(part: Part, shown: Shown, strong_declared: bool, mixed: Counter[tuple[str, str]]) -> Reason:
    if _label_suspect(part):
        return "label suspect"
    if part.strong_right:
        return "model too weak"
    if strong_declared and part.strong_right is None:
        return "not asked again"
    if part.answered is None:
        return "answer not usable"
    if part.malformed:
        return "wrong format"
    if part.evidence is False and shown == "retrieved":
        return "retrieval missed"
    if part.answered == part.strong and part.pair is not None and mixed[_unordered(part.pair)] >= MIXED_UP_ROWS:
        return "ambiguous instructions"
    if part.evidence is False:
        return "no example"
    return "unexplained"


def _label_suspect(part: Part) -> bool:
    if part.strong_right is None:
        return part.suspect and _other(part, part.answered, part.local)
    return _other(part, part.strong, part.local) or (part.suspect and _other(part, part.answered, part.strong))


def _other(part: Part, one: str | None, two: str | None) -> bool:
    """Whether both say the same, and not what was expected."""
    return one is not None and one == two and one != part.expected


def classes(failures: Sequence[Failure], reasons: Sequence[Reason], places: Places) -> tuple[FailureClass, ...]:
    """Failures by reason, most rows first, each with its next action and at most five examples.

    Args:
        failures: n of them.
        reasons: What `explain` said of each.
        places: Where a person finds what is to be changed.

    Returns:
        A class per reason that occurs; their rows add up to n. Shares are Wilson's, of all failures.
    """
    members: dict[Reason, list[Failure]] = {}
    for failure, reason in zip(failures, reasons, strict=True):
        members.setdefault(reason, []).append(failure)
    order = sorted(members, key=lambda reason: (-len(members[reason]), list(FAULTS).index(reason)))
    return tuple(
        FailureClass(
            fault=FAULTS[reason],
            reason=reason,
            rows=len(members[reason]),
            share=wilson(len(members[reason]), len(failures)),
            action=remedy(reason, _most_pairs(members[reason]), _expected(members[reason]), places),
            examples=tuple(_example(one) for one in members[reason][:_EXAMPLES]),
        )
        for reason in order
    )


def mixed_up(failures: Sequence[Failure], most: int = 20) -> tuple[MixedUp, ...]:
    """Unordered pairs that are taken for each other, most rows first; a part that was mixed up with nothing is none."""
    ranked = sorted(_pairs(failures).items(), key=lambda item: (-item[1], item[0]))
    return tuple(MixedUp(first=one, second=two, rows=rows) for (one, two), rows in ranked if one != two)[:most]


def _pairs(failures: Sequence[Failure]) -> Counter[tuple[str, str]]:
    """Unordered pair → rows in which it is mixed up."""
    counted: Counter[tuple[str, str]] = Counter()
    for failure in failures:
        counted.update({_unordered(part.pair) for part in failure.parts if part.pair is not None})
    return counted


def _unordered(pair: tuple[str, str]) -> tuple[str, str]:
    return (pair[0], pair[1]) if pair[0] <= pair[1] else (pair[1], pair[0])


def _most_pairs(failures: Sequence[Failure]) -> list[tuple[str, str]]:
    return [pair for pair, _ in sorted(_pairs(failures).items(), key=lambda item: (-item[1], item[0]))]


def _expected(failures: Sequence[Failure]) -> list[str]:
    """What was expected most often and not given: fields, or labels where an answer has no fields."""
    counted = Counter(part.name or part.expected for failure in failures for part in failure.parts)
    return [what for what, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]


def _example(failure: Failure) -> FailureExample:
    """The row as a person reads it: `field: expected → answered` for each wrong field, where there are fields."""
    first = failure.parts[0]
    if not first.name:
        said = {"expected": first.expected, "answered": first.answered, "strong_answered": first.strong}
    else:
        asked = any(part.strong_right is not None for part in failure.parts)
        said = {
            "expected": _listed([(part.name, part.expected) for part in failure.parts]),
            "answered": _listed([(part.name, part.answered) for part in failure.parts]),
            "strong_answered": _listed([(part.name, part.strong) for part in failure.parts]) if asked else None,
            "detail": "; ".join(f"{part.name}: {part.expected} → {part.answered}" for part in failure.parts),
        }
    text = failure.text if len(failure.text) <= _TEXT_CHARACTERS else failure.text[:_TEXT_CHARACTERS] + " …"
    return FailureExample.model_validate({"origin": failure.origin, "text": text, **said})


def _listed(said: Sequence[tuple[str, str | None]]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in said)
