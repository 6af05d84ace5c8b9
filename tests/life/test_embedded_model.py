"""The language model that comes with the installation answers, once for each task; no other test asks it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lifecycle.prompt.prompted import measured, prompt
from project import copy, respec
from worlds import lives
from worlds.checkout import NAME
from worlds.once import once
from worlds.parts import missing

from tailtune.config.prompting import EMBEDDED
from tailtune.core.reports import PromptReport
from tailtune.judge.evidence import STRONGER
from tailtune.predictors.prompted.embedded import folder_of, lacking

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


def test_it_reads_objects(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    checkout = lives.extraction(tmp_path_factory)[0].copy(tmp_path / "checkout")
    checkout.spec(prompt={"embedded_rows": 1, "shots": 1})
    checkout.does("prompt", NAME)
    report = PromptReport.model_validate(checkout.report("prompt"))
    held_to_the_schema(report, 1)
    assert all(rung.metrics["schema_valid"].value == 1 for rung in report.rungs)
