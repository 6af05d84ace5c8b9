"""Providers' habits, and servers that mean harm: a row, a parameter or a wait, never the run."""

from __future__ import annotations

import gzip
import importlib
import json
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double
from services.endpoint.helpers import SCHEMA, ask, asks, endpoint

from tailtune.core.errors import ContextTooLongError, EndpointError
from tailtune.services.endpoint import AnswerCache

ANSWER = '{"label": "a"}'


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as running:
        yield running


def error(message: str, status: int = 400, **more: Any) -> Mishap:
    return Mishap("raw", status, content={"error": {"message": message, **more}})


def body(content: Any = ANSWER, finish: str = "stop", usage: Any = None, **message: Any) -> dict[str, Any]:
    whole = {"role": "assistant", "content": content, **message}
    return {"object": "chat.completion", "choices": [{"message": whole, "finish_reason": finish}], "usage": usage or {}}


ROW_REFUSALS = {
    "deepseek": error("Content Exists Risk", code="invalid_request_error"),
    "openai": error("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", code="x"),
    "qwen": error("Input data may contain inappropriate content.", code="data_inspection_failed"),
    "azure": error("Triggered the content management policy.", code="content_filter"),
    "anthropic": error("Output blocked by content filtering policy"),
    "zhipu": error("系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301"),
    "openrouter": error("Your chosen model requires moderation and your input was flagged", 403),
    "legal": error("Unavailable For Legal Reasons", 451),
    "unknown words": error("Nein, das geht so nicht."),
    "no words": Mishap("raw", 400),
    "html": Mishap("raw", 400, content=b"<html><title>Request blocked</title></html>"),
    "firewall": Mishap("raw", 403, content=b"<!DOCTYPE html>\n<title>Attention Required! | Cloudflare</title>"),
    "mod_security": Mishap("raw", 406, content=b"<html><title>Not Acceptable!</title></html>"),
    "echo of the row": Mishap(
        "raw", 422, content={"detail": [{"loc": ["body"], "input": "the payment on my billing"}]}
    ),
    "list": Mishap("raw", 400, content=[{"error": {"code": 400, "message": "Nope", "status": "INVALID_ARGUMENT"}}]),
    "pydantic": Mishap("raw", 422, content={"detail": [{"loc": ["body"], "msg": "Value error, we do not do this"}]}),
    "200 with 400 inside": Mishap("raw", 200, content={"error": {"code": 400, "message": "Denied."}}),
    "200 with 403 inside": Mishap("raw", 200, content={"error": {"code": 403, "message": "input was flagged"}}),
    "200 with words": Mishap("raw", 200, content={"error": {"message": "content_policy_violation", "code": None}}),
    "choice with error": Mishap(
        "raw", 200, content={"choices": [{"error": {"code": 400, "message": "unsafe content"}}]}
    ),
    "no choices": Mishap("raw", 200, content={"object": "chat.completion", "choices": []}),
    "no choices, a reason": Mishap("raw", 200, content={"choices": None, "base_resp": {"status_msg": "new_sensitive"}}),
    "refusal": Mishap("raw", 200, content=body(None, refusal="I cannot help with that.")),
    "refusal beside a text": Mishap("raw", 200, content=body("", refusal="I cannot help with that.")),
    "finish": Mishap("raw", 200, content=body(None, "content_filter")),
    "finish of gemini": Mishap("raw", 200, content=body(None, "content_filter: PROHIBITED_CONTENT")),
    "finish SAFETY": Mishap("raw", 200, content=body(None, "SAFETY")),
    "finish of zhipu": Mishap("raw", 200, content=body("", "sensitive")),
}


@pytest.mark.parametrize("first", [False, True], ids=["amid others", "before all others"])
@pytest.mark.parametrize("habit", ROW_REFUSALS)
def test_a_refused_row_is_one_row(double: Double, tmp_path: Any, habit: str, first: bool) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite")
    double.conduct.filters, double.conduct.filtered = "poison", ROW_REFUSALS[habit]
    at = 0 if first else 3
    rows = [ask("poison" if place == at else f"number {place}") for place in range(8)]
    with endpoint(double, cache, concurrency=1) as model:
        replies = model.ask(rows)
        sent = len(double.seen)
        kept = model.ask(rows)
    cache.close()
    assert [reply.text for reply in replies] == [None if place == at else ANSWER for place in range(8)] or (
        replies[at].text == "" and [reply.text for reply in replies].count(ANSWER) == 7
    )
    assert replies[at].finish in ("content_filter", "refusal")
    assert [reply.text for reply in kept] == [reply.text for reply in replies]
    assert len(double.seen) == sent, "nothing is asked or paid twice"


