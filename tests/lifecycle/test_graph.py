"""dvc.yaml is written from the table, and a use case is added to it by the same hand."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from house.tree import ROOT
from ruamel.yaml import YAML

from tailtune.config.paths import Paths
from tailtune.core.errors import SpecError, UsageError
from tailtune.lifecycle import graph
from tailtune.lifecycle.table import MODEL, STAGES, Stage

CASES = {"toy": "labels.yaml"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "dvc.yaml").write_text(graph.render(CASES), encoding="utf-8")
    return Paths(tmp_path)


def loaded(text: str) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(text))


def test_stages_stand_in_the_order_of_the_table() -> None:
    assert list(loaded(graph.render(CASES))["stages"]) == [stage.name for stage in STAGES]


@pytest.mark.parametrize("stage", STAGES, ids=[stage.name for stage in STAGES])
def test_a_stage_of_the_graph_is_that_of_the_table(stage: Stage) -> None:
    there = loaded(graph.render(CASES))["stages"][stage.name]
    assert set(there) == {"foreach", "do"}
    assert there["foreach"] == "${use_cases}"
    assert there["do"] == {
        "cmd": f"tailtune {stage.name} ${{key}}",
        "params": [{MODEL: list(stage.sections)}],
        "deps": list(stage.reads),
        "outs": list(stage.writes),
        "metrics": [{stage.report: {"cache": False}}],
    }


def test_a_use_case_is_added_once_and_the_others_stay(paths: Paths) -> None:
    for _ in range(2):
        graph.add_use_case(paths, "claims", "schema.json")
    assert graph.use_cases(paths) == {**CASES, "claims": "schema.json"}
    assert paths.dvc_yaml.read_text(encoding="utf-8") == graph.render({**CASES, "claims": "schema.json"})


def test_a_graph_that_was_edited_by_hand_is_left_to_the_person(paths: Paths) -> None:
    edited = paths.dvc_yaml.read_text(encoding="utf-8") + "  mine:\n    cmd: make coffee\n"
    paths.dvc_yaml.write_text(edited, encoding="utf-8")
    with pytest.raises(UsageError, match=r"adding claims would lose what was edited\nNext:  make graph"):
        graph.add_use_case(paths, "claims", "schema.json")
    assert paths.dvc_yaml.read_text(encoding="utf-8") == edited


def test_a_broken_graph_is_an_error_with_a_place(paths: Paths) -> None:
    paths.dvc_yaml.write_text("vars: [\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"dvc\.yaml:\d"):
        graph.use_cases(paths)


def test_make_graph_writes_this_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(ROOT / "infra" / "graph.py"))
    assert script["PATHS"] == Paths(ROOT)
    (tmp_path / "models").symlink_to(ROOT / "models")
    script["main"].__globals__["PATHS"] = Paths(tmp_path)
    script["main"]()
    assert (tmp_path / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()
    assert capsys.readouterr().out.startswith("dvc.yaml  written")
