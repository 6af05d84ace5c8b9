"""A test stands where the thing it tests stands: `curate/dedupe.py` ↔ `tests/**/curate/test_dedupe.py`."""

from __future__ import annotations

import ast
from pathlib import Path

from house.tree import ROOT, SRC, outside, syntax

TESTS = ROOT / "tests"
BESIDE_SRC = {"benchmarks", "docs", "examples", "flows", "hostile", "house", "infra", "life", "models", "worlds"}
BESIDE_SRC |= {"smoke"}
"""Folders of tests whose subject is not in src/tailtune; some of them mirror the folder of that name."""


def test_every_test_mirrors_a_module() -> None:
    files = sorted(TESTS.rglob("test_*.py"))
    assert len(files) > 20
    wrong = [str(path.relative_to(ROOT)) for path in files if not mirrored(path)]
    assert not wrong, outside(wrong)


def mirrored(path: Path) -> bool:
    """Whether a test's folder is one of src, and its name begins with a module or package of that folder.

    `test_store.py`, `test_store_rows.py` and `store/test_rows.py` may all be about `store`; `curate/test_run.py` is
    about the function `run` of the package `curate`.
    """
    parts = path.relative_to(TESTS).parts
    if parts[0] in BESIDE_SRC:
        return True
    folder = SRC.joinpath(*parts[:-1])
    if not folder.is_dir():
        return folder.with_suffix(".py").is_file()
    about = path.stem.removeprefix("test_")
    own = syntax(folder / "__init__.py").body if (folder / "__init__.py").is_file() else []
    subjects = {node.name for node in own if isinstance(node, ast.FunctionDef)}
    subjects |= {item.stem for item in folder.iterdir() if item.suffix == ".py" or (item / "__init__.py").is_file()}
    return any(about == name or about.startswith(f"{name}_") for name in (*subjects, folder.name))


def test_every_floor_of_the_source_is_tested() -> None:
    floors = sorted(path.parent.name for path in SRC.glob("*/__init__.py"))
    assert floors
    bare = [floor for floor in floors if not list((TESTS / floor).rglob("test_*.py"))]
    assert not bare, f"no test for {', '.join(bare)}"


def test_every_stage_is_tested() -> None:
    from tailtune.lifecycle.table import STAGES

    bare = []
    for stage in STAGES:
        file, folder = TESTS / "lifecycle" / f"test_{stage.name}.py", TESTS / "lifecycle" / stage.name
        if not file.is_file() and not list(folder.glob("test_*.py")):
            bare.append(stage.name)
    assert not bare, f"no test for {', '.join(bare)}"