NO_ANSWERS = {
    "broken off": body('{"la', "insufficient_system_resource"),
    "network": body("", "network_error"),
    "aborted": body("", "abort"),
    "no choice": {"object": "chat.completion", "choices": [None]},
    "delta": {"object": "chat.completion.chunk", "choices": [{"delta": {"content": ANSWER}, "finish_reason": "stop"}]},
    "completion": {"object": "text_completion", "choices": [{"text": ANSWER, "finish_reason": "stop"}]},
    "responses": {"object": "response", "output": [{"content": [{"type": "output_text", "text": ANSWER}]}]},
    "status in a text": {"error": {"code": "503", "message": "try later"}},
}


@pytest.mark.parametrize("habit", NO_ANSWERS)
def test_what_is_no_answer_is_asked_again(double: Double, habit: str) -> None:
    double.conduct.next(Mishap("raw", 200, content=NO_ANSWERS[habit]))
    with endpoint(double, retries=1) as model:
        (reply,) = model.ask(asks(1))
    assert (reply.text, reply.retries) == (ANSWER, 1)


def test_a_choice_that_was_filtered_or_cut_needs_no_message(double: Double) -> None:
    for finish in ("content_filter", "length"):
        double.conduct.next(Mishap("raw", 200, content={"choices": [{"finish_reason": finish}]}))
    with endpoint(double, concurrency=1) as model:
        assert [reply.finish for reply in model.ask(asks(2))] == ["content_filter", "length"]


def test_an_answer_in_pieces_is_whole(double: Double) -> None:
    double.conduct.next(Mishap("raw", 200, content=body(['{"label": ', {"type": "text", "text": '"a"}'}])))
    double.conduct.next(Mishap("raw", 200, content=body("{", "model_context_window_exceeded")))
    with endpoint(double, concurrency=1) as model:
        assert [(reply.text, reply.finish) for reply in model.ask(asks(2))] == [(ANSWER, "stop"), ("{", "length")]


@pytest.mark.parametrize(
    ("name", "is_noted"),
    [
        ("tiny", False),
        ("tiny-2026-08-07", False),
        ("lab/TINY:free", False),
        ("", False),
        (None, False),
        ("other", True),
    ],
)
def test_another_model_than_the_declared_one_is_noted(double: Double, name: Any, is_noted: bool) -> None:
    double.conduct.next(Mishap("raw", 200, content={**body(), "model": name}))
    with endpoint(double, model="tiny") as model:
        (reply,) = model.ask(asks(1))
    assert ("says that other answered, not tiny" in reply.note) == is_noted


