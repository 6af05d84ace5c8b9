"""The package that a version carries: its name says what is in it, and only its imports are changed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tailtune.lifecycle import carried_code
from tailtune.lifecycle.carried_code import copy_code, renamed

MODULES = ("tailtune", "tailtune.core", "tailtune.core.errors", "tailtune.core.printable", "tailtune.core.secrets")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from tailtune.core import errors", "from new.core import errors"),
        ("from tailtune import core", "from new import core"),
        ("import tailtune.core.errors as e, tailtune", "import new.core.errors as e, new"),
        ("import tailtune.core\ntailtune.core.errors", "import new.core\nnew.core.errors"),
        ("if x:\n    from \\\n        tailtune.core import y", "if x:\n    from \\\n        new.core import y"),
        ("é = 1; from tailtune.core import y # tailtune", "é = 1; from new.core import y # tailtune"),
        ('"from tailtune.core import y"', '"from tailtune.core import y"'),
        ("from tailtuned import y", "from tailtuned import y"),
        ("from .tailtune import tailtune", "from .tailtune import tailtune"),
        ("def tailtune(): pass\ntailtune()", "def tailtune(): pass\ntailtune()"),
        ("a = 1\r\nfrom tailtune.x import y\r\n", "a = 1\r\nfrom new.x import y\r\n"),
    ],
)
def test_imports_are_renamed_and_nothing_else(source: str, expected: str) -> None:
    assert renamed(source.encode(), "new").decode() == expected


def test_equal_modules_make_equal_packages(tmp_path: Path) -> None:
    first, second = (copy_code(MODULES, tmp_path / name) for name in ("first", "second"))
    assert first.package.name == second.package.name
    assert contents(first.package.parent) == contents(second.package.parent)


def test_fewer_modules_or_other_bytes_make_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [copy_code(MODULES, tmp_path / "all").package.name, copy_code(MODULES[:-1], tmp_path / "few").package.name]
    originals = tmp_path / "originals"
    for name in MODULES:
        file = carried_code._file(name)
        target = originals / file.relative_to(carried_code._ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes() + b"# changed\n")
    monkeypatch.setattr(carried_code, "_ROOT", originals)
    names.append(copy_code(MODULES, tmp_path / "changed").package.name)
    assert len(set(names)) == 3


def test_no_file_of_ours_names_a_module_of_ours_in_a_string() -> None:
    """Such a name would lead out of the package that a version carries."""
    carried = ("core", "config", "predictors", "tasks", "services/endpoint")
    named = [
        f"{file.relative_to(carried_code._ROOT)}:{node.lineno}"
        for folder in carried
        for file in (carried_code._ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("tailtune.")
        and carried_code._file(node.value.partition(":")[0].rstrip(".")).is_file()
    ]
    assert not named


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
