from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tailtune.config.prompting import LanguageModelSpec
from tailtune.config.request import parameters

NOTHING_REFUSED: dict[str, str | None] = {}


def spec(request: Any, **more: Any) -> LanguageModelSpec:
    declared = {"name": "small", "endpoint": "http://127.0.0.1:1/v1", "request": request, **more}
    return LanguageModelSpec.model_validate(declared)


def sent(text: str, without: dict[str, str | None] = NOTHING_REFUSED) -> dict[str, Any]:
    return parameters(spec(yaml.safe_load(text)).request, 512, 0.0, without)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("{}", {"max_tokens": 512, "temperature": 0.0}),
        ("{temperature: null}", {"max_tokens": 512}),
        ("{max_tokens: null}", {"temperature": 0.0}),
        ("{max_tokens: null, temperature: null}", {}),
        ("{max_completion_tokens: $max_output_tokens}", {"max_completion_tokens": 512, "temperature": 0.0}),
        ("{max_tokens: $max_output_tokens}", {"max_tokens": 512, "temperature": 0.0}),
        (
            "{options: {num_predict: $max_output_tokens, heat: [$temperature]}, temperature: null}",
            {"options": {"num_predict": 512, "heat": [0.0]}},
        ),
        (
            "{reasoning_effort: low, seed: 7, stop: [a, b], extra: {inner: null}, never_sent: null}",
            {"max_tokens": 512, "temperature": 0.0, "reasoning_effort": "low", "seed": 7, "stop": ["a", "b"],
             "extra": {"inner": None}},
        ),
    ],
)  # fmt: skip
def test_it_sets_renames_and_leaves_out(text: str, body: dict[str, Any]) -> None:
    assert sent(text) == body


def test_what_a_server_refused_is_sent_otherwise_unless_declared() -> None:
    refused: dict[str, str | None] = {"max_tokens": "max_completion_tokens", "temperature": None}
    assert sent("{seed: 1}", refused) == {"max_completion_tokens": 512, "seed": 1}
    assert sent("{limit: $max_output_tokens}", refused) == {"limit": 512}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{messages: []}", "messages cannot be set here: prompts are the files in prompts/"),
        ("{model: gpt}", "name it by the key `model`"),
        ("{stream: true}", "answers are read whole"),
        ("{n: 3}", "each would be paid"),
        ("{tools: []}", "answers are read from the text"),
        ("{extra_body: {seed: 1}}", "right below request"),
        ("{response_format: {type: text}}", "set structured: none"),
        ("{temperature: 1}", "temperature: set temperature of the model, beside request"),
        ("{max_completion_tokens: 9000}", "max_completion_tokens: $max_output_tokens here"),
        ("{limit: $max_tokens}", "did you mean $max_output_tokens?"),
        ("{user: $HOME}", "environment variables are not read here"),
        ("{user: '${OPENAI_API_KEY}'}", "environment variables are not read here"),
        ("{api_key: abc}", "holds a key or a password"),
        ("{metadata: {Authorization: abc}}", "holds a key or a password"),
        ("{user: sk-proj-abcdefghijklmnopqrstuvwx}", "holds a key or a password"),
        ("{user: Bearer abc}", "holds a key or a password"),
        ("{callback: 'https://me:word@example.com'}", "holds a key or a password"),
        ("{callback: 'https://example.com/?api_key=abc'}", "holds a key or a password"),
        ("{since: 2026-01-01}", "put it into quotes"),
        ("{logit_bias: {50256: -100}}", "put it into quotes"),
        ("{'two words': 1}", "no name of a parameter"),
        ("{guided_regex: " + "a" * 20_001 + "}", "longer than 20,000"),
        ("{deep: " + "[" * 14 + "]" * 14 + "}", "nested more than"),
    ],
    ids=lambda text: text[:40],
)
def test_what_the_product_owns_and_what_is_secret_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        spec(yaml.safe_load(text))
    assert words in str(raised.value) and "request of small" in str(raised.value)


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ValidationError, match=r"stream cannot .*; n cannot"):
        spec({"stream": True, "seed": 1, "n": 2})


def test_without_constraints_the_format_is_free() -> None:
    assert spec({"response_format": {"type": "text"}}, structured="none").request


@pytest.mark.parametrize(
    "name", ["prompt_cache_key", "max_tokens", "min_tokens", "safety_identifier", "stop_token_ids"]
)
def test_harmless_names_are_no_secrets(name: str) -> None:
    assert spec({name: "$max_output_tokens" if name == "max_tokens" else "support-tickets"}).request


def test_a_local_model_has_no_request() -> None:
    with pytest.raises(ValidationError, match="it is for endpoints"):
        LanguageModelSpec.model_validate({"name": "small", "folder": "lm", "request": {"seed": 1}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(st.from_regex(r"x_[a-z]{1,9}", fullmatch=True), JSON, max_size=4))
def test_any_json_goes_through_as_it_is_or_is_refused(request: dict[str, Any]) -> None:
    try:
        declared = spec(request)
    except ValidationError:
        return
    body = parameters(declared.request, 512, 0.0, NOTHING_REFUSED)
    expected = {name: value for name, value in request.items() if value is not None}
    if "$" not in json.dumps(request):
        assert body == {"max_tokens": 512, "temperature": 0.0, **expected}
    again = LanguageModelSpec.model_validate_json(declared.model_dump_json())
    assert again.request == declared.request
