"""Short ways to say what is asked, of whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from doubles.endpoint import Double

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import Ask, Message
from tailtune.services.endpoint import AnswerCache, Budget, Endpoint

PRICE = TokenPrice(input_usd_per_million=1_000, output_usd_per_million=2_000, cached_input_usd_per_million=100)
SCHEMA = {
    "type": "object",
    "properties": {"label": {"type": "string", "enum": ["a", "b"]}},
    "required": ["label"],
    "additionalProperties": False,
}


def asks(count: int, schema: Mapping[str, Any] | None = None, sample: int = 0) -> list[Ask]:
    return [ask(f"number {i}", schema, sample) for i in range(count)]


def ask(text: str, schema: Mapping[str, Any] | None = None, sample: int = 0) -> Ask:
    return Ask((Message("system", "Say the label."), Message("user", f"Text:\n{text}")), schema, sample)


def spec_of(double: Double, **declared: Any) -> LanguageModelSpec:
    given = {"name": "small", "endpoint": double.url, "retries": 0, "max_output_tokens": 16, **declared}
    return LanguageModelSpec.model_validate(given)


@contextmanager
def endpoint(
    double: Double,
    cache: AnswerCache | None = None,
    budget: Budget | None = None,
    price: TokenPrice | None = PRICE,
    **declared: Any,
) -> Iterator[Endpoint]:
    model = Endpoint(spec_of(double, **declared), price, cache, budget)
    try:
        yield model
    finally:
        model.close()
