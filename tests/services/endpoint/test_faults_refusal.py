from __future__ import annotations

import json

import pytest

from tailtune.services.endpoint.faults import Refusal, read_refusal


@pytest.mark.parametrize(
    ("body", "text", "code"),
    [
        ({"error": {"message": "no", "code": "c", "type": "t", "param": "p"}}, "no", "c t p"),
        ({"error": "no"}, "no", ""),
        ({"detail": "Not Found"}, "Not Found", ""),
        ({"object": "error", "message": "no", "code": 404}, "no", "404"),
        ({"error": {"message": "no", "innererror": {"code": "Deep"}}}, "no", "Deep"),
        ({"odd": 1}, '{"odd": 1}', ""),
        ([1, 2], "[1, 2]", ""),
    ],
    ids=str,
)
def test_servers_refuse_in_many_shapes(body: object, text: str, code: str) -> None:
    assert read_refusal(400, json.dumps(body)) == Refusal(400, text, code)


def test_what_is_no_json_is_shown_on_one_line_and_short() -> None:
    found = read_refusal(502, "<html>\n  <h1>Bad gateway</h1>" + "x" * 1000)
    assert found.text.startswith("<html> <h1>Bad gateway</h1>")
    assert len(found.text) == 300


def test_a_key_is_blotted_out_wherever_it_stands() -> None:
    body = json.dumps({"error": {"message": "bad sk-1234", "code": "sk-1234", "param": "sk-1234"}})
    assert "sk-1234" not in repr(read_refusal(401, body, "sk-1234"))


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
        "the request exceeds the available context size, try increasing it",
        "prompt is too long: 9000 tokens > 8192 maximum",
        "'max_tokens' or 'max_completion_tokens' is too large: 512. This model's maximum context length is 400",
    ],
)
def test_prompts_that_do_not_fit_are_known_by_many_words(text: str) -> None:
    assert Refusal(400, text).too_long
    assert not Refusal(401, text).too_long


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (Refusal(404, "The model `x` does not exist", "model_not_found"), "no_model"),
        (Refusal(404, 'model "x" not found, try pulling it first'), "no_model"),
        (Refusal(400, "x is not a valid model", "model_not_found"), "no_model"),
        (Refusal(400, "refused", "content_filter"), "filtered"),
        (Refusal(400, "see Azure OpenAI's content management policy"), "filtered"),
        (Refusal(400, "'messages' is required"), ""),
        (Refusal(400, "Invalid parameter: 'response_format' is not supported with this model"), ""),
        (Refusal(500, "model crashed"), ""),
    ],
    ids=lambda value: value.text if isinstance(value, Refusal) else value,
)
def test_kinds_are_told_apart(refusal: Refusal, kind: str) -> None:
    assert [name for name in ("too_long", "no_model", "filtered") if getattr(refusal, name)] == ([kind] if kind else [])
