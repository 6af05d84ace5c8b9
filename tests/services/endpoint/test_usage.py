"""What providers and gateways really send as usage, and what they charge for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.endpoint.helpers import PRICE
from tailtune.services.endpoint.usage import Usage, read_usage


def details(reasoning: int) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": reasoning}}


def cached(tokens: int, **more: int) -> dict[str, Any]:
    return {"prompt_tokens_details": {"cached_tokens": tokens, **more}}


def total(read: int | None, written: int | None, whole: int | None = None, **more: Any) -> dict[str, Any]:
    figures = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": whole, **more}
    return {name: value for name, value in figures.items() if value is not None}


PROVIDERS = {
    "openai": (total(100, 60, 160, **details(50), **cached(40)), Usage(100, 60, 40, 0, 50)),
    "openai, cache writes": (total(100, 6, 106, **cached(40, cache_write_tokens=50)), Usage(100, 6, 40, 50)),
    "deepseek": (total(100, 60, 160, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36), Usage(100, 60, 64)),
    "moonshot": (total(100, 60, 160, cached_tokens=64), Usage(100, 60, 64)),
    "xai": (total(10120, 1499, 14428, **cached(128), **details(2809)), Usage(10120, 4308, 128, 0, 2809)),
    "gemini": (total(20, 198, 623), Usage(20, 603)),
    "gemini, nothing visible": (total(21, 0, 81, **details(60)), Usage(21, 60, 0, 0, 60)),
    "gemini, no total": (total(21, 5, None, **details(60)), Usage(21, 65, 0, 0, 60)),
    "gemini, no completion": (total(21, None, 81), Usage(21, 60)),
    "litellm before anthropic": (
        total(2006, 300, 2306, **cached(1920), cache_creation_input_tokens=50, cache_read_input_tokens=1920),
        Usage(2006, 300, 1920, 50),
    ),
    "anthropic": (
        {"input_tokens": 13, "output_tokens": 7, "cache_read_input_tokens": 2803, "cache_creation_input_tokens": 5},
        Usage(2821, 7, 2803, 5),
    ),
    "anthropic, cache smaller than the rest": (
        {"input_tokens": 500, "output_tokens": 7, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 0},
        Usage(800, 7, 300),
    ),
    "a gateway, cache beside the prompt": (total(500, 7, 807, **cached(300)), Usage(800, 7, 300)),
    "a gateway, cache and reasoning beside": (
        total(500, 7, 816, **cached(300), **details(9)),
        Usage(800, 16, 300, 0, 9),
    ),
    "responses": (
        {"input_tokens": 100, "output_tokens": 60, "input_tokens_details": {"cached_tokens": 40}},
        Usage(100, 60, 40),
    ),
    "vllm": (total(9, 2, 11, prompt_tokens_details=None), Usage(9, 2)),
    "perplexity": (total(9, 2, 11, cost={"total_cost": 5.006}), Usage(9, 2)),
    "a total that is too small": (total(9, 20, 11), Usage(9, 20)),
    "a reasoning that is none": (total(500, 7, 507, **details(500)), Usage(500, 7, 0, 0, 7)),
    "zeros": (total(0, 0, 0), Usage(None, 0)),
    "nothing": ({}, Usage()),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_charged_is_counted(provider: str) -> None:
    sent, expected = PROVIDERS[provider]
    assert read_usage({"usage": sent}) == expected


@pytest.mark.parametrize("count", [12.0, 12])
def test_a_count_is_one_however_it_is_written(count: float) -> None:
    assert read_usage({"usage": {"prompt_tokens": count, "completion_tokens": count}}) == Usage(12, 12)


@pytest.mark.parametrize("count", [1.5, float("inf"), float("nan"), -1.0, True, "12", 2**63])
def test_what_is_no_count_is_not_reported(count: object) -> None:
    assert read_usage({"usage": {"prompt_tokens": count, "completion_tokens": count}}) == Usage()


def test_every_kind_of_token_has_its_price() -> None:
    price = PRICE.model_copy(update={"cache_write_usd_per_million": 5_000})
    assert Usage(100, 10, 60, 20, 9).usd(price) == pytest.approx((20 * 1000 + 60 * 100 + 20 * 5000 + 10 * 2000) / 1e6)
    assert Usage(100, None).usd(price) is None


def test_attempts_add_up() -> None:
    assert Usage(10, 1, 5).plus([Usage(10, 0, 2), Usage(10, 4)]) == Usage(30, 5, 7)
    assert Usage(None, 1).plus([Usage(10, 1)]) == Usage(None, 1)


COUNT = st.none() | st.integers(-1, 10**6) | st.sampled_from([2**63, "12", True, 1.5])
NAMES = [
    "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cached_tokens",
    "reasoning_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
]  # fmt: skip
COUNTS = st.dictionaries(st.sampled_from(NAMES), COUNT)


@given(COUNTS, COUNTS, COUNTS)
def test_no_usage_is_charged_for_less_than_it_reports(usage: Any, prompt: Any, completion: Any) -> None:
    found = read_usage({"usage": {**usage, "prompt_tokens_details": prompt, "completion_tokens_details": completion}})
    read, written = found.input_tokens or 0, found.output_tokens or 0
    assert 0 <= found.cached_input_tokens + found.cache_write_tokens <= read
    assert 0 <= found.reasoning_tokens <= written
    for name, least in (("prompt_tokens", read), ("completion_tokens", written)):
        reported = usage.get(name)
        if isinstance(reported, int) and not isinstance(reported, bool) and 0 <= reported <= 10**6:
            assert least >= reported
