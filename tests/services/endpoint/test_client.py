from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
from pathlib import Path

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double
from doubles.skill import Skilled

from services.endpoint.helpers import PRICE, SCHEMA, ask, asks, endpoint, spec_of
from tailtune.config.prices import TokenPrice
from tailtune.core.errors import EndpointError
from tailtune.core.language import Ask, LanguageModel, Message, Reply
from tailtune.services.endpoint import AnswerCache, Budget, Endpoint


def test_replies_stand_in_the_order_of_the_requests(double: Double) -> None:
    """Though the first is answered last."""
    double.skill = lambda model, messages, schema, n: messages[-1]["content"].split()[-1]
    double.conduct.next(Mishap("status", 503, retry_after_s=0.3))
    with endpoint(double, concurrency=4, retries=1) as model:
        replies = model.ask(asks(9))
    assert [reply.text for reply in replies] == [str(i) for i in range(9)]


def test_what_is_sent_is_what_the_protocol_says(double: Double) -> None:
    with endpoint(double, model="org/small-1", temperature=0.5) as model:
        checked: LanguageModel = model
        checked.ask([ask("one")])
    assert double.seen[0].body == {
        "model": "org/small-1",
        "messages": [{"role": "system", "content": "Say the label."}, {"role": "user", "content": "Text:\none"}],
        "max_tokens": 16,
        "temperature": 0.5,
    }


def test_a_reply_has_tokens_cost_and_end(double: Double) -> None:
    double.conduct.cached_share = 0.5
    with endpoint(double) as model:
        (reply,) = model.ask([ask("one two three four five")])
    assert (reply.text, reply.finish) == ('{"label": "a"}', "stop")
    assert (reply.input_tokens, reply.output_tokens, reply.cached_input_tokens) == (9, 2, 4)
    assert reply.usd == pytest.approx((5 * 1_000 + 4 * 100 + 2 * 2_000) / 1e6)
    assert not reply.from_cache


def test_usage_that_is_not_told_is_estimated_and_marked_so(double: Double) -> None:
    double.conduct.usage = False
    budget = Budget(1)
    with endpoint(double, budget=budget) as model:
        (reply,) = model.ask([ask("one")])
    assert reply.usd_estimated and reply.usd is not None
    assert 5 <= (reply.input_tokens or 0) < 60 and 2 <= (reply.output_tokens or 0) <= 10
    assert budget.spent_usd == reply.usd


def test_without_a_price_the_cost_is_unknown(double: Double) -> None:
    with endpoint(double, price=None) as model:
        (reply,) = model.ask([ask("one")])
    assert reply.input_tokens == 5
    assert reply.usd is None


def test_an_answer_without_choices_is_a_failure_and_not_kept(double: Double, cache: AnswerCache) -> None:
    double.conduct.next(Mishap("empty"))
    with endpoint(double, cache) as model, pytest.raises(EndpointError, match="no choices"):
        model.ask([ask("one")])
    assert cache.rows() == 0


def test_a_model_that_says_nothing_has_no_text(double: Double) -> None:
    double.conduct.next(Mishap("null"))
    with endpoint(double) as model:
        (reply,) = model.ask([ask("one")])
    assert reply.text is None
    assert reply.output_tokens == 2


def test_a_rerun_sends_nothing_and_keeps_the_timing(double: Double, cache: AnswerCache) -> None:
    budget = Budget(1)
    with endpoint(double, cache, budget) as model:
        first = model.ask(asks(5))
    spent = budget.spent_usd
    with endpoint(double, cache, budget) as model:
        again = model.ask(asks(5))
    assert len(double.seen) == 5 == cache.rows()
    assert [reply.from_cache for reply in first + again] == [False] * 5 + [True] * 5
    assert [(r.text, r.usd, r.timing) for r in again] == [(r.text, r.usd, r.timing) for r in first]
    assert budget.spent_usd == spent, "answers from the cache cost nothing"


