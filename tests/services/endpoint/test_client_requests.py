from __future__ import annotations

import time

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double

from services.endpoint.helpers import PRICE, SCHEMA, ask, asks, endpoint
from tailtune.core.errors import EndpointError
from tailtune.services.endpoint import AnswerCache, Budget


def failure_of(double: Double, **declared: object) -> EndpointError:
    with endpoint(double, **declared) as model, pytest.raises(EndpointError) as raised:
        model.ask(asks(1))
    assert raised.value.exit_code == 4
    assert double.url.split("/")[2] in raised.value.message, "where it went wrong"
    assert raised.value.hint
    return raised.value


def test_the_wait_that_a_server_asks_for_is_kept(double: Double) -> None:
    """A second; without it half of one would have passed."""
    double.conduct.next(Mishap("status", 429, retry_after_s=1.0))
    with endpoint(double, retries=1) as model:
        (reply,) = model.ask(asks(1))
    assert reply.retries == 1
    assert double.seen[1].at - double.seen[0].at >= 1.0


@pytest.mark.parametrize("kind", ["status", "broken", "hang up", "error in 200"])
def test_what_may_end_otherwise_is_sent_again(double: Double, cache: AnswerCache, kind: str) -> None:
    double.conduct.next(Mishap(kind, 500))
    with endpoint(double, cache, retries=1) as model:
        (reply,) = model.ask(asks(1))
    assert (reply.text, reply.retries, len(double.seen), cache.rows()) == ('{"label": "a"}', 1, 2, 1)


@pytest.mark.parametrize(
    ("mishap", "expected"),
    [
        (Mishap("status", 500, 0.01, "out of memory"), r"failed 2 times: HTTP 500, out of memory"),
        (Mishap("broken"), r"failed 2 times.*not JSON: '\{\"id\""),
        (Mishap("error in 200", message="upstream is down"), "upstream is down"),
        (Mishap("hang up"), r"does not answer \(2 attempts\)"),
    ],
    ids=lambda value: value.kind if isinstance(value, Mishap) else "",
)
def test_what_stays_wrong_is_told_and_not_kept(
    double: Double, cache: AnswerCache, mishap: Mishap, expected: str
) -> None:
    double.conduct.next(mishap, mishap)
    with endpoint(double, cache, retries=1) as model, pytest.raises(EndpointError, match=expected):
        model.ask(asks(1))
    assert (len(double.seen), cache.rows()) == (2, 0)


def test_a_quota_that_is_spent_is_not_waited_for(double: Double) -> None:
    double.conduct.next(Mishap("status", 429, message="You exceeded your current quota, check your plan and billing."))
    error = failure_of(double)
    assert "no credit or quota is left: HTTP 429, You exceeded" in error.message
    assert "account's limits" in str(error.hint)
    assert len(double.seen) == 1


@pytest.mark.parametrize("kind", ["stall", "drip"])
def test_the_time_out_is_over_the_whole_request(double: Double, kind: str) -> None:
    """A byte every twentieth of a second would go on for ten."""
    double.conduct.next(Mishap(kind))
    begun = time.monotonic()
    error = failure_of(double, timeout_s=0.4)
    assert 0.4 <= time.monotonic() - begun < 4
    assert "timeout_s: 0.4 in 1 attempt" in error.message
    assert "timeout_s of small" in str(error.hint)


