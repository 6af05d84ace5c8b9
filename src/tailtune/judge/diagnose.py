"""Whose fault a failure is: the model's, the context's or the label's. Pure: answers in, reasons with counts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tailtune.core.figures import share
from tailtune.core.reports import FailureClass, FailureExample, Fault, MixedUp, PromptedRung
from tailtune.judge.shares import share_of

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
_NAMED = 3  # pairs, labels or fields named in a sentence


@dataclass(frozen=True, slots=True)
class WrongPart:
    """One per wrong part of an answer: the label, or a field. Equal strings mean the same.

    Attributes:
        name: The field; empty for an answer that has no parts.
        expected: As the row is labelled.
        answered: The prompted model's answer; None when it could not be used.
        strong: The stronger model's answer to the same prompt; None without one, or when it could not be used.
        strong_right: Whether that is right; None when the stronger model did not get the row.
        local: The best local rung's answer, which has learnt from other rows; None when there is none.
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
    parts: tuple[WrongPart, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """One per diagnosis: where a person finds what is to be changed, relative to the project root.

    Attributes:
        use_case: For commands.
        prompt: The prompt file that was diagnosed, and the command that writes it where a starting prompt was sent.
        model_yaml: The spec.
        answers: The file that says what an answer may be.
        lines: Label or field → its line in there.
        data: The folder of labelled files.
        failures: The file that lists every failure.
        strong: Name of the stronger model; empty when none is declared.
        tried: Rung that was measured and is no better than the diagnosed prompt, itself included → how they compare.
        shows_examples: Whether the diagnosed prompt shows examples, so that more of them can be shown.
    """

    use_case: str
    prompt: str
    model_yaml: str
    answers: str
    data: str
    failures: str
    strong: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    tried: Mapping[str, str] = field(default_factory=dict)
    shows_examples: bool = True

    def line(self, name: str) -> str:
        """`models/x/labels.yaml:12`, or the file alone when the line is not known; a field's choice is at the field."""
        known = self.lines.get(name, self.lines.get(name.partition(": ")[0]))
        return self.answers if known is None else f"{self.answers}:{known}"


def explain(failures: Sequence[Failure], shown: Shown, strong_declared: bool) -> list[Reason]:
    """The reason of each failure: the first rule that holds.

    1. *Label suspect*: the label is called unlikely and the prompted and the stronger model agree on the same other
       answer, or the stronger model and the local rung do, which have seen nothing in common. Without a stronger model
       the prompted one and the local rung must agree, besides the suspicion. First, because whoever agrees with a
       wrong label is praised for it: no later rule means anything on such a row.
    2. *Model too weak*: the stronger model is right with the same prompt. So the context is enough, whatever it lacks.
    3. *Answer not usable*, *wrong format*: the answer cannot be right or wrong in itself. The remedy is cheap
       (constrained decoding), and the rules below could not be applied to such an answer.
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
        strong_declared: Whether a stronger model is declared.

    Returns:
        n reasons.
    """
    mixed = _pairs(failures)
    reasons: list[Reason] = []
    for failure in failures:
        counts = Counter(_reason(part, shown, strong_declared, mixed) for part in failure.parts)
        reasons.append(max(FAULTS, key=lambda reason: counts[reason]))  # the first of equals: order of the rules
    return reasons


def _reason(part: WrongPart, shown: Shown, strong_declared: bool, mixed: Counter[tuple[str, str]]) -> Reason:
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


def _label_suspect(part: WrongPart) -> bool:
    if part.strong_right is None:
        return part.suspect and _agree_on_another(part, part.answered, part.local)
    by_strong = part.suspect and _agree_on_another(part, part.answered, part.strong)
    return by_strong or _agree_on_another(part, part.strong, part.local)


def _agree_on_another(part: WrongPart, first: str | None, second: str | None) -> bool:
    """Whether both answers are the same, and not what was expected."""
    return first is not None and first == second and first != part.expected


def classes(failures: Sequence[Failure], reasons: Sequence[Reason], places: Places) -> tuple[FailureClass, ...]:
    """Failures by reason, most rows first, each with its next action and at most five examples.

    Args:
        failures: n of them.
        reasons: Of each, from `explain`.
        places: Where a person finds what is to be changed.

    Returns:
        A class per reason that occurs; their rows add up to n. Shares are of all failures.
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
            share=share_of(len(members[reason]), len(failures)),
            action=remedy(reason, _most_pairs(members[reason]), _expected(members[reason]), places),
            examples=tuple(_example(failure) for failure in members[reason][:_EXAMPLES]),
        )
        for reason in order
    )


def mixed_up(failures: Sequence[Failure], most: int = 20) -> tuple[MixedUp, ...]:
    """Unordered pairs that are taken for each other, most rows first; a part that was mixed up with nothing is none."""
    ranked = sorted(_pairs(failures).items(), key=lambda item: (-item[1], item[0]))
    return tuple(MixedUp(first=first, second=second, rows=rows) for (first, second), rows in ranked if first != second)[
        :most
    ]


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
    """What was expected most often and not answered: fields, or labels where an answer has no fields."""
    counted = Counter(part.name or part.expected for failure in failures for part in failure.parts)
    return [what for what, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]


def _example(failure: Failure) -> FailureExample:
    """The row as a person reads it: `field: expected → answered` for each wrong field, where there are fields."""
    first = failure.parts[0]
    if not first.name:
        shown = {"expected": first.expected, "answered": first.answered, "strong_answered": first.strong}
    else:
        has_strong = any(part.strong_right is not None for part in failure.parts)
        shown = {
            "expected": _listed([(part.name, part.expected) for part in failure.parts]),
            "answered": _listed([(part.name, part.answered) for part in failure.parts]),
            "strong_answered": _listed([(part.name, part.strong) for part in failure.parts]) if has_strong else None,
            "detail": "; ".join(f"{part.name}: {part.expected} → {part.answered}" for part in failure.parts),
        }
    text = failure.text if len(failure.text) <= _TEXT_CHARACTERS else failure.text[:_TEXT_CHARACTERS] + " …"
    return FailureExample.model_validate({"origin": failure.origin, "text": text, **shown})


def _listed(answers: Sequence[tuple[str, str | None]]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in answers)


def no_better(best: PromptedRung, rungs: Sequence[PromptedRung], min_effect: float) -> dict[str, str]:
    """Rungs that were measured and are no better than the best prompt, which is one: no advice about it names them.

    Args:
        best: The prompt that was diagnosed.
        rungs: All that were measured.
        min_effect: Difference in quality from which one is better.

    Returns:
        Rung → how the two compare, e.g. `61.0 % against 62.0 %`.
    """
    ours = best.quality.value
    return {
        rung.name: f"{share(rung.quality.value)} against {share(ours)}"
        for rung in rungs
        if rung.name == best.name or rung.quality.value - ours < min_effect
    }


def remedy(reason: str, pairs: Sequence[tuple[str, str]], expected: Sequence[str], places: Places) -> str:
    """The next action about a reason of failing: one sentence, with the file to edit or the command to run.

    It never advises a rung that was measured and is no better.

    Args:
        reason: From `explain`.
        pairs: What is mixed up in these failures, most frequent first.
        expected: Labels or fields that were expected and not answered, most frequent first.
        places: Where to change something.

    Raises:
        KeyError: There is no remedy for such a reason.
    """
    named = _named(expected)
    again = f"tailtune run {places.use_case}"
    return {
        "label suspect": f"read these labels ({places.failures} has each with its file and line), correct the wrong "
        f"ones in {places.data}/ or by tailtune labels {places.use_case} --from FILE, then {again}",
        "model too weak": _stronger(places),
        "answer not usable": (
            ""
            if "lm_constrained" in places.tried
            else f"hold answers to the schema (rung lm_constrained in {places.model_yaml}), and "
        )
        + f"state the exact shape of an answer in {places.prompt}; what was refused, cut off or too long needs another "
        "text or more room (the rung's notes count it)",
        "wrong format": f"state the format of {named} in {places.answers} and {places.prompt}: the value is right and "
        "written otherwise",
        "retrieval missed": f"label rows like these ({named}) and add them to {places.data}/, or raise prompt.shots in "
        f"{places.model_yaml}: no retrieved example showed what was expected",
        "ambiguous instructions": _ambiguous(pairs, places),
        "no example": _show_example(named, places),
        "not asked again": f"raise prompt.max_cost_usd in {places.model_yaml}, then tailtune diagnose "
        f"{places.use_case}: answers so far are kept and not paid again",
        "unexplained": f"read them in {places.failures}"
        + ("" if places.strong else f"; declare a model with the role strong in {places.model_yaml} to tell more"),
    }[reason]


def _stronger(places: Places) -> str:
    strong = places.strong or "a stronger model"
    if "lm_strong" in places.tried:
        return (
            f"look at what {strong} gets right here and wrong elsewhere: measured on all rows with the same prompt it "
            f"is no better ({places.tried['lm_strong']}), so a fine-tune may be what helps"
        )
    return (
        f"use {strong}: with the same prompt it gets right what is wrong here, or most of it; or fine-tune, if it is "
        "too slow or too dear"
    )


def _show_example(named: str, places: Places) -> str:
    """How to show an example, by what was not measured yet; where all was, what else describes a label."""
    ways = [f"raise prompt.shots in {places.model_yaml}"] if places.shows_examples else []
    untried = [name for name in ("lm_few_shot", "lm_retrieval") if name not in places.tried]
    if not ways and not untried:
        figures = "; ".join(f"{name} {places.tried[name]}" for name in ("lm_few_shot", "lm_retrieval"))
        return (
            f"describe {named} in {places.answers}, or in {places.prompt}: prompts with examples were measured and are "
            f"no better ({figures})"
        )
    ways.append(f"write one into {places.prompt}")
    return f"show an example of {named}: " + ", or ".join(
        [", ".join(ways), *(f"measure the rung {name}" for name in untried)]
    )


def _ambiguous(pairs: Sequence[tuple[str, str]], places: Places) -> str:
    named = []
    for first, second in pairs[:_NAMED]:
        where = places.line(first) if first == second else f"{places.line(first)} and {places.line(second)}"
        named.append(f"`{first}` ({where})" if first == second else f"`{first}` from `{second}` ({where})")
    return f"say in {places.answers}, or in {places.prompt}, what tells {'; '.join(named)}: both models err alike"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
