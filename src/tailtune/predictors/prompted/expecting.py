"""What asking a prompted rung will take, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tailtune.config.prices import TokenPrice, list_usd
from tailtune.predictors.prompted.rung import Prompted

_SAMPLE_TEXTS = 50


@dataclass(frozen=True, slots=True)
class Expected:
    """One per rung and set of texts.

    Attributes:
        input_tokens: Of all prompts.
        output_tokens: Of all answers.
        usd: At list price; None when no price is declared, 0 for a local model.
    """

    input_tokens: float
    output_tokens: float
    usd: float | None


def expected(rung: Prompted, texts: Sequence[str], price: TokenPrice | None) -> Expected:
    """Tokens and dollars of asking a rung every text, from the first texts' prompts; rather too high.

    Args:
        rung: Whom to ask.
        texts: All of them.
        price: Of its model's tokens.

    Raises:
        ContextTooLongError: The prompt leaves no room for any text.

    Limit: how long answers are is not known before; the rung says what it expects.
    """
    sample = texts[:_SAMPLE_TEXTS]
    read, written = rung.expected_tokens(sample)
    scale = len(texts) / max(1, len(sample))
    cost = 0.0 if rung.spec.folder is not None else list_usd(price, round(read * scale), round(written * scale))
    return Expected(read * scale, written * scale, cost)
