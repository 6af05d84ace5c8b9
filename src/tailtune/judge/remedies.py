"""What to do next about each reason of failing: one sentence, with the file to edit or the command to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_NAMED = 3  # pairs, labels or fields named in a sentence


@dataclass(frozen=True, slots=True)
class Places:
    """One per diagnosis: where a person finds what is to be changed, relative to the project root.

    Attributes:
        use_case: For commands.
        prompt: The prompt file that was diagnosed.
        model_yaml: The spec.
        answers: The file that says what an answer may be.
        lines: Label or field → its line in there.
        data: The folder of labelled files.
        failures: The file that lists every failure.
        strong: Name of the stronger model; empty when none is declared.
    """

    use_case: str
    prompt: str
    model_yaml: str
    answers: str
    data: str
    failures: str
    strong: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, name: str) -> str:
        """`models/x/labels.yaml:12`, or the file alone when the line is not known; a field's choice is at the field."""
        known = self.lines.get(name, self.lines.get(name.partition(": ")[0]))
        return self.answers if known is None else f"{self.answers}:{known}"


def remedy(reason: str, pairs: Sequence[tuple[str, str]], expected: Sequence[str], places: Places) -> str:
    """The next action.

    Args:
        reason: As `diagnose.explain` gives it.
        pairs: What is mixed up in these failures, most frequent first.
        expected: Labels or fields that were expected and not given, most frequent first.
        places: Where to change something.

    Raises:
        KeyError: There is no remedy for such a reason.
    """
    named = _named(expected)
    again = f"tailtune run {places.use_case}"
    return {
        "label suspect": f"read these labels ({places.failures} has each with its file and line), correct the wrong "
        f"ones in {places.data}/, then {again}",
        "model too weak": f"use {places.strong or 'a stronger model'}: with the same prompt it gets right what is "
        "wrong here, or most of it; or fine-tune, if it is too slow or too dear",
        "answer not usable": f"hold answers to the schema (rung lm_constrained in {places.model_yaml}), and state the "
        f"exact shape of an answer in {places.prompt}; what was refused, cut off or too long needs another text or "
        "more room (the rung's notes count it)",
        "wrong format": f"state the format of {named} in {places.answers} and {places.prompt}: the value is right and "
        "written otherwise",
        "retrieval missed": f"label rows like these ({named}) and add them to {places.data}/, or raise prompt.shots in "
        f"{places.model_yaml}: no retrieved example showed what was expected",
        "ambiguous instructions": _ambiguous(pairs, places),
        "no example": f"show an example of {named}: raise prompt.shots in {places.model_yaml}, write one into "
        f"{places.prompt}, or measure the rung lm_retrieval",
        "not asked again": f"raise prompt.max_cost_usd in {places.model_yaml}, then tailtune diagnose "
        f"{places.use_case}: answers so far are kept and not paid again",
        "unexplained": f"read them in {places.failures}"
        + ("" if places.strong else f"; declare a model with the role strong in {places.model_yaml} to tell more"),
    }[reason]


def _ambiguous(pairs: Sequence[tuple[str, str]], places: Places) -> str:
    told = []
    for one, two in pairs[:_NAMED]:
        where = places.line(one) if one == two else f"{places.line(one)} and {places.line(two)}"
        told.append(f"`{one}` ({where})" if one == two else f"`{one}` from `{two}` ({where})")
    return f"say in {places.answers}, or in {places.prompt}, what tells {'; '.join(told)}: both models err alike"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
