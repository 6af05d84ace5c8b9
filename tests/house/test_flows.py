"""flows/: one file a family, thin, and under names that hide no package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from house.tree import FLOWS, ROOT, all_imports, outside, python_files, syntax
from tailtune.lifecycle.table import FAMILIES


def flows_in(path: Path) -> list[str]:
    """Names of the functions that `@flow` decorates."""
    return [
        node.name
        for node in syntax(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for mark in node.decorator_list
        if ast.unparse(mark).startswith("flow")
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_a_flow_in_a_file_of_its_name(family: str) -> None:
    assert flows_in(FLOWS / f"{family}.py") == [family]


def test_the_lifecycle_runs_every_family_in_order() -> None:
    tree = syntax(FLOWS / "lifecycle.py")
    listed = [
        [name.id for name in node.value.elts if isinstance(name, ast.Name)]
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FAMILIES"
        if isinstance(node.value, ast.Tuple)
    ]
    assert listed == [list(FAMILIES)]


def test_no_flow_file_hides_a_package(tmp_path: Path) -> None:
    stems = [path.stem for path in python_files(FLOWS)]
    ask = "import importlib.util as u, sys; print([s for s in sys.argv[1:] if u.find_spec(s)])"
    words = [sys.executable, "-I", "-c", ask, *stems, "prefect"]
    message = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert ast.literal_eval(message) == ["prefect"], "Prefect's loader would put these files before the packages"
    assert not {"datasets", "evaluate", "monitoring"} & set(stems), "packages that others install beside ours"


def test_nothing_imports_flows() -> None:
    stems = {"flows", *(path.stem for path in python_files(FLOWS))}
    folders = [folder for name in ("src", "infra", "benchmarks") if list((folder := ROOT / name).rglob("*.py"))]
    wrong = [str(one) for one in all_imports(*folders) if one.package in stems]
    assert not wrong, outside(wrong)


def test_flows_are_short_and_do_no_work() -> None:
    """They name tasks, and the tasks are in lifecycle/orchestration and operations/orchestration."""
    allowed = {"orchestration", "local_server"}
    for path in python_files(FLOWS):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 40, path
    wrong = [
        str(one)
        for one in all_imports(FLOWS)
        if one.package not in {"sys", *FAMILIES}
        and not one.module.startswith("tailtune.core.process")
        and not (
            one.module.startswith(("tailtune.lifecycle.", "tailtune.operations."))
            and one.module.split(".")[2] in allowed
        )
    ]
    assert not wrong, outside(wrong)


def test_every_deployment_names_a_flow_that_is_there() -> None:
    loaded = YAML(typ="safe", pure=True).load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    deployments = loaded["deployments"]
    assert deployments
    for one in deployments:
        file, _, name = one["entrypoint"].partition(":")
        assert name in flows_in(ROOT / file), one["entrypoint"]
    assert len({one["name"] for one in deployments}) == len(deployments)
    assert {one["entrypoint"].partition(":")[2] for one in deployments} >= {"lifecycle"}
