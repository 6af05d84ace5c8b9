"""The official openai client over HTTP, unchanged, asks an extraction: it gets the object in the format it asks for."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import uvicorn
from services.mlflow.conftest import THIRD_PARTY
from tasks.extraction.rungs.claims import SCHEMA, UNSEEN, context

from tailtune.serving.connections import bounded
from tailtune.serving.current import Named, write_current
from tailtune.serving.plan import Limits, ServerPlan
from tailtune.serving.worker import build
from tailtune.tasks import saved

from .fake import check_sums, sums_of

pytestmark = THIRD_PARTY
TEXT = UNSEEN[0].text


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("version") / "patterns"
    folder.mkdir()
    kind = saved.RUNG_KINDS["patterns"]
    kind.load_class().fit(context()).save(folder)
    saved.write_card(folder, kind, ())
    return folder


@pytest.fixture(scope="module")
def url(version: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A worker's application behind uvicorn, on a port of its own."""
    state = tmp_path_factory.mktemp("state")
    plan = ServerPlan(use_case="claims", task="extraction", state=state, spool=state / "spool")
    write_current(plan.current, {"champion": Named("7", str(version))})
    app = build(plan)
    server = uvicorn.Server(uvicorn.Config(app, http=bounded(Limits()), lifespan="on", log_config=None))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    serving.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    server.should_exit = True
    serving.join()
    listening.close()
    check_sums(sums_of(app._counters.text().decode()))


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as made:
        yield made


def asking(form: Any = None) -> Any:
    more = {} if form is None else {"response_format": form}
    return {"model": "claims", "messages": [{"role": "user", "content": TEXT}], **more}


def schema_of(*names: str) -> Any:
    properties = {name: {} for name in names}
    schema = {"type": "object", "properties": properties, "required": list(names), "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "claim", "schema": schema, "strict": True}}


@pytest.mark.parametrize("form", [None, {"type": "text"}, {"type": "json_object"}, schema_of(*SCHEMA.names)])
def test_an_extraction_answers_with_its_object(form: Any, client: openai.OpenAI, version: Path) -> None:
    (expected,) = saved.load(version).answer([TEXT])
    completion = client.chat.completions.create(**asking(form))
    assert json.loads(completion.choices[0].message.content or "") == json.loads(expected.value or "")
    assert set(json.loads(expected.value or "")) == set(SCHEMA.names)
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert [model.id for model in client.models.list()] == ["claims"]


def test_a_stream_brings_the_object_in_one_piece(client: openai.OpenAI, version: Path) -> None:
    (expected,) = saved.load(version).answer([TEXT])
    form = {"type": "json_object"}
    chunks = list(client.chat.completions.create(**asking(form), stream=True, stream_options={"include_usage": True}))
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) == 1 and json.loads(pieces[0]) == json.loads(expected.value or "")
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("names", [("name",), (*SCHEMA.names, "colour")])
def test_an_object_of_other_fields_is_refused_in_words(names: tuple[str, ...], client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="response_format that the answer does not have"):
        client.chat.completions.create(**asking(schema_of(*names)))
