"""JSON of saved models, stores and stages that is torn, deep or beyond numbers: one error that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tailtune.core.errors import TailTuneError
from tailtune.core.json_text import read_object
from tailtune.predictors.adapter import lora_deltas
from tailtune.predictors.bert import load_bert
from tailtune.predictors.prompted.opening import model_of
from tailtune.predictors.reading import longest_input
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.extraction.rungs.base import load_rung
from tailtune.training import checkpoint

DEEP = "[" * 100_000 + "]" * 100_000
TEXTS = {
    "torn": b'{"kind": "maj',
    "empty": b"",
    "deep": DEEP.encode(),
    "deep in an object": b'{"kind": ' + DEEP.encode() + b"}",
    "no object": b"[1]",
    "beyond numbers": b'{"kind": 1e999999}',
    "a whole number of 100,000 figures": b'{"kind": ' + b"9" * 100_000 + b"}",
    "no number": b'{"kind": NaN}',
    "other bytes": b'{"kind": "\xff\xfe"}',
}
READERS: dict[str, Callable[[Path], Any]] = {
    "predictor.json": saved.load,
    "tailtune.json": lambda folder: read_object(folder / "tailtune.json"),
    "prompt.json": lambda folder: model_of(folder, folder),
    "adapter_config.json": lora_deltas,
    "config.json": lambda folder: load_bert(folder, torch.float32),
    "config.json, length": longest_input,
    "schema.json": load_rung,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("file", READERS)
def test_a_file_of_a_saved_model_is_refused_by_name(tmp_path: Path, file: str, text: bytes) -> None:
    name = file.partition(",")[0]
    (tmp_path / name).write_bytes(text)
    with pytest.raises(TailTuneError, match=name) as caught:
        READERS[file](tmp_path)
    assert len(str(caught.value)) < 400 and caught.value.hint


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_a_stage_wrote_is_read_or_named(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "ticket.json"
    path.write_bytes(text)
    for read in (store.read_json, store.read_jsonl):
        try:
            read(path, "training", "tailtune run x")
        except TailTuneError as error:
            assert str(path) in str(error) and error.hint == "tailtune run x"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_checkpoint_that_cannot_be_read_is_passed_over(tmp_path: Path, text: bytes) -> None:
    folder = tmp_path / "step-00000001"
    folder.mkdir()
    (folder / "state.json").write_bytes(text)
    assert checkpoint.load(tmp_path, "digest") is None
