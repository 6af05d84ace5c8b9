"""How well a pretended model answers: right when the evidence is in its prompt, by luck otherwise, every time alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from doubles.prompts import Shown, alike, question, shown

Skill = Callable[[str, Sequence[Mapping[str, Any]], Mapping[str, Any] | None, int], str]
"""(model, messages, schema, n) → what it says; n counts how often this very prompt was answered before."""
_ALIKE = 0.6
_REASONING = "reasoning"
_REFLECT = "You improve the instructions of an assistant."
_RAMBLE = "I would have to think about that one."


def luck(*of: object) -> float:
    """A number from 0 up to 1 that looks random and is always the same for the same things."""
    digest = hashlib.sha256("\x1f".join(map(str, of)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@dataclass
class Skilled:
    """A model that knows the truth of some texts, and says it as often as its skill allows.

    An answer is an object; each of its fields is right or wrong by itself. A text's luck is its own and the model's, so
    that the same prompt gets the same answer in every run, and a prompt with more evidence is right wherever one with
    less was. A text that is not known is taken for the known one most like it.

    Attributes:
        truth: Text → its answer as an object: `{"label": "refund"}`, or a claim's fields.
        base: Share of fields that it gets right without evidence, 0 to 1.
        strong: The same of a model with `strong` in its name; its evidence helps it as well.
        evidence: Share right where the prompt shows an example with that very value, or, for an object of several
            fields, one of nearly the same text.
        ambiguous: Pairs of values that it cannot tell apart, whatever the prompt shows: half of them are wrong.
        invalid: Share of answers that are no JSON at all, unless a schema holds it.
        wavers: Share of fields whose luck is new each time the same prompt is asked.
    """

    truth: Mapping[str, Mapping[str, Any]]
    base: float = 0.6
    strong: float = 0.9
    evidence: float = 0.98
    ambiguous: Iterable[tuple[Any, Any]] = ()
    invalid: float = 0.0
    wavers: float = 0.0
    _known: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _values: dict[str, list[Any]] = field(default_factory=dict)
    _twins: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known = {_plain(text): answer for text, answer in self.truth.items()}
        for answer in self.truth.values():
            for name, value in answer.items():
                content = self._values.setdefault(name, [])
                if value not in content and len(content) < 200:
                    content.append(value)
        for first, second in self.ambiguous:
            self._twins |= {first: second, second: first}

    def __call__(
        self, model: str, messages: Sequence[Mapping[str, Any]], schema: Mapping[str, Any] | None, n: int
    ) -> str:
        """What it says."""
        text = question(messages)
        if schema is None and luck("invalid", model, text) < self.invalid:
            return _RAMBLE
        truth, examples = self._truth_of(text), shown(messages)
        names = [name for name in (schema or {}).get("properties", self._values) if name != _REASONING]
        phrase = {name: self._value(model, text, name, truth.get(name), examples, n) for name in names}
        if schema is not None and _REASONING in schema.get("properties", {}):
            phrase = {_REASONING: "It says so.", **phrase}
        return json.dumps(phrase, ensure_ascii=False)

    def _value(self, model: str, text: str, name: str, true: Any, examples: Sequence[Shown], n: int) -> Any:
        turn = n if luck("wavers", text, name) < self.wavers else 0
        chance = luck("right", model, text, name, turn)
        if isinstance(true, str) and true in self._twins:
            return true if chance < 0.5 else self._twins[true]
        skill = self.strong if "strong" in model else self.base
        if any(self._tells(one, text, name, true) for one in examples):
            skill = max(skill, self.evidence)
        return true if chance < skill else self._other(name, true, luck("which", model, text, name, turn))

    def _tells(self, example: Shown, text: str, name: str, true: Any) -> bool:
        try:
            answer = json.loads(example.answer)
        except ValueError:
            return False
        if not isinstance(answer, dict):
            return False
        if true is not None and answer.get(name) == true:
            return True
        return len(answer) > 1 and alike(example.text, text) >= _ALIKE

    def _other(self, name: str, true: Any, which: float) -> Any:
        others = [value for value in self._values.get(name, ()) if value != true] or [None]
        return others[int(which * len(others))]

    def _truth_of(self, text: str) -> Mapping[str, Any]:
        """Texts are cleaned and scrubbed before they are asked: the one most alike is meant."""
        plain = _plain(text)
        if plain not in self._known:
            best = max(self._known, key=lambda known: alike(known, plain), default=None)
            self._known[plain] = self._known[best] if best is not None and alike(best, plain) > 0 else {}
        return self._known[plain]


@dataclass
class Hinted:
    """A model that answers better where a phrase stands in its prompt, and whose strong tier knows the phrase.

    Attributes:
        plain: How it answers without.
        hinted: How it answers with it.
        phrase: What the strong model adds to instructions that it is asked to improve; another one leaves them alone.
    """

    plain: Skill
    hinted: Skill
    phrase: str = "Mind which card it is."

    def __call__(
        self, model: str, messages: Sequence[Mapping[str, Any]], schema: Mapping[str, Any] | None, n: int
    ) -> str:
        """What it says."""
        text = str(messages[-1]["content"])
        if _REFLECT in text:
            instructions = text.split("```")[1].strip()
            better = f"{self.phrase}\n{instructions}" if "strong" in model else instructions
            return f"Here they are:\n```\n{better}\n```"
        message = any(self.phrase in str(one["content"]) for one in messages)
        return (self.hinted if message else self.plain)(model, messages, schema, n)


def always(answer: str) -> Skill:
    """A model that says one thing whatever it is asked."""
    return lambda model, messages, schema, n: answer


def _plain(text: str) -> str:
    return " ".join(text.split())
