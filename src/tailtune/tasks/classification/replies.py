"""Replies of language models to a classification prompt: one label of a closed set, however it is written."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from tailtune.core.records import Answer
from tailtune.predictors.prepare.clean import clean
from tailtune.predictors.prompted.codec import Problem, Read, first_answer, objects_in

LABEL, REASONING = "label", "reasoning"
_PREFIX = re.compile(r"^(?:answer|category|class|label)\s*[:=]\s*", re.IGNORECASE)
_AROUND = " \t\r\n\"'`*.,;:!()[]“”‘’«»"


class LabelCodec:
    """One per label set: `{"label": "…"}` is what a reply should be.

    Read leniently: JSON after words or in a fence, or nothing but the label, whatever its case, quotes, dashes and
    underscores, or in another spelling that labels.yaml lists. A sentence that merely names a label is no answer: it
    may name it to rule it out.

    Args:
        labels: Label → description, in file order.
        aliases: Another spelling → its label, as `LabelSet.aliases`.
    """

    def __init__(self, labels: Mapping[str, str], aliases: Mapping[str, str] | None = None) -> None:
        self._labels, self._aliases = dict(labels), dict(aliases or {})

    def variables(self) -> dict[str, Any]:
        """`labels`: name and description of each; the description is empty where it only says the name again."""
        return {"labels": [{"name": name, "description": self.described(name)} for name in self._labels]}

    def described(self, label: str) -> str:
        """What belongs to a label, beyond its own words."""
        description = self._labels[label].strip()
        return "" if _folded(description) == _folded(label) else description

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
        answer = first_answer(reply)
        if not answer:
            return _unusable("empty")
        objects = objects_in(answer)
        if not objects:
            return self._read_words(answer)
        values = [value for item in objects if LABEL in item for value in _flat(item[LABEL])]
        if not values or any(isinstance(value, bool | float | dict) or value is None for value in values):
            return _unusable("not as the schema says")
        return self._common_label([str(value) for value in values])

    def parse_label(self, text: str) -> str:
        """The label is its text."""
        return text

    def shown(self, label: str) -> str:
        """`{"label": "…"}`."""
        return json.dumps({LABEL: label}, ensure_ascii=False)

    def keys(self, label: str) -> tuple[str, ...]:
        """The label."""
        return (label,)

    def card(self) -> dict[str, Any]:
        """The label set, with its other spellings if it has some: without, the card stays as it always was."""
        return {"kind": "labels", "labels": self._labels} | ({"aliases": self._aliases} if self._aliases else {})

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> LabelCodec:
        """The codec whose card this is."""
        return cls(card["labels"], card.get("aliases"))

    def _read_words(self, text: str) -> Read:
        """The label that a reply without JSON consists of."""
        whole = text.strip(_AROUND)
        bare = _PREFIX.sub("", whole)
        label = self._known(whole) or self._known(bare)  # a label may itself begin with such a word
        if label is not None:
            return Read(Answer(label, math.nan))
        if len(self._mentioned(text)) > 1:
            return _unusable("two labels")
        return _unusable("no JSON" if re.search(r"\s", bare.strip(_AROUND)) else "unknown label")

    def _common_label(self, values: Iterable[str]) -> Read:
        """The label that all values name."""
        known = {value: self._known(value) for value in values}
        labels = {label for label in known.values() if label is not None}
        strange = [value for value, label in known.items() if label is None]
        if len(labels) > 1 or any(len(self._mentioned(value)) > 1 for value in strange):
            return _unusable("two labels")
        if strange or not labels:
            return _unusable("unknown label")
        return Read(Answer(labels.pop(), math.nan))

    def _known(self, text: str) -> str | None:
        """The label that a text is, when it is nothing else."""
        name = text if text in self._labels else clean(text)[0]
        return name if name in self._labels else self._aliases.get(name) or self._by_folded.get(_folded(name))

    def _mentioned(self, text: str) -> set[str]:
        """Labels that a text mentions; the longest where one is part of another."""
        mentions = self._mention.findall(_folded(clean(text)[0])) if self._by_folded else []
        return {self._by_folded[mention] for mention in mentions}

    @cached_property
    def _by_folded(self) -> dict[str, str]:
        """Folded spelling → its label, where it can be no other label's."""
        meant: defaultdict[str, set[str]] = defaultdict(set)
        for spelling, label in [*zip(self._labels, self._labels, strict=True), *self._aliases.items()]:
            meant[_folded(spelling)].add(label)
        return {folded: labels.pop() for folded, labels in meant.items() if folded and len(labels) == 1}

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
