"""A local model answers like an endpoint: in order, timed, kept; valid under a schema even from random weights."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from predictors.prompted.local.grammars import CLAIMS, claims_schema, object_of
from predictors.prompted.random_model import write_random_model
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import ContextTooLongError, MissingInputError, UsageError
from tailtune.core.language import Ask, LanguageModel, Message, Reply
from tailtune.predictors.prompted.local import LocalModel
from tailtune.predictors.prompted.local.decoding import Decoder
from tailtune.services.endpoint.cache import AnswerCache
from tailtune.tasks.extraction.schema_reader import load_schema
from tailtune.tasks.extraction.values import object_valid

LABELS = [f"label_{at}" + "_more" * (at % 3) for at in range(50)]
ONE_OF = object_of(label={"enum": LABELS})


def opened(folder: Path, cache: Any = None, **changed: Any) -> LocalModel:
    given = {"max_output_tokens": 40, "context_tokens": 4096, **changed}
    return LocalModel(LanguageModelSpec(name="tiny", folder=folder.name, **given), folder.parent, cache)


def asks(many: int, schema: dict[str, Any] | None = None, sample: int = 0) -> list[Ask]:
    texts = [f"Text {at} " + "is a long one " * (at % 4) for at in range(many)]
    return [Ask((Message("system", "Sort it."), Message("user", text)), schema, sample) for text in texts]


class Kept:
    """A cache in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, Reply] = {}

    def get(self, key: str) -> Reply | None:
        return replace(self.rows[key], from_cache=True) if key in self.rows else None

    def put(self, key: str, reply: Reply) -> None:
        self.rows[key] = reply


def test_it_is_a_language_model(random_model: Path) -> None:
    model: LanguageModel = opened(random_model)
    assert model.name == "tiny"
    assert model.ask([]) == []


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_every_answer_of_a_random_model_is_one_of_fifty_labels(random_model: Path, temperature: float) -> None:
    replies = opened(random_model, temperature=temperature).ask(asks(40, ONE_OF))
    assert all(json.loads(reply.text or "")["label"] in LABELS for reply in replies)
    assert {reply.finish for reply in replies} == {"stop"}
    assert len({reply.text for reply in replies}) > 1, "the model had no say"
    assert {(reply.note, reply.form) for reply in replies} == {("", "json_schema")}


@pytest.mark.parametrize("kind", ["Qwen2Config", "Gemma3TextConfig", "GPT2Config"])
def test_a_folder_of_another_architecture_answers_validly_too(tmp_path: Path, kind: str) -> None:
    model = opened(write_random_model(tmp_path / "other", kind=kind))
    replies = model.ask(asks(12, ONE_OF))
    assert all(json.loads(reply.text or "")["label"] in LABELS for reply in replies)
    assert len({reply.text for reply in replies}) > 1, "the model had no say"
    (listed,) = model.ask(asks(1, object_of(paid={"type": "boolean"}, amount={"type": "integer", "maximum": 9})))
    assert set(json.loads(listed.text or "")) == {"paid", "amount"}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_every_object_of_forty_five_fields_is_valid(tmp_path: Path, temperature: float) -> None:
    folder = write_random_model(tmp_path / "claims", texts=[CLAIMS.read_text(encoding="utf-8")], vocabulary=1500)
    replies = opened(folder, temperature=temperature, max_output_tokens=400).ask(asks(4, claims_schema()))
    schema = load_schema(CLAIMS, str(CLAIMS), "x")
    for reply in replies:
        value = json.loads(reply.text or "")
        assert len(value) == 45
        assert object_valid(schema, value)
    assert {reply.finish for reply in replies} == {"stop"}


def test_replies_are_in_order_and_say_what_they_took(random_model: Path) -> None:
    model, heard = opened(random_model), dict[int, Reply]()
    replies = model.ask(asks(7, ONE_OF), lambda place, reply: heard.update({place: reply}))
    assert [heard[place] for place in range(7)] == replies
    assert [reply.input_tokens for reply in replies] == [model.ask([one])[0].input_tokens for one in asks(7)]
    for reply in replies:
        assert reply.usd == 0
        assert reply.output_tokens is not None
        assert 0 < reply.output_tokens <= 40
        assert set(reply.timing.parts) == {"tokenise", "infer", "decode"}
        assert all(ms > 0 for ms in reply.timing.parts.values())
        assert sum(reply.timing.parts.values()) == pytest.approx(reply.timing.total_ms)


