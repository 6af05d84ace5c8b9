"""Prompts that fit into a model's context: examples are dropped, least telling first, until they do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import ContextTooLongError
from tailtune.core.language import PER_MESSAGE_TOKENS, Message
from tailtune.predictors.prompted.examples import Example, Examples
from tailtune.predictors.prompted.templates import Template, render


@dataclass(frozen=True, slots=True)
class Prompt:
    """One per text: what is sent.

    Attributes:
        text: What is to be answered.
        messages: The prompt.
        examples: Those that it shows.
        tokens: Of the messages, as the model counts or estimates.
        dropped: Examples that did not fit.
        fits: Whether it can be sent: False when it is too long without any example.
    """

    text: str
    messages: tuple[Message, ...]
    examples: tuple[Example, ...]
    tokens: int
    dropped: int = 0
    fits: bool = True


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
        """The prompt of each text, with as many of its examples as fit; one that fits with none says so.

        Raises:
            ContextTooLongError: The prompt leaves no room for any text.
        """
        return [
            self._fitted(place, text, examples)
            for place, (text, examples) in enumerate(zip(texts, self.examples.near(texts), strict=True))
        ]

    @property
    def bare_tokens(self) -> int:
        """Tokens of the prompt without a text or example."""
        return self._prompt("", (), 0).tokens

    @property
    def room(self) -> int:
        """Tokens that a prompt may have."""
        return self.spec.context_tokens - self.spec.max_output_tokens

    def shorten(self, prompts: list[Prompt], places: Sequence[int], refused: int) -> None:
        """Halve the examples of a prompt that the server refused, and of all that are as long, in place.

        One that shows no example is too long for good; others, whose lengths are only estimated, are still tried.

        Args:
            prompts: One per text.
            places: Of those that are not answered yet.
            refused: Place of the refused one.
        """
        if not prompts[refused].examples:
            prompts[refused] = replace(prompts[refused], fits=False)
            return
        limit = prompts[refused].tokens
        for place in places:
            prompt = prompts[place]
            less = math.ceil(len(prompt.examples) / 2)
            if prompt.tokens >= limit and less:
                prompts[place] = self._prompt(prompt.text, prompt.examples[less:], prompt.dropped + less)

    def _fitted(self, place: int, text: str, examples: Sequence[Example]) -> Prompt:
        for dropped in range(len(examples) + 1):
            prompt = self._prompt(text, examples[dropped:], dropped)
            if prompt.tokens <= self.room:
                return prompt
        bare = self.bare_tokens
        if bare > self.room:
            raise ContextTooLongError(
                f"the prompt {self.template.name} does not fit into the context of {self.spec.name}: about {bare:,} "
                f"tokens without a text or example and {self.spec.max_output_tokens:,} for the answer, of "
                f"{self.spec.context_tokens:,}",
                f"raise context_tokens of {self.spec.name} if it has more, lower max_output_tokens, or shorten the "
                "prompt",
                place,
            )
        return replace(prompt, fits=False)

    def _prompt(self, text: str, examples: Sequence[Example], dropped: int) -> Prompt:
        messages = tuple(render(self.template, self.variables, examples, text))
        tokens = sum(self.count(message.content) + PER_MESSAGE_TOKENS for message in messages)
        return Prompt(text, messages, tuple(examples), tokens, dropped)