def test_nobody_answers_at_that_address() -> None:
    with Double() as gone:
        pass
    error = failure_of(gone)
    assert "does not answer" in error.message
    assert "endpoint of small" in str(error.hint)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_names_the_variable_and_never_the_key(
    double: Double, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-wrong-0123456789")
    if status == 401:
        double.conduct.key = "sk-right"  # the server repeats what it was given
    else:
        double.conduct.next(Mishap("status", 403, message="key sk-wrong-0123456789 has no access"))
    error = failure_of(double, key_env="MY_KEY")
    assert "the key in MY_KEY is refused" in error.message
    assert "***" in error.message
    assert "sk-wrong" not in str(error) + repr(error.__cause__) + repr(
        error.__context__.args if error.__context__ else ""
    )


def test_a_missing_key_is_told_how_to_be_declared(double: Double) -> None:
    double.conduct.key = "sk-right"
    error = failure_of(double)
    assert "wants a key" in error.message
    assert "key_env of small" in str(error.hint)


def test_a_wrong_model_name_lists_the_nearest(double: Double) -> None:
    double.conduct.models = (*(f"thing-{i}" for i in range(11)), "small-2")
    error = failure_of(double)
    assert "it offers small-2, thing-" in error.message
    assert error.message.count("thing-") == 9
    assert "and 2 more" in error.message
    assert "model of small" in str(error.hint)


def test_asking_for_the_list_of_models_costs_nothing(double: Double) -> None:
    double.conduct.models = ("small-2",)
    budget = Budget(1)
    with endpoint(double, budget=budget) as model, pytest.raises(EndpointError, match="it offers small-2"):
        model.ask(asks(1))
    assert (budget.left_usd, budget.lost_requests, budget.busy) == (1, 0, False)


def test_an_address_without_models_is_probably_wrong(double: Double) -> None:
    double.conduct.lists_models = False
    error = failure_of(double, endpoint=double.url.removesuffix("/v1"))
    assert "/v1" in str(error.hint)


def test_a_filtered_prompt_is_an_answer(double: Double, cache: AnswerCache) -> None:
    double.conduct.filters = "bomb"
    with endpoint(double, cache) as model:
        replies = model.ask([ask("a bomb"), ask("a bun")])
    double.conduct.filters = None
    with endpoint(double, cache) as model:
        again = model.ask([ask("a bomb")])
    assert [(reply.text, reply.finish) for reply in replies] == [(None, "content_filter"), ('{"label": "a"}', "stop")]
    assert again[0].from_cache
    assert [(one.usd, one.usd_estimated, one.output_tokens) for one in (replies[0], *again)] == [
        (replies[0].usd, True, 0)
    ] * 2
    assert not replies[1].usd_estimated


def test_a_filtered_prompt_costs_no_less_than_its_tokens(double: Double) -> None:
    """It carries no usage, and providers may charge it: it is counted here, and paid from the budget."""
    double.conduct.filters, budget = "bomb", Budget(1)
    with endpoint(double, budget=budget) as model:
        (reply,) = model.ask([ask("a bomb in the mail")])
    words = sum(len(one["content"].split()) for one in double.seen[0].body["messages"])
    assert reply.usd is not None and PRICE.usd(words, 0) < reply.usd < PRICE.usd(5 * words, 0)
    assert budget.spent_usd == reply.usd


def test_a_filter_after_the_prompt_tells_usage_or_the_cost_is_estimated(double: Double) -> None:
    """It is an answer as any other: usage that is missing there is reckoned."""
    double.conduct.finish, double.conduct.usage = "content_filter", False
    double.conduct.next(Mishap("null"))
    with endpoint(double) as model:
        (reply,) = model.ask(asks(1))
    assert (reply.text, reply.finish, reply.usd_estimated) == (None, "content_filter", True)
    assert reply.usd is not None and reply.output_tokens == 0


def test_a_schema_is_sent_as_strict(double: Double) -> None:
    with endpoint(double) as model:
        (reply,) = model.ask(asks(1, SCHEMA))
    sent = double.seen[0].body["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
    assert (reply.note, reply.form) == ("", "json_schema")


@pytest.mark.parametrize(
    ("known", "used", "refusals"),
    [(("json_object",), {"type": "json_object"}, 1), ((), None, 2)],
    ids=["object", "none"],
)
def test_a_schema_that_is_refused_is_given_up_once_with_a_note(
    double: Double, known: tuple[str, ...], used: object, refusals: int
) -> None:
    double.conduct.forms = known
    with endpoint(double, concurrency=1) as model:
        replies = model.ask(asks(3, SCHEMA)) + model.ask(asks(4, SCHEMA)[3:])
    assert len(double.seen) == 4 + refusals
    assert all(seen.body.get("response_format") == used for seen in double.seen[refusals:])
    assert all(reply.text == '{"label": "a"}' for reply in replies)
    assert all(reply.note.startswith("the server refuses json_schema") for reply in replies)
    assert "of type 'json_schema' is not supported" in replies[0].note
    assert {reply.form for reply in replies} == {used["type"] if isinstance(used, dict) else "none"}


def test_requests_in_flight_together_give_a_schema_up_together(double: Double) -> None:
    double.conduct.forms = ("json_object",)
    double.conduct.latency_s = 0.05
    with endpoint(double, concurrency=4) as model:
        replies = model.ask(asks(8, SCHEMA))
    assert len(replies) == 8
    refused = [seen for seen in double.seen if seen.body["response_format"]["type"] == "json_schema"]
    assert 1 <= len(refused) <= 4
    assert len(double.seen) - len(refused) == 8, "none was sent without any form"


def test_a_rerun_finds_what_was_answered_in_place_of_a_schema(double: Double, cache: AnswerCache) -> None:
    double.conduct.forms = ()
    with endpoint(double, cache) as model:
        model.ask(asks(3, SCHEMA))
    before = len(double.seen)
    with endpoint(double, cache) as model:
        replies = model.ask(asks(3, SCHEMA))
    assert len(double.seen) == before
    assert all(reply.from_cache and "json_schema, json_object" in reply.note for reply in replies)
    assert {reply.form for reply in replies} == {"none"}


def test_a_free_answer_is_not_taken_for_a_constrained_one(double: Double, cache: AnswerCache) -> None:
    with endpoint(double, cache) as model:
        assert {reply.form for reply in model.ask(asks(2))} == {"none"}
        assert not any(reply.from_cache for reply in model.ask(asks(2, SCHEMA)))
        assert {(reply.from_cache, reply.form) for reply in model.ask(asks(2, SCHEMA))} == {(True, "json_schema")}
    assert "response_format" in double.seen[-1].body


def test_a_model_declared_without_constrained_decoding_is_sent_none(double: Double) -> None:
    with endpoint(double, structured="none") as model:
        (reply,) = model.ask(asks(1, SCHEMA))
    assert "response_format" not in double.seen[0].body
    assert reply.note == ""


def test_newer_models_are_asked_in_their_own_words(double: Double) -> None:
    double.conduct.refuses = ("max_tokens", "temperature")
    with endpoint(double, concurrency=1) as model:
        replies = model.ask(asks(2))
    assert len(double.seen) == 4
    assert set(double.seen[-1].body) == {"model", "messages", "max_completion_tokens"}
    assert "temperature" in replies[1].note


def test_a_refusal_that_nothing_mends_is_told_once(double: Double) -> None:
    double.conduct.refuses = ("messages",)
    assert "HTTP 400, Unsupported parameter: 'messages'" in failure_of(double).message
    assert len(double.seen) == 1


def test_a_proxy_is_not_asked_for_this_machine(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with endpoint(double) as model:
        assert model.ask(asks(1))[0].text


def test_time_is_told_in_parts(double: Double) -> None:
    double.conduct.latency_s = 0.2
    double.conduct.headers = {"Server-Timing": "cache;dur=1.5, total;dur=90.5"}
    with endpoint(double, budget=Budget(1), concurrency=1) as model:
        first, second = model.ask(asks(2))
    assert set(first.timing.parts) == {"connect", "wait", "body", "server"}
    assert set(second.timing.parts) == {"wait", "body", "server"}, "the connection was kept"
    assert first.timing.parts["wait"] >= 200
    assert first.timing.parts["server"] == 90.5
    spent = first.timing.parts["connect"] + first.timing.parts["wait"] + first.timing.parts["body"]
    assert spent <= first.timing.total_ms


def test_retries_and_the_wait_for_a_slot_are_not_in_the_time(double: Double) -> None:
    double.conduct.next(Mishap("status", 503, retry_after_s=0.8))
    with endpoint(double, concurrency=1, retries=1) as model:
        begun = time.perf_counter()
        replies = model.ask(asks(2))
        took_ms = (time.perf_counter() - begun) * 1000
    assert took_ms >= 800
    assert all(reply.timing.total_ms <= took_ms - 790 for reply in replies)
