"""Prompts that fit into a model's context: examples are dropped, least telling first, until they do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tailtune.core.errors import ContextTooLongError
from tailtune.core.language import Message
from tailtune.predictors.prompted.examples import Example, Examples
from tailtune.predictors.prompted.templates import Template, render
from tailtune.spec.prompting import LanguageModelSpec

_PER_MESSAGE_TOKENS = 8  # role and separators of a chat template


@dataclass(frozen=True, slots=True)
class Prompt:
    """One per text: what is sent.

    Attributes:
        text: What is to be answered.
        messages: The prompt.
        examples: Those that it shows.
        tokens: Of the messages, as the model counts or estimates.
        dropped: Examples that did not fit.
    """

    text: str
    messages: tuple[Message, ...]
    examples: tuple[Example, ...]
    tokens: int
    dropped: int = 0


@dataclass(frozen=True)
class Fitter:
    """One per rung that asks.

    Attributes:
        template: The prompt.
        variables: What the codec offers it.
        examples: Chooses what it shows.
        spec: Of the model: how long its context is, and how much of it an answer may take.
        count: Tokens of a text, rather too high.
    """

    template: Template
    variables: Mapping[str, Any]
    examples: Examples
    spec: LanguageModelSpec
    count: Callable[[str], int]

    def prompts(self, texts: Sequence[str]) -> list[Prompt]:
        """The prompt of each text, with as many of its examples as fit.

        Raises:
            ContextTooLongError: A text does not fit without any.
        """
        return [
            self._fitted(place, text, examples)
            for place, (text, examples) in enumerate(zip(texts, self.examples.near(texts), strict=True))
        ]

    def shorten(self, prompts: list[Prompt], places: Sequence[int], refused: int, error: ContextTooLongError) -> None:
        """Halve the examples of a prompt that the server refused, and of all that are as long, in place.

        Args:
            prompts: One per text.
            places: Of those that are not answered yet.
            refused: Place of the refused one.
            error: What the server said.

        Raises:
            ContextTooLongError: The refused one shows no example.
        """
        if not prompts[refused].examples:
            raise ContextTooLongError(
                f"text {refused + 1} does not fit into the context of {self.spec.name}: about "
                f"{prompts[refused].tokens:,} tokens without any example; it says: {error.message}",
                "shorten the prompt, lower curate.max_chars, or declare a model with a longer context",
                refused,
            )
        limit = prompts[refused].tokens
        for place in places:
            one = prompts[place]
            less = math.ceil(len(one.examples) / 2)
            if one.tokens >= limit and less:
                prompts[place] = self._prompt(one.text, one.examples[less:], one.dropped + less)

    def _fitted(self, place: int, text: str, examples: Sequence[Example]) -> Prompt:
        room = self.spec.context_tokens - self.spec.max_output_tokens
        for dropped in range(len(examples) + 1):
            prompt = self._prompt(text, examples[dropped:], dropped)
            if prompt.tokens <= room:
                return prompt
        raise ContextTooLongError(
            f"text {place + 1} does not fit into the context of {self.spec.name}: about {prompt.tokens:,} tokens "
            f"without any example and {self.spec.max_output_tokens:,} for the answer, of {self.spec.context_tokens:,}",
            f"raise context_tokens of {self.spec.name} if it has more, lower max_output_tokens, or shorten the prompt",
            place,
        )

    def _prompt(self, text: str, examples: Sequence[Example], dropped: int) -> Prompt:
        messages = tuple(render(self.template, self.variables, examples, text))
        tokens = sum(self.count(message.content) + _PER_MESSAGE_TOKENS for message in messages)
        return Prompt(text, messages, tuple(examples), tokens, dropped)
