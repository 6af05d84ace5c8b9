"""Replies of language models to a classification prompt: one label of a closed set, however it is said."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from tailtune.core.records import Answer
from tailtune.predictors.prompted.codec import Problem, Read, first_answer, objects_in

LABEL, REASONING = "label", "reasoning"
_PREFIX = re.compile(r"(?:answer|category|class|label)\s*[:=]\s*", re.IGNORECASE)
_AROUND = " \t\r\n\"'`*.,;:!()[]“”‘’«»"


class LabelCodec:
    """One per label set: `{"label": "…"}` is what a reply should be.

    Read leniently: JSON after words or in a fence, or nothing but the label, whatever its case, quotes, dashes and
    underscores. A sentence that merely names a label is no answer: it may name it to rule it out.

    Args:
        labels: Label → description, in file order.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = dict(labels)

    def variables(self) -> dict[str, Any]:
        """`labels`: name and description of each; the description is empty where it only says the name again."""
        return {"labels": [{"name": name, "description": self.described(name)} for name in self._labels]}

    def described(self, label: str) -> str:
        """What belongs to a label, beyond its own words."""
        said = self._labels[label].strip()
        return "" if _folded(said) == _folded(label) else said

    def schema(self, reasoning: bool) -> dict[str, Any]:
        """An object with one of the labels."""
        properties: dict[str, Any] = {REASONING: {"type": "string"}} if reasoning else {}
        properties[LABEL] = {"type": "string", "enum": list(self._labels)}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def read(self, reply: str, text: str) -> Read:
        """The label in a reply."""
        said = first_answer(reply)
        if not said:
            return _unusable("empty")
        objects = objects_in(said)
        if not objects:
            return self._read_words(said)
        given = [value for one in objects if LABEL in one for value in _flat(one[LABEL])]
        if not given or any(isinstance(value, bool | float | dict) or value is None for value in given):
            return _unusable("not as the schema says")
        return self._one_of([str(value) for value in given])

    def shown(self, label: str) -> str:
        """`{"label": "…"}`."""
        return json.dumps({LABEL: label}, ensure_ascii=False)

    def keys(self, label: str) -> tuple[str, ...]:
        """The label."""
        return (label,)

    def card(self) -> dict[str, Any]:
        """The label set."""
        return {"kind": "labels", "labels": self._labels}

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> LabelCodec:
        """The codec whose card this is."""
        return cls(card["labels"])

    def _read_words(self, said: str) -> Read:
        bare = _PREFIX.sub("", said.strip(_AROUND), count=1)
        label = self._known(bare)
        if label is not None:
            return Read(Answer(label, math.nan))
        if len(self._named(said)) > 1:
            return _unusable("two labels")
        return _unusable("no JSON" if re.search(r"\s", bare.strip(_AROUND)) else "unknown label")

    def _one_of(self, given: Iterable[str]) -> Read:
        """The label that all of them say."""
        known = {value: self._known(value) for value in given}
        labels = {label for label in known.values() if label is not None}
        strange = [value for value, label in known.items() if label is None]
        if len(labels) > 1 or any(len(self._named(value)) > 1 for value in strange):
            return _unusable("two labels")
        if strange or not labels:
            return _unusable("unknown label")
        return Read(Answer(labels.pop(), math.nan))

    def _known(self, said: str) -> str | None:
        """The label that is said, and nothing else."""
        trimmed = said.strip()
        return trimmed if trimmed in self._labels else self._by_folded.get(_folded(trimmed))

    def _named(self, said: str) -> set[str]:
        """Labels that words name; the longest where one is part of another."""
        return set(self._mention.findall(_folded(said))) if self._by_folded else set()

    @cached_property
    def _by_folded(self) -> dict[str, str]:
        """Folded label → label, where no two labels fold to the same."""
        times = Counter(_folded(label) for label in self._labels)
        return {_folded(label): label for label in self._labels if times[_folded(label)] == 1}

    @cached_property
    def _mention(self) -> re.Pattern[str]:
        longest_first = sorted(self._by_folded, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _unusable(problem: Problem) -> Read:
    return Read(Answer(None, math.nan), problem)


def _flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _folded(text: str) -> str:
    """Case, quotes, dashes and underscores taken away."""
    return re.sub(r"[\s_\-]+", " ", text.strip(_AROUND)).strip().casefold()
