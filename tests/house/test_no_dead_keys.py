"""A key that nothing obeys is a lie: every spec field, price and setting is read by some code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from house.tree import FLOWS, ROOT, SRC, python_files, syntax
from tailtune.config.model import ModelSpec
from tailtune.config.prices import PriceSpec
from tailtune.config.settings import Settings
from tailtune.tasks.table import TASKS

PAPER = {"Settings.threads"}
"""For people, or obeyed before settings exist (quiet_environment)."""
SPECS = {entry.load_class().spec_type: f"tasks/{task}/config.py" for task, entry in TASKS.items()}
OWNERS = {
    **{spec: {"spec", "targets", "train", "_spec", *ModelSpec.model_fields} for spec in SPECS},
    PriceSpec: {"prices", "load_prices"},
    Settings: {"settings", "_settings", "Settings"},
}
"""What code calls a spec, a price list and settings: `settings.threads` counts, `self.threads` elsewhere does not."""
DECLARED = {**SPECS, PriceSpec: "config/prices.py", Settings: "config/settings.py"}


def reads(path: Path) -> Iterator[tuple[str, str]]:
    """(owner, attribute) of what a file reads: `context.case.spec.rank` gives ("spec", "rank")."""
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Attribute):
            owner = node.value.func if isinstance(node.value, ast.Call) else node.value
            yield ast.unparse(owner).rpartition(".")[2], node.attr


def fields() -> list[tuple[type[BaseModel], str]]:
    found = []
    for model in OWNERS:
        for name, field in model.model_fields.items():
            found.append((model, name))
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                found += [(model, inner) for inner in field.annotation.model_fields]
    assert len(found) > 50
    return found


@pytest.fixture(scope="module")
def read() -> set[tuple[str, str]]:
    files = [*python_files(SRC), *python_files(FLOWS), *python_files(ROOT / "infra")]
    return {pair for path in files for pair in reads(path)}


@pytest.mark.parametrize(("model", "name"), fields(), ids=lambda one: getattr(one, "__name__", one))
def test_a_field_is_read(model: type[BaseModel], name: str, read: set[tuple[str, str]]) -> None:
    own = set(reads(SRC / DECLARED[model]))
    obeyed = any((owner, name) in read for owner in OWNERS[model]) or ("self", name) in own
    assert obeyed or f"{model.__name__}.{name}" in PAPER, f"nothing reads {name}: obey it, or take it out"


def test_reading_is_told_from_naming(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("x = context.case.spec.rank\ny = self.threads\nz = Settings().device\n", encoding="utf-8")
    assert {("spec", "rank"), ("self", "threads"), ("Settings", "device")} <= set(reads(sample))
