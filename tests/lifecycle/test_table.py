"""The one table of stages: whole, in order, and true about what each stage reads of the spec."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from tailtune.config.model import SECTIONS
from tailtune.core.reports import REPORTS
from tailtune.lifecycle.table import BY_NAME, FAMILIES, STAGES, Stage, family

# Written by people or by nobody's stage; everything else that is read must have been written before.
GIVEN = ("data/${key}", "models/${key}/${item.answers}", "models/${key}/prompts", "models/prices.yaml")


def test_stages_reports_and_verbs_are_the_same_names_in_the_same_order() -> None:
    assert [stage.name for stage in STAGES] == list(REPORTS) == list(BY_NAME)
    assert [stage.report for stage in STAGES] == [f"reports/${{key}}/{name}.json" for name in REPORTS]


def test_a_stage_reads_only_what_an_earlier_stage_wrote() -> None:
    written: list[str] = []
    for stage in STAGES:
        for path in stage.reads:
            known = path in GIVEN or any(path == out or path.startswith(f"{out}/") for out in written)
            assert known, f"{stage.name} reads {path}, which no earlier stage writes"
        written += [*stage.writes, stage.report]
    assert len(written) == len(set(written)), "each file has one writer"


def test_every_file_of_build_has_one_owner() -> None:
    outs = [out for stage in STAGES for out in stage.writes]
    assert not [(a, b) for a in outs for b in outs if a != b and b.startswith(f"{a}/")]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_can_be_loaded_and_its_sections_exist(stage: Stage) -> None:
    assert callable(stage.load())
    assert set(stage.sections) <= set(SECTIONS)
    assert stage.summary.endswith(".")


def test_families_are_the_stages_without_a_gap() -> None:
    assert FAMILIES == ("curation", "validation", "training", "evaluation", "versioning")
    assert [stage for name in FAMILIES for stage in family(name)] == list(STAGES)
    assert [stage.name for stage in family("training")] == ["ladder", "prompt", "diagnose", "decide", "train", "export"]
    assert family("gardening") == ()


def sections_named(stage: Stage) -> set[str]:
    """Spec sections that a stage's own code names: `….spec.<section>`, or `spec.<section>` of a local `spec`."""
    source = Path(inspect.getfile(stage.load()))
    files = [source] if source.parent.name == "lifecycle" else source.parent.glob("*.py")
    attribute = {name: name for name in SECTIONS} | {"validate_": "validate", "register_": "register"}
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in attribute:
                holder = node.value
                name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
                if name == "spec":
                    found.add(attribute[node.attr])
    return found - {"task", "description"}


# Known and reported; a stage that is put right fails here until its line is removed.


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_declares_every_section_it_reads(stage: Stage) -> None:
    """An undeclared section could be edited without the stage becoming stale."""
    named = sections_named(stage)
    assert named or stage.sections == ("task",), "the search found nothing; it no longer fits the code"
    assert named <= set(stage.sections)