def test_requests_of_several_threads_have_the_model_one_after_the_other(
    random_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one has read is kept for the next, so that two at once would read each other's."""
    model, real, inside, most = opened(random_model), Decoder.write, list[int](), list[int]()

    def write(*args: Any, **named: Any) -> Any:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        found = real(*args, **named)
        inside.pop()
        return found

    monkeypatch.setattr(Decoder, "write", write)
    threads = [threading.Thread(target=model.ask, args=(asks(2, ONE_OF),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) >= 4 and max(most) == 1


def test_company_in_a_batch_does_not_change_an_answer(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailtune.predictors.torch_encoder.has_fast_bf16", lambda: False)
    for temperature in (0.0, 1.0):
        together = opened(random_model, temperature=temperature, concurrency=5).ask(asks(5))
        alone = opened(random_model, temperature=temperature, concurrency=1)
        assert [one.text for one in together] == [alone.ask([ask])[0].text for ask in asks(5)]


def test_samples_differ_only_above_temperature_zero(random_model: Path) -> None:
    def texts(temperature: float, sample: int) -> list[str | None]:
        return [one.text for one in opened(random_model, temperature=temperature).ask(asks(3, sample=sample))]

    assert texts(0.0, 0) == texts(0.0, 1)
    assert texts(1.0, 0) == texts(1.0, 0)
    assert texts(1.0, 0) != texts(1.0, 1)


def test_an_answer_that_does_not_end_is_cut_off(random_model: Path) -> None:
    replies = opened(random_model, max_output_tokens=8).ask(asks(6))
    cut = [reply for reply in replies if reply.finish == "length"]
    assert cut
    assert all(reply.output_tokens == 8 for reply in cut)


def test_a_schema_that_does_not_fit_is_refused_before_anything_is_written(random_model: Path) -> None:
    with pytest.raises(UsageError, match=r"shortest answer .* takes about \d+ tokens, but max_output_tokens is 40"):
        opened(random_model).ask(asks(1, claims_schema()))


def test_a_prompt_that_does_not_fit_names_its_place(random_model: Path, tmp_path: Path) -> None:
    long = Ask((Message("user", "word " * 3000),))
    with pytest.raises(ContextTooLongError, match="the model takes 1024 together") as caught:
        opened(random_model, context_tokens=1024).ask([*asks(2), long])
    assert caught.value.place == 2
    short = write_random_model(tmp_path / "short", positions=64)
    with pytest.raises(ContextTooLongError, match="the model takes 64 together"):
        opened(short).ask([long])


def test_free_decoding_where_the_spec_says_so_is_noted(random_model: Path) -> None:
    (reply,) = opened(random_model, structured="none").ask(asks(1, ONE_OF))
    assert (reply.note, reply.form) == ("not held to the schema: structured is none", "none")
    assert opened(random_model).ask(asks(1))[0].form == "none", "none was asked for"


def test_repeated_entries_are_dropped_and_noted(random_model: Path) -> None:
    schema = object_of(a={"type": "array", "items": {"enum": ["x"]}, "minItems": 3, "uniqueItems": True})
    (reply,) = opened(random_model).ask(asks(1, schema))
    assert (reply.text, reply.note) == ('{"a": ["x"]}', "repeated entries of a list were dropped")


def test_a_rerun_reads_no_weights(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Kept()
    first = opened(random_model, cache).ask(asks(5, ONE_OF))
    assert len(cache.rows) == 5
    monkeypatch.setattr("tailtune.predictors.prompted.local.model.load", lambda folder: pytest.fail("read again"))
    again = opened(random_model, cache).ask(asks(5, ONE_OF))
    assert again == [replace(reply, from_cache=True) for reply in first]


def test_the_file_of_kept_answers_serves_local_models_too(random_model: Path, tmp_path: Path) -> None:
    first = opened(random_model, AnswerCache(tmp_path / "answers.sqlite")).ask(asks(3, ONE_OF))
    again = opened(random_model, AnswerCache(tmp_path / "answers.sqlite")).ask(asks(3, ONE_OF))
    assert again == [replace(reply, from_cache=True) for reply in first]


@pytest.mark.parametrize(
    "changed",
    [{"temperature": 0.5}, {"max_output_tokens": 41}, {"structured": "none"}],
    ids=lambda changed: next(iter(changed)),
)
def test_what_shapes_an_answer_is_in_its_key(random_model: Path, changed: dict[str, Any]) -> None:
    cache = Kept()
    opened(random_model, cache).ask(asks(1, ONE_OF))
    opened(random_model, cache, **changed).ask(asks(1, ONE_OF))
    assert len(cache.rows) == 2


def test_other_weights_messages_schemas_and_samples_have_keys_of_their_own(random_model: Path, tmp_path: Path) -> None:
    cache, model = Kept(), write_random_model(tmp_path / "other", seed=6)
    opened(random_model, cache).ask([*asks(2), *asks(1, ONE_OF), *asks(1, sample=1)])
    opened(model, cache).ask(asks(1))
    assert len(cache.rows) == 5


def test_what_does_not_shape_it_is_not(random_model: Path) -> None:
    cache = Kept()
    opened(random_model, cache).ask(asks(2))
    opened(random_model, cache, role="strong", concurrency=1, timeout_s=3).ask(asks(2))
    assert len(cache.rows) == 2


def test_answers_before_an_interruption_are_kept(random_model: Path) -> None:
    cache = Kept()

    def interrupted(place: int, reply: Reply) -> None:
        if len(cache.rows) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(random_model, cache, concurrency=1).ask(asks(6), interrupted)
    assert len(cache.rows) == 3


def test_tokens_are_counted_with_the_models_own_tokenizer(random_model: Path) -> None:
    model = opened(random_model)
    assert model.count_tokens("") == 0
    assert model.count_tokens("0123456789") < 10 == model.count_tokens("zzzzzzzzzz")


def test_a_model_without_a_chat_template_answers_too(tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "plain", chat_template=None)
    replies = opened(folder).ask([*asks(3), *asks(3, ONE_OF)])
    assert all(json.loads(reply.text or "")["label"] in LABELS for reply in replies[3:])


def test_a_missing_folder_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such folder"):
        opened(tmp_path / "nowhere")


def test_an_endpoint_is_not_opened_as_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it is an endpoint"):
        LocalModel(LanguageModelSpec(name="far", endpoint="http://127.0.0.1:9/v1"), tmp_path)


def test_importing_it_loads_nothing_heavy() -> None:
    ask = (
        "import sys, tailtune.predictors.prompted.local, tailtune.predictors.prompted.optimise;"
        "print({'torch', 'transformers', 'llguidance', 'gepa', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
