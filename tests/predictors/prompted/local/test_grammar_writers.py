"""A held answer is valid and ends in time whatever the scores; a free one ends where the model says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from predictors.prompted.local.grammars import claims_schema, object_of, tokens_of
from tailtune.config.formats import checker
from tailtune.core.language import Ask, Message
from tailtune.predictors.prompted.local.grammar import Constrained, Free, Ways, chooser, grammar_of

TOKENS = tokens_of()
WAYS = Ways(TOKENS)
END = 0
ASK = Ask((Message("user", "which"),))


def constrained(schema: dict[str, Any], most: int, temperature: float = 0.0) -> Constrained:
    grammar = grammar_of(schema, TOKENS)
    assert grammar.text is not None
    return Constrained(chooser(ASK, temperature), grammar.text, TOKENS, WAYS, frozenset({END}), most)


def written(writer: Constrained, most: int, seed: int, end: float = 0.0) -> str:
    """What noise writes; the score of the token that ends is raised by `end`."""
    random = np.random.default_rng(seed)
    for _ in range(most):
        scores = random.normal(size=TOKENS.vocab_size + 9).astype(np.float32)
        scores[END] += end
        writer.take(scores)
        if writer.done:
            break
    return writer.text()


@given(seed=st.integers(0, 2**32), spare=st.integers(0, 200), temperature=st.sampled_from([0.0, 1.0]))
@settings(max_examples=25, deadline=None)
def test_noise_is_valid_with_any_number_of_tokens_that_hold_an_answer(
    seed: int, spare: int, temperature: float
) -> None:
    schema = object_of(
        name={"type": ["string", "null"], "minLength": 2},
        vin={"type": "string", "pattern": "^[A-HJ-NPR-Z0-9]{17}$"},
        amount={"anyOf": [object_of(amount={"type": "number"}, unit={"enum": ["USD", "EUR"]}), {"type": "null"}]},
        items={"type": "array", "items": {"type": "string", "minLength": 3}, "minItems": 1},
        day={"type": "string", "format": "date"},
    )
    least = constrained(schema, 1).needs_tokens
    assert least is not None
    most = least + spare
    writer = constrained(schema, most, temperature)
    value = json.loads(written(writer, most, seed))
    assert writer.done
    assert len(writer.tokens) <= most
    assert Draft202012Validator(schema, format_checker=checker()).is_valid(value)


@pytest.mark.parametrize("spare", [0, 300])
def test_the_forty_five_fields_of_a_claim_come_out_whole(spare: int) -> None:
    least = constrained(claims_schema(), 1).needs_tokens
    assert least is not None
    assert least < 500
    writer = constrained(claims_schema(), least + spare, 1.0)
    value = json.loads(written(writer, least + spare, 1))
    assert len(value) == 45
    wrong = {error.validator for error in Draft202012Validator(claims_schema()).iter_errors(value)}
    assert wrong <= {"uniqueItems"}, "the one rule that no grammar can hold"
    assert any(value.values()), "only nulls: the model had no say"


def test_the_model_is_followed_where_the_grammar_lets_it() -> None:
    labels = [f"label {at}" for at in range(50)]
    expected, most = TOKENS.greedy_tokenize('{"label": "label 37"}'), 40
    writer = constrained(object_of(label={"enum": labels}), most)
    for token in expected:
        scores = np.zeros(TOKENS.vocab_size, dtype=np.float32)
        scores[token] = 5.0
        scores[END] = 9.0  # not allowed yet
        assert writer.take(scores) == token
    assert writer.done
    assert json.loads(writer.text()) == {"label": "label 37"}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_change_nothing(value: float) -> None:
    writer = constrained(object_of(a={"type": "integer"}), 20)
    while not writer.done:
        writer.take(np.full(TOKENS.vocab_size, value, dtype=np.float32))
    assert isinstance(json.loads(writer.text())["a"], int)


def test_a_value_that_may_go_on_ends_when_the_model_says_or_tokens_do() -> None:
    ended = constrained({"type": "number"}, 20)
    first = TOKENS.greedy_tokenize("7")[0]
    scores = np.zeros(TOKENS.vocab_size, dtype=np.float32)
    scores[first] = 1.0
    ended.take(scores)
    assert not ended.done
    scores[END] = 2.0
    assert ended.take(scores) == END
    assert (ended.done, ended.text()) == (True, "7")
    short = constrained({"type": "number"}, 1)
    scores[END] = 0.0
    short.take(scores)
    assert (short.done, short.text()) == (True, "7")


def test_too_few_tokens_are_cut_off_and_told_before() -> None:
    schema = object_of(vin={"type": "string", "pattern": "^[A-Z]{17}$"})
    writer = constrained(schema, 5)
    assert writer.needs_tokens is not None
    assert writer.needs_tokens > 5
    written(writer, 5, 1)
    assert not writer.done
    assert len(writer.tokens) == 5


class Words:
    """A tokenizer of seven words; the last one is special."""

    words = ("", "so", " it", " is", "\n\nUser:", " more", "<end>")

    def __len__(self) -> int:
        return len(self.words)

    def decode(self, tokens: list[int], skip_special_tokens: bool = False) -> str:
        return "".join(self.words[token] for token in tokens)


def taken_by(writer: Free, tokens: list[int]) -> list[int]:
    taken = []
    for token in tokens:
        if not writer.done:
            taken.append(writer.take(np.eye(12, dtype=np.float32)[token]))
    return taken


def test_a_free_answer_ends_with_the_models_token() -> None:
    writer = Free(chooser(ASK, 0.0), Words(), frozenset({6}))
    assert taken_by(writer, [1, 2, 3, 6, 5]) == [1, 2, 3, 6]
    assert (writer.done, writer.text(), writer.tokens) == (True, "so it is", [1, 2, 3])


def test_a_free_answer_is_cut_where_the_model_speaks_for_others() -> None:
    writer = Free(chooser(ASK, 0.0), Words(), frozenset({6}), ["\n\nUser:"])
    assert taken_by(writer, [1, 2, 4, 5]) == [1, 2, 4]
    assert writer.text() == "so it"


def test_what_the_tokenizer_does_not_know_is_not_said() -> None:
    writer = Free(chooser(ASK, 0.0), Words(), frozenset({6}))
    assert writer.take(np.arange(12, dtype=np.float32)) == 6


def drawn(ask: Ask, temperature: float, draws: int) -> np.ndarray:
    choose, scores = chooser(ask, temperature), np.log(np.array([0.2, 0.5, 0.3], dtype=np.float32))
    return np.array([choose(scores) for _ in range(draws)])


def test_drawing_follows_the_softmax_and_the_temperature() -> None:
    shares = np.bincount(drawn(ASK, 1.0, 20_000)) / 20_000
    assert shares == pytest.approx([0.2, 0.5, 0.3], abs=0.02)
    sharper = np.array([0.2, 0.5, 0.3]) ** 2
    assert np.bincount(drawn(ASK, 0.5, 20_000)) / 20_000 == pytest.approx(sharper / sharper.sum(), abs=0.02)
    assert set(drawn(ASK, 0.0, 20).tolist()) == {1}


def test_the_request_alone_decides_what_is_drawn() -> None:
    assert drawn(ASK, 1.0, 50).tolist() == drawn(ASK, 1.0, 50).tolist()
    assert drawn(Ask(ASK.messages, sample=1), 1.0, 50).tolist() != drawn(ASK, 1.0, 50).tolist()
    assert drawn(Ask((Message("user", "other"),)), 1.0, 50).tolist() != drawn(ASK, 1.0, 50).tolist()
