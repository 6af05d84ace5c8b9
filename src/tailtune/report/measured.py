"""Quality in words and columns, whatever it is measured in: nothing here, or that calls it, asks for a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tailtune.core.measures import MEASURES, Measure
from tailtune.core.records import Estimate
from tailtune.report.numbers import share, words

WHOLE = "exact_match"
NEXT_TO = {"accuracy": "macro_f1", "field_f1": WHOLE}
OWNERS = (WHOLE, "schema_valid")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One per measure that plain words say better than its title.

    Attributes:
        reached: What a predictor does, `{}` for the share.
        figure: What the share is of, over or under a large figure.
        short: The same after a name and a comma.
    """

    reached: str
    figure: str
    short: str


_PLAIN = {
    "accuracy": Phrase("answers {} right", "answered right", "right"),
    WHOLE: Phrase("answers {} of rows wholly right", "answered wholly right", "wholly right"),
    "schema_valid": Phrase("answers {} with a valid object", "valid against the schema", "valid"),
}


def measure(name: str) -> Measure:
    """What is known of a measure; of a strange one, its name as words."""
    return MEASURES.get(name) or Measure(name, words(name), words(name), f"{capital(words(name))}.")


def title(name: str) -> str:
    """A measure as a column's heading or an axis: `accuracy`, `field F1`."""
    return measure(name).title


def meaning(name: str) -> str:
    """What a measure is a share of, as a caption: `Share of rows answered right`."""
    return measure(name).meaning.removesuffix(".")


def phrase(name: str) -> Phrase:
    """A measure in plain words; in its title where there are none."""
    told = title(name)
    article = "an" if told[:1].lower() in "aeiou" else "a"
    return _PLAIN.get(name) or Phrase(f"reaches {article} {told} of {{}}", told, told)


def reached(name: str, value: float) -> str:
    """What a predictor does, after its name: `answers 92.4 % right`, `reaches a field F1 of 97.3 %`."""
    return phrase(name).reached.format(share(value))


def of(name: str) -> str:
    """What points are points of, after a difference: ` of field F1`; nothing where they are of rows answered right."""
    return "" if name == "accuracy" else f" of {title(name)}"


def next_to(metrics: Mapping[str, Estimate]) -> str | None:
    """The measure that deserves a column of its own next to the first; None when there is only one."""
    first = next(iter(metrics), "")
    partner = NEXT_TO.get(first, "")
    return partner if partner in metrics else next((name for name in metrics if name != first), None)


def further(metrics: Mapping[str, Estimate]) -> tuple[str, ...]:
    """Measures for a table of their own: all but the first, if there are more than the two that have a column."""
    rest = tuple(metrics)[1:]
    return rest if len(rest) > 1 else ()


def right(metrics: Mapping[str, Estimate]) -> str:
    """What a row is whose answer has no fault: `right`; `wholly right` where an answer can be right in part."""
    return "wholly right" if WHOLE in metrics else "right"


def capital(text: str) -> str:
    """A text that begins a sentence: its first letter large."""
    return text[:1].upper() + text[1:]


def inline(text: str) -> str:
    """A title inside a sentence: its first letter small, unless it is an abbreviation."""
    first = text.partition(" ")[0]
    return text if any(letter.isupper() for letter in first[1:]) else text[:1].lower() + text[1:]


def called(text: str) -> str:
    """A predictor's title inside a sentence: `the prompt with retrieved examples`, `frozen encoder + linear probe`."""
    told = inline(text)
    return f"the {told}" if told.startswith(("prompt", "best prompt")) else told
