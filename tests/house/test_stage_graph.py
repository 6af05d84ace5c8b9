"""dvc.yaml says what lifecycle/table.py says, for every use case that models/ declares."""

from __future__ import annotations

import importlib
from typing import Any, get_type_hints

import pytest

from house.tree import MODELS, ROOT
from tailtune.config.model import SECTIONS
from tailtune.config.paths import Paths
from tailtune.core.reports import REPORTS, Report
from tailtune.lifecycle import graph
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.table import BY_NAME, STAGES
from tailtune.tasks.use_case import load_use_case


@pytest.fixture(scope="module")
def resolved() -> dict[str, Any]:
    """The stages as DVC itself reads them, `name@use-case` → stage."""
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        return {stage.name: stage for stage in repo.index.stages if getattr(stage, "name", None)}


def use_cases() -> list[str]:
    found = sorted(path.parent.name for path in MODELS.glob("*/model.yaml"))
    assert found, "models/ declares no use case"
    return found


def test_the_graph_is_what_make_graph_writes() -> None:
    answers = {name: load_use_case(Paths(ROOT), name).spec.ANSWERS for name in use_cases()}
    assert (ROOT / "dvc.yaml").read_text(encoding="utf-8") == graph.render(answers), "run `make graph`"


def test_every_folder_of_models_declares_a_use_case() -> None:
    folders = sorted(path.name for path in MODELS.iterdir() if path.is_dir())
    assert folders == use_cases()
    assert all(load_use_case(Paths(ROOT), name).answers_file.is_file() for name in folders)


def test_dvc_resolves_every_stage_of_every_use_case(resolved: dict[str, Any]) -> None:
    assert set(resolved) == {f"{stage.name}@{case}" for stage in STAGES for case in use_cases()}
    for name, stage in resolved.items():
        verb, _, case = name.partition("@")
        assert stage.cmd == f"tailtune {verb} {case}"
        writes = {part.replace("${key}", case) for part in (*BY_NAME[verb].writes, BY_NAME[verb].report)}
        assert {out.def_path for out in stage.outs} == writes
        assert not any("${" in str(dep.def_path) for dep in stage.deps)


def test_only_the_report_stays_out_of_the_cache(resolved: dict[str, Any]) -> None:
    assert resolved
    for stage in resolved.values():
        assert [out.def_path for out in stage.outs if not out.use_cache] == [
            out.def_path for out in stage.outs if out.def_path.startswith("reports/")
        ]


def test_every_section_of_the_spec_shapes_some_stage() -> None:
    read = {section for stage in STAGES for section in stage.sections}
    assert read == set(SECTIONS) - {
        "description",
        "serve",
        "monitor",
        "retrain",
    }  # what serves and watches a model, and when it is made anew, does not shape it


def test_every_stage_has_a_report_and_a_function_that_returns_it() -> None:
    assert list(REPORTS) == [stage.name for stage in STAGES]
    for stage in STAGES:
        module, _, name = stage.run.partition(":")
        hints = get_type_hints(getattr(importlib.import_module(module), name))
        assert hints == {"context": Context, "return": REPORTS[stage.name]}
        assert issubclass(hints["return"], Report)
