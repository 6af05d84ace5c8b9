"""dvc.yaml says what stages/table.py says, for every use case that models/ declares."""

from __future__ import annotations

import importlib
from typing import Any, get_type_hints

import pytest
from ruamel.yaml import YAML

from house.tree import MODELS, ROOT
from tailtune.config.model import SECTIONS
from tailtune.config.paths import Paths
from tailtune.core.reports import REPORTS, Report
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.table import BY_NAME, FAMILIES, MODEL, STAGES, Stage, family
from tailtune.tasks.use_case import load_use_case


@pytest.fixture(scope="module")
def graph() -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8")))


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


def test_the_graph_has_the_stages_of_the_table_in_its_order(graph: dict[str, Any]) -> None:
    assert list(graph["stages"]) == [stage.name for stage in STAGES]


def test_use_cases_are_the_folders_of_models(graph: dict[str, Any]) -> None:
    declared = [name for entry in graph["vars"] for name in entry.get("use_cases", {})]
    folders = sorted(path.name for path in MODELS.iterdir() if path.is_dir())
    assert sorted(declared) == folders == use_cases()
    assert len(set(declared)) == len(declared)


def test_the_answers_of_a_use_case_are_those_of_its_task(graph: dict[str, Any]) -> None:
    declared = {name: held for entry in graph["vars"] for name, held in entry.get("use_cases", {}).items()}
    for name in use_cases():
        case = load_use_case(Paths(ROOT), name)
        assert declared[name] == {"answers": case.spec.ANSWERS}
        assert case.answers_file.is_file()


@pytest.mark.parametrize("stage", STAGES, ids=[stage.name for stage in STAGES])
def test_a_stage_of_the_graph_is_that_of_the_table(graph: dict[str, Any], stage: Stage) -> None:
    there = graph["stages"][stage.name]
    assert set(there) == {"foreach", "do"}
    assert there["foreach"] == "${use_cases}"
    assert there["do"] == {
        "cmd": f"tailtune {stage.name} ${{key}}",
        "params": [{MODEL: list(stage.sections)}],
        "deps": list(stage.reads),
        "outs": list(stage.writes),
        "metrics": [{stage.report: {"cache": False}}],
    }


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


def test_a_stage_reads_only_what_an_earlier_one_wrote() -> None:
    written: set[str] = set()
    for stage in STAGES:
        for part in stage.reads:
            assert part.startswith(("data/", "models/")) or any(
                part == out or part.startswith(f"{out}/") for out in written
            ), f"{stage.name} reads {part}, which no earlier stage writes"
        written |= {*stage.writes, stage.report}


def test_each_file_has_one_writer() -> None:
    outs = [out for stage in STAGES for out in (*stage.writes, stage.report)]
    assert len(outs) == len(set(outs))


def test_every_section_of_the_spec_shapes_some_stage() -> None:
    read = {section for stage in STAGES for section in stage.sections}
    assert read == set(SECTIONS) - {"description"}


def test_every_stage_has_a_report_and_a_function_that_returns_it() -> None:
    assert list(REPORTS) == [stage.name for stage in STAGES]
    for stage in STAGES:
        module, _, name = stage.run.partition(":")
        hints = get_type_hints(getattr(importlib.import_module(module), name))
        assert hints == {"context": Context, "return": REPORTS[stage.name]}
        assert issubclass(hints["return"], Report)


def test_families_keep_their_stages_together() -> None:
    assert FAMILIES
    assert [stage for name in FAMILIES for stage in family(name)] == list(STAGES)