def test_a_key_that_stands_as_the_models_name_is_not_noted(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-live-9f8e7d6c5b4a39281706")
    double.conduct.next(Mishap("raw", 200, content={**body(), "model": "with sk-live-9f8e7d6c5b4a39281706\x1b[2J"}))
    with endpoint(double, model="tiny", key_env="SOME_KEY") as model:
        (reply,) = model.ask(asks(1))
    assert "9f8e7d6c" not in reply.note and "\x1b" not in reply.note and "not tiny" in reply.note


REMEDIES = {
    "no credit": (402, {"error": {"message": "Insufficient credits"}}, "account's limits"),
    "no balance": (403, {"error": {"message": "insufficient balance"}}, "account's limits"),
    "page": (403, b"<html>Blocked by your company</html>", "proxy or firewall"),
    "late": (408, {"error": {"message": "Request Timeout"}}, "look at the server"),
}


@pytest.mark.parametrize("habit", REMEDIES)
def test_a_refusal_names_who_can_help(double: Double, habit: str) -> None:
    status, content, expected = REMEDIES[habit]
    double.conduct.coming.extend([Mishap("raw", status, content=content)] * 9)
    with endpoint(double, retries=0) as model, pytest.raises(EndpointError) as raised:
        model.ask(asks(1))
    assert expected in (raised.value.hint or "")


def test_a_gateway_that_takes_no_long_body_is_about_that_row(double: Double) -> None:
    double.conduct.next(Mishap("raw", 413, content=b"<html><title>413 Request Entity Too Large</title></html>"))
    with endpoint(double) as model, pytest.raises(ContextTooLongError):
        model.ask(asks(1))


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_many_refused_rows_at_once_do_not_end_the_run(double: Double, concurrency: int) -> None:
    double.conduct.filters, double.conduct.filtered = "poison", error("Nein.")
    double.conduct.latency_s = 0.02
    rows = [ask("poison" if place % 3 else "fine", sample=place) for place in range(30)]
    with endpoint(double, concurrency=concurrency) as model:
        replies = model.ask(rows)
    assert [reply.finish for reply in replies] == ["refusal" if place % 3 else "stop" for place in range(30)]


@pytest.mark.parametrize("message", ["Nein.", "Your credit balance is too low.", "Billing hard limit reached"])
def test_a_model_that_refuses_everything_ends_the_run(double: Double, tmp_path: Any, message: str) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite")
    with endpoint(double, cache, concurrency=2) as model:
        model.ask(asks(3))
        double.conduct.coming.extend([error(message)] * 20)
        with pytest.raises(EndpointError, match="cannot be asked"):
            model.ask([ask(f"later {place}") for place in range(20)])
    assert cache.rows() == 3
    cache.close()
    assert len(double.seen) <= 3 + 7


PARAMETER_REFUSALS = {
    "deprecated": ("temperature", "`temperature` is deprecated for this model."),
    "only the default": ("temperature", "'temperature' does not support 0 with this model. Only the default (1) is."),
    "extra": ("temperature", "temperature: Extra inputs are not permitted"),
    "positive": ("temperature", "`temperature` must be strictly positive"),
    "unknown": ("temperature", "Unknown parameter: 'temperature'."),
    "unrecognised": ("max_tokens", "Unrecognized request argument supplied: max_tokens"),
    "instead": ("max_tokens", "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
    "no form": ("response_format", "This response_format type is unavailable now"),
    "no grammar": ("response_format", "structured outputs are disabled on this server"),
}


@pytest.mark.parametrize("habit", PARAMETER_REFUSALS)
def test_a_refused_parameter_is_left_out_and_noted(double: Double, habit: str) -> None:
    name, message = PARAMETER_REFUSALS[habit]
    double.conduct.next(error(message))
    with endpoint(double, concurrency=1) as model:
        replies = model.ask(asks(3, SCHEMA))
    assert name in double.seen[0].body and len(double.seen) == 4
    sent = [seen.body.get(name) for seen in double.seen[1:]]
    assert sent == [None if name != "response_format" else {"type": "json_object"}] * 3
    assert all(reply.text == ANSWER for reply in replies)
    words = {"response_format": "the server refuses json_schema"}.get(name, f"{name} was refused")
    assert all(words in reply.note for reply in replies)


DECLARED_REFUSALS = {
    "unrecognised": "Unrecognized request argument supplied: reasoning_effort",
    "unsupported": "Unsupported parameter: 'reasoning_effort' is not supported with this model.",
    "value": "Unsupported value: 'reasoning_effort' does not support 'low'; temperature is fine.",
    "extra": "[{'type': 'extra_forbidden', 'loc': ('body', 'reasoning_effort'), 'msg': 'Extra inputs not permitted'}]",
    "listed": "unknown field `reasoning_effort`, expected one of `messages`, `max_tokens`, `temperature`, `stop`",
}


@pytest.mark.parametrize("habit", DECLARED_REFUSALS)
def test_a_refused_parameter_that_is_declared_ends_the_run_at_once_with_the_key_to_write(
    double: Double, habit: str
) -> None:
    double.conduct.coming.extend([error(DECLARED_REFUSALS[habit])] * 9)
    asking = endpoint(double, concurrency=1, request={"reasoning_effort": "low"})
    with asking as model, pytest.raises(EndpointError, match="cannot be asked") as raised:
        model.ask(asks(9))
    assert "change reasoning_effort under request of small" in (raised.value.hint or "")
    assert len(double.seen) == 1


def test_the_parameter_that_a_server_names_is_the_one_that_is_changed(double: Double) -> None:
    """A list of all that it takes names the others, too."""
    double.conduct.next(error("unknown field `max_tokens`, expected one of `temperature`, `max_completion_tokens`"))
    with endpoint(double) as model:
        (reply,) = model.ask(asks(1))
    assert double.seen[1].body["temperature"] == 0 and double.seen[1].body["max_completion_tokens"] == 16
    assert "`request: {max_completion_tokens: $max_output_tokens}`" in reply.note


def test_a_refused_value_of_ours_names_the_key_to_write(double: Double) -> None:
    double.conduct.coming.extend([error("must be less than 8", param="max_completion_tokens")] * 9)
    declared = {"request": {"max_completion_tokens": "$max_output_tokens"}}
    with endpoint(double, concurrency=1, **declared) as model, pytest.raises(EndpointError) as raised:
        model.ask(asks(6))
    assert "change max_output_tokens of small" in (raised.value.hint or "")
    assert len(double.seen) == 1


LIMITS = {
    "in seconds": Mishap("status", 429, retry_after_s=0.05),
    "in words": error("Rate limit reached. Please try again in 60ms.", 429),
    "unsaid": error("Too many requests", 429),
    "inside a 200": Mishap("raw", 200, content={"error": {"code": 429, "message": "retry in 50ms"}}),
    "overloaded": Mishap("raw", 529, content={"error": {"message": "Overloaded"}}, headers={"Retry-After": "0.05"}),
}


@pytest.mark.parametrize("habit", LIMITS)
def test_a_rate_limit_is_waited_out(double: Double, habit: str) -> None:
    """No retry is declared: a rate limit is no failure. Twelve refusals among forty rows lose and repeat none."""
    double.conduct.coming.extend([LIMITS[habit]] * (2 if habit == "unsaid" else 4))
    with endpoint(double, concurrency=2) as model:
        replies = model.ask(asks(6))
    assert [reply.text for reply in replies] == [ANSWER] * 6
    answered = len(double.seen) - (2 if habit == "unsaid" else 4)
    assert (answered, sum(reply.retries for reply in replies) > 0) == (6, True)


@pytest.mark.parametrize("seconds", ["3600", "1e999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_without_end_is_refused_at_once(double: Double, seconds: str) -> None:
    double.conduct.next(Mishap("raw", 429, content={}, headers={"Retry-After": seconds}))
    with endpoint(double, retries=4) as model, pytest.raises(EndpointError, match="within rate_limit_wait_s: 600"):
        model.ask(asks(1))
    assert len(double.seen) == 1


DEEP = b"[" * 100_000 + b"]" * 100_000
OUTSIDE = {
    "another host": {"Location": "http://example.invalid/v1/chat/completions"},
    "another port": {"Location": "http://127.0.0.1:1/v1/chat/completions"},
    "another scheme": {"Location": "ftp://127.0.0.1/v1"},
    "a password": {"Location": "http://someone:secret@example.invalid/"},
    "no address": {"Location": "http://[::1"},
    "round and round": {"Location": "/v1/chat/completions"},
}
CHARSETS = {
    "zlib": zlib.compress(b"a" * 50_000_000),
    "punycode": b"x-" + b"9" * 100_000,
    **dict.fromkeys(["bz2", "rot13", "undefined", "idna", "utf-7", "unicode_escape", "nothing"], b"\\N{ \xff"),
}
HARM = {
    "deep": (Mishap("raw", 200, content=b'{"choices": ' + DEEP + b"}"), "nested too deeply"),
    "deep refusal": (Mishap("raw", 400, content=b'{"error": ' + DEEP + b"}"), "cannot be asked"),
    "huge": (Mishap("raw", 200, content=b'{"choices": "' + b"a" * 40_000_000 + b'"}'), "longer than 4 MiB"),
    "huge refusal": (Mishap("raw", 400, content=b"a" * 40_000_000), "longer than 4 MiB"),
    "gzip bomb": (
        Mishap("raw", 200, content=gzip.compress(b"a" * 200_000_000), headers={"Content-Encoding": "gzip"}),
        "longer than 4 MiB",
    ),
    **{
        f"charset {charset}": (
            Mishap("raw", 400, content=content, headers={"Content-Type": f"application/json; charset={charset}"}),
            "HTTP 400",
        )
        for charset, content in CHARSETS.items()
    },
    "many lists": (Mishap("raw", 400, content=b'{"error": [' + b"[]," * 5_000_000 + b"1]}"), "longer than 4 MiB"),
    "many lists below the limit": (
        Mishap("raw", 200, content=b'{"error": [' + b"[]," * 50_000 + b"1]}"),
        r"failed 1 times: \[\[\]",
    ),
    "events": (Mishap("raw", 200, content=b"data: {}", headers={"Content-Type": "text/event-stream"}), "not JSON"),
    "a page": (Mishap("raw", 200, content=b"<html>Log in", headers={"Content-Type": "text/html"}), "not JSON"),
    "an image": (Mishap("raw", 200, content=bytes(range(256)), headers={"Content-Type": "image/png"}), "not JSON"),
    "UTF-16": (Mishap("raw", 200, content='{"choices": 7}'.encode("utf-16")), "no choices"),
    "no content": (Mishap("raw", 204), "not JSON"),
    "a torn gzip": (Mishap("raw", 200, content=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}), "not JSON"),
    "a header of a megabyte": (Mishap("raw", 200, headers={"X-Long": "a" * 2**20}), "does not answer"),
    "unknown coding": (Mishap("raw", 200, content=b"x", headers={"Content-Encoding": "br"}), "compressed as 'br'"),
    "half characters": (
        Mishap("raw", 401, content=b'{"error": {"message": "\\ud800\\u001b[31m"}}'),
        r"\? ?\[31m",
    ),
    **{name: (Mishap("raw", 308, headers=headers), "redirects|no address") for name, headers in OUTSIDE.items()},
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_one_line_bounded_in_time_and_memory(double: Double, harm: str) -> None:
    mishap, expected = HARM[harm]
    importlib.import_module("openai")  # imports are not what is measured
    double.conduct.coming.extend([mishap] * 7)
    tracemalloc.start()
    began = time.monotonic()
    with endpoint(double) as model, pytest.raises(EndpointError, match=expected) as raised:
        model.ask(asks(1))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - began < 5
    assert most < 150 * 2**20
    assert "\n" not in raised.value.message and len(raised.value.message) < 600
    assert "secret" not in raised.value.message
    raised.value.message.encode()


def test_a_redirect_within_the_origin_is_followed_with_the_question(double: Double) -> None:
    double.conduct.next(Mishap("raw", 301, headers={"Location": "/v1/chat/completions"}))
    with endpoint(double) as model:
        assert model.ask(asks(1))[0].text == ANSWER
    assert double.seen[0].body == double.seen[1].body


@pytest.mark.parametrize("tokens", [-1, 2**63, 10**400, "120", True, 1.5, None, [], {"a": 1}], ids=repr)
def test_a_count_that_is_none_is_reckoned(double: Double, tmp_path: Any, tokens: Any) -> None:
    usage = {"prompt_tokens": tokens, "completion_tokens": tokens, "prompt_tokens_details": {"cached_tokens": tokens}}
    cache = AnswerCache(tmp_path / "answers.sqlite")
    double.conduct.next(Mishap("raw", 200, content=json.dumps(body(usage=usage)).encode()))
    with endpoint(double, cache) as model:
        (reply,) = model.ask(asks(1))
    cache.close()
    assert (reply.text, reply.usd_estimated) == (ANSWER, True)
    assert 5 < (reply.input_tokens or 0) < 100 and 2 < (reply.output_tokens or 0) < 20


@pytest.mark.parametrize("content", ["\ud800", [{"text": "a\udfff"}], 5], ids=ascii)
def test_half_characters_can_be_kept(double: Double, tmp_path: Any, content: Any) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite")
    double.conduct.message, double.conduct.finish = {"content": content}, "\ud800stop"
    with endpoint(double, cache) as model:
        first = model.ask([ask("text \ud800")])[0]
        kept = model.ask([ask("text \ud800")])[0]
    cache.close()
    assert (kept.text, kept.from_cache) == (first.text, True)
    (first.text or "").encode()


REASONING_PARTS = {
    "a field": {"reasoning_content": "It could be b.", "content": ANSWER},
    "parts": {"content": [{"type": "reasoning", "text": '{"label": "b"}'}, {"type": "text", "text": ANSWER}]},
    "thinking": {"content": [{"type": "thinking", "thinking": [{"text": "b"}]}, {"type": "text", "text": ANSWER}]},
}


@pytest.mark.parametrize("habit", REASONING_PARTS)
def test_reasoning_in_a_place_of_its_own_is_no_answer(double: Double, habit: str) -> None:
    double.conduct.message = REASONING_PARTS[habit]
    with endpoint(double) as model:
        assert model.ask(asks(1))[0].text == ANSWER


@pytest.mark.parametrize("finish", ["length", "MAX_TOKENS", "max_tokens", "max_output_tokens", "model_length"])
def test_an_answer_that_was_cut_off_says_so(double: Double, finish: str) -> None:
    double.conduct.finish = finish
    with endpoint(double) as model:
        assert model.ask(asks(1))[0].finish == "length"
