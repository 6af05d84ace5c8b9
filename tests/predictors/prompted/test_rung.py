"""A prompted rung: what it sends, how it reads replies, and what it keeps when money or context run out."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tasks.classification.contract import embed, rows

from predictors.prompted.scripted import CODEC, LABELS, SHOWING, SPEC, Scripted, knows, reply, words
from tailtune.config.prompting import PROMPT_RUNGS, LanguageModelSpec
from tailtune.core.errors import ContextTooLongError, PartlyAnsweredError
from tailtune.core.language import Reply
from tailtune.predictors.base import Predictor
from tailtune.predictors.prompted.examples import Choice, fit_examples
from tailtune.predictors.prompted.rung import Prompted
from tailtune.tasks import saved

TEXTS = ["invoice charge card please", "password account code please", "csv file column please"]
BILLING = CODEC.shown("billing")


def rung(model: Scripted, choice: Choice = "none", spec: LanguageModelSpec = SPEC, shots: int = 4) -> Prompted:
    examples = fit_examples(choice, rows(), CODEC, embed, shots, seed=17)
    return Prompted("lm_zero_shot", SHOWING, CODEC, spec, examples, _opened=[model])


def test_answers_come_in_the_order_of_the_texts_with_their_price() -> None:
    model = Scripted(knows(dict(zip(TEXTS, LABELS, strict=True))), backwards=True)
    made = rung(model)
    answers = made.answer(TEXTS)
    assert [one.value for one in answers] == list(LABELS)
    assert [one.usd for one in answers] == [0.25] * 3
    assert all(math.isnan(one.confidence) for one in answers)
    assert model.requests[-1].messages[0].content == "Say one of billing login export"
    assert isinstance(made, Predictor)


def test_no_texts_ask_nothing() -> None:
    model = Scripted()
    assert rung(model).ask([]) == []
    assert model.requests == []


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        (reply(BILLING), ""),
        (reply(None), "empty"),
        (reply("  "), "empty"),
        (reply(None, "content_filter"), "refused"),
        (reply("I would say", "length"), "cut off"),
        (reply("", "length"), "cut off"),
        (reply("billing", "length"), "cut off"),
        (reply(BILLING + "\nBecause the", "length"), ""),
        (reply('{"label": "bil', "length"), "cut off"),
        (reply("well, well", "stop"), "no JSON"),
        (reply('{"label": "x"}'), "unknown label"),
        (reply("login or billing"), "two labels"),
    ],
)
def test_an_answer_that_cannot_be_used_is_invalid_and_no_error(expected: Reply, problem: str) -> None:
    (one,) = rung(Scripted([expected])).ask(["a"])
    assert one.problem == problem
    assert one.answer.value == (None if problem else "billing")
    assert one.answer.usd == 0.25, "it is paid all the same"
    assert one.reply is expected


def test_a_price_that_is_not_known_is_not_zero() -> None:
    (one,) = rung(Scripted([reply(BILLING, usd=None)])).answer(["a"])
    assert one.usd is None


def test_replies_are_told_by_the_place_of_their_text() -> None:
    heard: list[tuple[int, str | None]] = []
    model = Scripted(knows(dict(zip(TEXTS, LABELS, strict=True))), backwards=True)
    rung(model).ask(TEXTS, on_reply=lambda place, given_reply: heard.append((place, given_reply.text)))
    assert heard == [(place, CODEC.shown(label)) for place, label in reversed(list(enumerate(LABELS)))]


def test_an_answer_asked_again_is_another_sample() -> None:
    model = Scripted([BILLING, BILLING])
    made = rung(model)
    made.ask(["a"])
    made.ask(["a"], sample=2)
    assert [ask.sample for ask in model.requests] == [0, 2]


def test_money_that_runs_out_keeps_what_was_answered() -> None:
    model = Scripted(lambda ask: BILLING, money=2, backwards=True)
    with pytest.raises(PartlyAnsweredError) as raised:
        rung(model).ask(TEXTS)
    assert {place: one.answer.value for place, one in raised.value.answers.items()} == {1: "billing", 2: "billing"}
    assert sorted(raised.value.replies) == [1, 2]
    assert (raised.value.message, raised.value.hint) == ("1 dollar is spent", "raise max_cost_usd")


class TestContext:
    """Examples are dropped by rank until a prompt fits."""

    def spec(self, room: int) -> LanguageModelSpec:
        return SPEC.model_copy(update={"context_tokens": room + SPEC.max_output_tokens})

    def test_the_least_similar_examples_go_first_and_are_counted(self) -> None:
        model = Scripted(lambda ask: BILLING)
        whole = rung(model, "nearest").ask(TEXTS[:1])[0]
        assert whole.examples_dropped == 0
        room = words(model.requests[0]) + 2 * 8  # two messages, eight tokens each
        tight = rung(model, "nearest", self.spec(room - 1))
        assert tight.ask(TEXTS[:1])[0].examples_dropped == 1
        exact = rung(model, "nearest", self.spec(room))
        assert exact.ask(TEXTS[:1])[0].examples_dropped == 0
        all_four = exact.examples_for(TEXTS[:1])[0]
        assert tight.examples_for(TEXTS[:1])[0] == all_four[1:]
        assert words(model.requests[1]) < words(model.requests[0])
        assert model.requests[1].messages[1].content.endswith(model.requests[0].messages[1].content[-120:])

    def test_a_text_that_does_not_fit_without_examples_is_no_answer_and_not_asked(self) -> None:
        model = Scripted(lambda ask: BILLING)
        heard: list[int] = []
        made = rung(model, "nearest", self.spec(192))
        texts = ["short", "long " * 200, "other"]
        answers = made.ask(texts, on_reply=lambda place, given_reply: heard.append(place))
        assert [(one.answer.value, one.problem) for one in answers] == [
            ("billing", ""),
            (None, "too long"),
            ("billing", ""),
        ]
        assert (answers[1].answer.usd, answers[1].reply.usd, answers[1].reply.input_tokens) == (0, 0, None)
        assert (len(model.requests), heard) == (2, [0, 2])
        assert made.answer(texts[1:2])[0].value is None
        assert made.expected_tokens(texts) == made.expected_tokens(["short", "other"]), "what is not sent costs nothing"

    def test_a_prompt_that_leaves_no_room_for_a_text_is_told(self) -> None:
        wordy = replace(rung(Scripted(), spec=self.spec(192)), template=SHOWING.with_system("long " * 200, "wordy"))
        with pytest.raises(ContextTooLongError, match="the prompt wordy does not fit into the context of small") as e:
            wordy.ask(["short"])
        assert "raise context_tokens of small" in str(e.value)

    def test_a_server_with_less_room_than_declared_gets_half_the_examples(self) -> None:
        model = Scripted(lambda ask: BILLING, longest=40)
        made = rung(model, "nearest", shots=8)
        answers = made.ask(TEXTS)
        assert {one.answer.value for one in answers} == {"billing"}
        assert {one.examples_dropped for one in answers} == {6}
        assert all(words(ask) <= 40 for ask in model.requests)
        assert len(model.requests) == 3, "what was answered before is not asked again"
        assert model.calls <= 4, "all prompts that are as long are halved with the refused one"

    def test_what_was_answered_before_a_refusal_is_kept(self) -> None:
        model = Scripted(lambda ask: BILLING, longest=40)
        answers = rung(model).ask(["short", "word " * 10, "other"])
        assert [one.answer.value for one in answers] == ["billing"] * 3

    def test_a_text_that_the_server_refuses_without_examples_is_no_answer(self) -> None:
        model = Scripted(lambda ask: BILLING, longest=40)
        answers = rung(model, "nearest").ask(["short", "word " * 100, "a " * 90, "other"])
        assert [one.problem for one in answers] == ["", "too long", "too long", ""]
        assert [one.reply.usd for one in answers] == [0.25, 0, 0, 0.25]
        assert len(model.requests) == 2, "what was answered before is not asked again"

    def test_money_that_runs_out_leaves_no_gap_where_a_text_is_too_long(self) -> None:
        model = Scripted(lambda ask: BILLING, money=2)
        with pytest.raises(PartlyAnsweredError) as raised:
            rung(model, spec=self.spec(192)).ask(["one", "long " * 200, "two", "three"])
        assert {place: one.problem for place, one in raised.value.answers.items()} == {0: "", 1: "too long", 2: ""}
        assert list(raised.value.answers) == [0, 1, 2]


class TestDerived:
    """Rungs that are made of the best prompt."""

    def test_held_answers_are_asked_for_with_the_schema(self) -> None:
        model = Scripted([BILLING, BILLING])
        free = rung(model)
        found = free.constrained_to_schema()
        free.ask(["a"])
        found.ask(["a"])
        assert [ask.schema for ask in model.requests] == [None, CODEC.schema(False)]
        assert model.requests[0].messages == model.requests[1].messages
        assert (found.name, found.constrained, free.constrained) == ("lm_constrained", True, False)

    def test_another_model_gets_the_same_prompt(self) -> None:
        base, strong = Scripted([BILLING]), Scripted([BILLING])
        spec = LanguageModelSpec(name="large", role="strong", endpoint="http://127.0.0.1:9/v1")
        made = rung(base, "coverage")
        other = made.using(strong, spec)
        made.ask(["a"])
        other.ask(["a"])
        assert base.requests == strong.requests
        assert (other.name, other.spec.name, made.spec.name) == ("lm_strong", "large", "small")
        assert made.using(strong, SPEC).name == "lm_zero_shot", "the same model opened again is no other rung"

    def test_another_prompt_keeps_model_and_examples(self) -> None:
        model = Scripted([BILLING])
        made = rung(model, "coverage").with_template(SHOWING.with_system("Better.", "optimised"))
        made.ask(["a"])
        assert model.requests[0].messages[0].content == "Better."
        assert made.examples_for(["a"])[0]
        assert (made.name, made.template.name) == ("lm_optimised", "optimised")


def test_tokens_are_expected_from_what_would_be_sent() -> None:
    model = Scripted()
    made = rung(model, "nearest")
    sent, written = made.expected_tokens(TEXTS)
    assert written == 3 * len(BILLING.split()), "as long as the examples' answers"
    prompts = rung(Scripted(lambda ask: BILLING), "nearest")
    prompts.ask(TEXTS)
    inner = prompts._model()
    assert isinstance(inner, Scripted)
    assert sent == sum(words(ask) + 16 for ask in inner.requests)
    more, _ = made.constrained_to_schema().expected_tokens(TEXTS)
    assert more == sent + 3 * len(json.dumps(CODEC.schema(False)).split())
    assert model.requests == []
    assert rung(model).expected_tokens(TEXTS)[1] > 0
    assert rung(model).expected_tokens([]) == (0, 0)


@pytest.mark.parametrize("choice", ["none", "coverage", "nearest"])
@pytest.mark.parametrize("name", PROMPT_RUNGS)
def test_a_saved_rung_comes_back_and_sends_the_same(tmp_path: Path, name: str, choice: Choice) -> None:
    model, again = Scripted(lambda ask: BILLING), Scripted(lambda ask: BILLING)
    made = rung(model, choice).constrained_to_schema()
    made.save(tmp_path)
    saved.write_card(tmp_path, saved.RUNG_KINDS[name], ())
    loaded = saved.load(tmp_path, embed)
    assert isinstance(loaded, Prompted)
    assert (loaded.template, loaded.spec, loaded.constrained) == (made.template, made.spec, True)
    assert loaded.fit_rows == made.fit_rows
    assert loaded.using(again, loaded.spec).ask(TEXTS) == made.ask(TEXTS)
    assert again.requests == model.requests


def test_no_key_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "sk-very-secret")
    rung(Scripted(), "nearest").save(tmp_path)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"SECRET_KEY" in content
    assert b"very-secret" not in content


def test_a_loaded_rung_opens_its_model_when_the_first_text_comes(tmp_path: Path) -> None:
    """Bringing a rung back reaches for no network, key or folder."""
    spec = LanguageModelSpec(name="local", folder="nowhere/at/all")
    rung(Scripted(), spec=spec).save(tmp_path)
    loaded = Prompted.load(tmp_path, embed, saved.codec_from)
    with pytest.raises(Exception, match="nowhere/at/all"):
        loaded.answer(["a"])


def test_importing_the_rung_loads_neither_a_client_nor_torch() -> None:
    ask = "import sys, tailtune.predictors.prompted.rung; print({'openai', 'torch', 'jinja2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
