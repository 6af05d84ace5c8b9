"""The language model that comes with the installation answers, once for each task; no other test asks it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest
from lifecycle.prompt.prompted import measured, prompt
from project import copy, respec
from tasks.extraction.rungs.claims import ROWS, SCHEMA
from worlds.once import once
from worlds.parts import missing

from tailtune.config.prompting import EMBEDDED
from tailtune.core.reports import PromptReport
from tailtune.judge.evidence import STRONGER
from tailtune.predictors.base import FitContext, Floats
from tailtune.predictors.prompted.embedded import folder_of, lacking
from tailtune.predictors.prompted.opening import open_model
from tailtune.predictors.prompted.rung import build
from tailtune.predictors.prompted.templates import parsed
from tailtune.tasks.extraction.new import starting_prompts
from tailtune.tasks.extraction.replies import ObjectCodec

pytestmark = pytest.mark.slow
RUNGS = ["lm_zero_shot", "lm_few_shot", "lm_retrieval"]


@pytest.fixture(autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike in all other tests, the model is there: made a folder once a run."""

    def build(folder: Path) -> None:
        monkeypatch.setenv("TAILTUNE_EMBEDDED", str(folder))
        if reason := lacking(EMBEDDED):
            missing("the embedded language model", reason)
        folder_of(EMBEDDED, folder)

    monkeypatch.setenv("TAILTUNE_EMBEDDED", str(once(tmp_path_factory, "embedded", build)))


def held_to_the_schema(report: PromptReport, rows: int) -> None:
    """Every usual rung was asked as many rows as it may, locally, at no price, and each answer can be read."""
    assert [rung.name for rung in report.rungs] == RUNGS
    assert {rung.quality.rows for rung in report.rungs} == {rows} == {report.dev_rows}
    assert all(rung.constrained and rung.hosted and not rung.invalid_rows for rung in report.rungs)
    assert (report.embedded, report.missing, report.usd_spent) == (("smollm2",), (), 0)
    assert len(report.weights["smollm2"]) == 64
    assert len(report.left_out) == 2
    assert report.unmeasured == (STRONGER,)


def test_it_sorts_texts(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    paths = copy(measured(tmp_path_factory), tmp_path / "project")
    respec(paths, {"prompt": {"embedded_rows": 6, "shots": 4}})
    report = prompt(paths)
    held_to_the_schema(report, 6)
    assert report.rungs[-1].quality.value > 0.3


def test_it_reads_objects() -> None:
    spec, codec = EMBEDDED.model_copy(update={"max_output_tokens": 200}), ObjectCodec(SCHEMA)
    prompts = starting_prompts("Read claims.").items()
    templates = {name: parsed(name, text, name)[0] for name, text in prompts}
    texts = [row.text for row in ROWS[:2]]
    rung = build("lm_zero_shot", templates, codec, FitContext(rows=[], embed=_no_vectors), open_model(spec), spec, 1)
    for found in rung.ask(texts):
        assert found.problem == "" and found.reply.form == "json_schema"
        jsonschema.validate(json.loads(found.reply.text or ""), codec.schema(False))


def _no_vectors(texts: Sequence[str]) -> Floats:
    raise AssertionError("no example is looked for")