def test_a_new_price_needs_no_new_request(double: Double, cache: AnswerCache) -> None:
    with endpoint(double, cache) as model:
        (before,) = model.ask([ask("one")])
    dearer = TokenPrice(input_usd_per_million=2_000, output_usd_per_million=4_000)
    with endpoint(double, cache, price=dearer) as model:
        (after,) = model.ask([ask("one")])
    assert len(double.seen) == 1
    assert before.usd is not None
    assert after.usd == pytest.approx(2 * before.usd)


@pytest.mark.parametrize(
    "declared",
    [{"name": "tiny", "model": "small"}, {"role": "strong"}, {"concurrency": 9}, {"timeout_s": 9},
     {"retries": 3}, {"context_tokens": 999}, {"key_env": "A_KEY"}],
    ids=lambda declared: next(iter(declared)),
)  # fmt: skip
def test_what_does_not_shape_an_answer_does_not_ask_again(
    double: Double, cache: AnswerCache, declared: dict[str, object]
) -> None:
    """Without the key, too: nothing is sent."""
    with endpoint(double, cache) as model:
        model.ask(asks(1))
    with endpoint(double, cache, **declared) as model:
        assert model.ask(asks(1))[0].from_cache


@pytest.mark.parametrize("declared", [{"model": "other"}, {"temperature": 1.0}, {"max_output_tokens": 17}], ids=str)
def test_what_shapes_an_answer_asks_again(double: Double, cache: AnswerCache, declared: dict[str, object]) -> None:
    with endpoint(double, cache) as model:
        model.ask(asks(1))
    with endpoint(double, cache, **declared) as model:
        assert not model.ask(asks(1))[0].from_cache


def test_another_prompt_role_schema_or_sample_is_another_question(double: Double, cache: AnswerCache) -> None:
    one = Ask((Message("user", "a"), Message("user", "b")))
    others = [
        Ask((Message("user", "ab"),)),
        Ask((Message("system", "a"), Message("user", "b"))),
        Ask(one.messages, SCHEMA),
        Ask(one.messages, {**SCHEMA, "title": "t"}),
        Ask(one.messages, sample=1),
    ]
    with endpoint(double, cache) as model:
        model.ask([one])
        assert not any(reply.from_cache for reply in model.ask(others))
    assert cache.rows() == 6


def test_equal_requests_of_a_call_are_paid_for_once(double: Double, cache: AnswerCache) -> None:
    heard: list[int] = []
    with endpoint(double, cache) as model:
        replies = model.ask([ask("one"), ask("two"), ask("one")], lambda place, reply: heard.append(place))
    assert len(double.seen) == 2
    assert [reply.from_cache for reply in replies] == [False, False, True]
    assert sorted(heard) == [0, 1, 2]


def test_replies_are_heard_in_the_callers_thread(double: Double, cache: AnswerCache) -> None:
    heard: dict[int, tuple[Reply, int]] = {}

    def hear(place: int, reply: Reply) -> None:
        heard[place] = (reply, threading.get_ident())

    with endpoint(double, cache) as model:
        model.ask(asks(2))
        replies = model.ask(asks(4), hear)
    assert {place: reply for place, (reply, _) in heard.items()} == dict(enumerate(replies))
    assert {thread for _, thread in heard.values()} == {threading.get_ident()}


def test_it_can_be_asked_from_within_a_running_loop(double: Double) -> None:
    async def ask_in_loop() -> list[Reply]:
        with endpoint(double) as model:
            return model.ask(asks(3))

    assert len(asyncio.run(ask_in_loop())) == 3


def test_a_model_that_nobody_closes_is_tidied_away(double: Double) -> None:
    before = threading.active_count()
    model = Endpoint(spec_of(double))
    model.ask(asks(2))
    assert any(thread.name == "endpoint small" for thread in threading.enumerate())
    del model
    gc.collect()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)  # threads of the server's connections end when they see them closed
    assert not any(thread.name == "endpoint small" for thread in threading.enumerate())


