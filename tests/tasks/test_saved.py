"""Which predictors there are, and how a folder says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tailtune.config.prompting import PROMPT_RUNGS
from tailtune.core.errors import TailTuneError
from tailtune.predictors.base import Predictor, Rung
from tailtune.tasks import saved
from tailtune.tasks.classification import config as classification
from tailtune.tasks.table import TASKS
from tasks.classification.contract import context, embed


def test_every_kind_can_be_imported_and_is_named_by_its_key() -> None:
    assert len(saved.RUNG_KINDS) == 17
    for name, kind in saved.RUNG_KINDS.items():
        assert kind.name == name
        assert issubclass(kind.load_class(), Predictor if name in saved.PROMPTED_KINDS else Rung)
        assert saved.title(name) == kind.title
    assert len({kind.title for kind in saved.RUNG_KINDS.values()}) == 17
    assert saved.title("lora") == "LoRA fine-tune"
    with pytest.raises(KeyError):
        saved.title("oracle")


def test_every_prompted_rung_has_a_kind_of_the_same_class() -> None:
    assert [name for name in saved.RUNG_KINDS if name.startswith("lm_")] == list(PROMPT_RUNGS)
    assert len({saved.RUNG_KINDS[name].where for name in PROMPT_RUNGS}) == 1
    assert saved.title("lm_chain_of_thought") == "Prompt, step by step"


@pytest.mark.parametrize("name", classification.RUNGS)
def test_a_folder_with_a_card_comes_back_as_its_kind(name: str, tmp_path: Path) -> None:
    kind = saved.RUNG_KINDS[name].load_class()
    kind.fit(context()).save(tmp_path)
    saved.write_card(tmp_path, saved.RUNG_KINDS[name], ("phone", "email"))
    assert type(saved.load(tmp_path, embed)) is kind
    assert saved.scrubbed(tmp_path) == ("email", "phone")


def test_every_task_has_a_fine_tune_of_its_own() -> None:
    cards = {task.fine_tune.saved_as or task.fine_tune.name for task in TASKS.values()}
    assert len(cards) == len(TASKS)
    assert not cards & set(saved.RUNG_KINDS)


def test_a_folder_without_a_card_is_no_predictor(tmp_path: Path) -> None:
    with pytest.raises(TailTuneError, match=r"no predictor\.json; not a saved predictor"):
        saved.load(tmp_path)
    with pytest.raises(TailTuneError, match=r"no predictor\.json; not a saved predictor"):
        saved.scrubbed(tmp_path)


@pytest.mark.parametrize(("noted", "shown"), [({}, "None"), ({"scrub_pii": ["email", "shoe size"]}, "shoe size")])
def test_what_to_scrub_is_never_guessed(tmp_path: Path, noted: dict[str, object], shown: str) -> None:
    (tmp_path / saved.CARD).write_text(json.dumps({"kind": "tfidf", **noted}))
    with pytest.raises(TailTuneError, match=f"scrub_pii is .*{shown}.*; expected a list of card, email"):
        saved.scrubbed(tmp_path)


def test_nothing_to_scrub_is_an_answer(tmp_path: Path) -> None:
    saved.write_card(tmp_path, saved.RUNG_KINDS["tfidf"], ())
    assert saved.scrubbed(tmp_path) == ()


def test_an_unknown_kind_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / saved.CARD).write_text(json.dumps({"kind": "oracle"}))
    with pytest.raises(TailTuneError, match="unknown kind 'oracle'; known are majority, tfidf"):
        saved.load(tmp_path)
