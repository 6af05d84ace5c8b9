"""The most that a request may cost, before it is sent."""

from __future__ import annotations

import json
from functools import lru_cache

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import PER_MESSAGE_TOKENS, Ask
from tailtune.services.endpoint.tokens import count_tokens


class Estimate:
    """One per model. Its answers may be as long as is allowed; its prompts are counted, and the count is corrected.

    Args:
        spec: Of the model.
        price: Of its tokens.

    Limit: until a prompt of a script that the count knows badly is answered, the estimate may be too low.
    """

    def __init__(self, spec: LanguageModelSpec, price: TokenPrice | None) -> None:
        self._spec, self._price = spec, price
        self._factor = 1.0

    def most_usd(self, ask: Ask) -> float | None:
        """US dollars at most; None without a price."""
        if self._price is None:
            return None
        return self._price.usd(self.prompt_tokens(ask), self._spec.max_output_tokens)

    def prompt_tokens(self, ask: Ask) -> int:
        """Tokens of a prompt, rather too many."""
        return round(self._counted(ask) * self._factor)

    def learn(self, ask: Ask, input_tokens: int | None) -> None:
        """A prompt had more tokens than counted: later ones are taken to have, too."""
        if input_tokens is not None:
            self._factor = max(self._factor, input_tokens / self._counted(ask))

    def _counted(self, ask: Ask) -> int:
        schema = (
            0 if ask.schema is None else _schema_tokens(json.dumps(ask.schema))
        )  # most servers put it into the prompt
        return schema + sum(count_tokens(message.content) + PER_MESSAGE_TOKENS for message in ask.messages)


@lru_cache(maxsize=64)
def _schema_tokens(text: str) -> int:
    return count_tokens(text)