def test_a_closed_model_opens_again(double: Double) -> None:
    with endpoint(double) as model:
        model.ask(asks(1))
        model.close()
        assert model.ask(asks(2))[1].text == '{"label": "a"}'


def test_a_listener_that_fails_stops_the_round_and_nothing_paid_is_lost(double: Double, cache: AnswerCache) -> None:
    def hear(place: int, reply: Reply) -> None:
        raise RuntimeError("listener")

    with endpoint(double, cache, concurrency=2) as model:
        with pytest.raises(RuntimeError, match="listener"):
            model.ask(asks(50), hear)
        assert 1 <= cache.rows() < 50
        assert len(model.ask(asks(50))) == 50


def test_ctrl_c_ends_at_once_and_keeps_what_was_answered(double: Double, cache: AnswerCache) -> None:
    main = threading.main_thread().ident
    assert main is not None
    begun = 0.0

    def hear(place: int, reply: Reply) -> None:
        nonlocal begun
        if place == 2:  # the fourth is stalled by now, and the rest wait behind it
            begun = time.monotonic()
            threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()

    budget = Budget(10)
    double.conduct.every, double.conduct.mishap = 4, Mishap("stall")
    with endpoint(double, cache, budget, concurrency=1) as model:
        with pytest.raises(KeyboardInterrupt):
            model.ask(asks(9), hear)
        assert time.monotonic() - begun < 1.2
        assert (cache.rows(), len(double.seen)) == (3, 4)
        assert budget.lost_requests == 1, "the one in attempt may be charged"
        double.conduct.every = 0
        assert [reply.from_cache for reply in model.ask(asks(9))] == [True] * 3 + [False] * 6


def test_variance_is_measured_past_the_cache(cache: AnswerCache) -> None:
    truth = {f"number {i}": {"label": "ab"[i % 2]} for i in range(60)}
    with Double(Skilled(truth, base=0.6, wavers=1.0)) as double, endpoint(double, cache) as model:
        counts = [reply.text for reply in model.ask(asks(60))]
        repeats = [reply.text for reply in model.ask(asks(60, sample=1))]
        assert [reply.text for reply in model.ask(asks(60, sample=1))] == repeats
    assert len(double.seen) == 120
    assert 5 < sum(a != b for a, b in zip(counts, repeats, strict=True)) < 55


def test_the_key_comes_from_the_environment_and_is_written_nowhere(
    double: Double, cache: AnswerCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.conduct.key = "sk-secret-0123456789"
    monkeypatch.setenv("MY_KEY", "sk-secret-0123456789\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    with endpoint(double, cache, key_env="MY_KEY") as model:
        model.ask(asks(2))
        assert "sk-secret" not in repr(vars(model)["_spec"])
    with endpoint(double, cache) as model, pytest.raises(EndpointError):
        model.ask(asks(3))  # no key declared: OpenAI's own is not sent elsewhere
    assert double.seen[-1].headers["authorization"] == "Bearer none"
    assert not any("openai-organization" in seen.headers for seen in double.seen)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"sk-secret" in path.read_bytes() for path in files)


def test_a_key_that_is_not_set_is_told_before_anything_is_sent(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with endpoint(double, key_env="MY_KEY") as model, pytest.raises(EndpointError) as raised:
        model.ask(asks(1))
    assert "MY_KEY is not set" in raised.value.message
    assert "export MY_KEY" in str(raised.value.hint)
    assert not double.seen


@pytest.mark.parametrize("key", ["sk-aä", "sk-a b", "sk-a\nX-Header: b"])
def test_a_key_that_no_header_can_hold_is_told_without_the_key(
    double: Double, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with endpoint(double, key_env="MY_KEY") as model, pytest.raises(EndpointError, match="MY_KEY") as raised:
        model.ask(asks(1))
    assert "sk-a" not in str(raised.value)


def test_a_local_model_is_no_endpoint() -> None:
    from tailtune.config.prompting import LanguageModelSpec

    with pytest.raises(ValueError, match="no endpoint"):
        Endpoint(LanguageModelSpec(name="here", folder="lm/x"), PRICE)
