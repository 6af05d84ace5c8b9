"""Names that the house has given up: a name says what a thing is, in the field's own words."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from house.tree import ROOT, outside, python_files, syntax

GIVEN_UP = {"told", "said", "held", "wanted", "asked"}
"""As names of functions, classes and variables."""
GIVEN_UP_AS_DEFINITIONS = GIVEN_UP | {"given", "found", "one", "part"}
"""As names of functions and classes."""
FOLDERS = ("src", "flows", "infra", "examples", "benchmarks", "tests")


def given_up(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every function, class and variable with such a name, alone or between underscores."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.strip("_").lower() in GIVEN_UP_AS_DEFINITIONS:
                yield node.lineno, node.name
        elif (name := _variable(node)).strip("_").lower() in GIVEN_UP:
            yield getattr(node, "lineno", 0), name


def _variable(node: ast.AST) -> str:
    """The name that a node gives to a value; empty when it gives none."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name
        case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)) | ast.MatchAs(name=str(name)):
            return name
    return ""


def wrong_names(folders: tuple[str, ...]) -> list[str]:
    files = [path for folder in folders if (ROOT / folder).is_dir() for path in python_files(ROOT / folder)]
    assert files
    return [f"{path.relative_to(ROOT)}:{line} {name}" for path in files for line, name in given_up(syntax(path))]


def test_names_are_plain() -> None:
    wrong = wrong_names(FOLDERS)
    assert not wrong, outside(wrong)


def test_every_kind_of_name_is_seen() -> None:
    source = """
def told(asked, *, wanted): pass
class Found: pass
def _part(): pass
said: int = 1
_held = given = found = one = part = 2
self.held = [said for said in x]
with f() as held, g() as (asked, b): pass
import a as told
async def one(): pass
"""
    names = sorted(name for _, name in given_up(ast.parse(source)))
    assert names == sorted(
        ["told", "asked", "wanted", "Found", "_part", "said", "_held", "held", "said", "held", "asked", "told", "one"]
    )


def test_a_share_is_written_in_one_way() -> None:
    """`93.1 %`, by core.figures: Python's own format leaves out the space, and rounds 99.97 % up to 100.0 %."""
    for path in python_files(ROOT / "src"):
        formats = [node for node in ast.walk(syntax(path)) if isinstance(node, ast.FormattedValue) and node.format_spec]
        own = [ast.unparse(node.format_spec) for node in formats if node.format_spec]
        assert not [spec for spec in own if spec.rstrip("'\"").endswith("%")], path.relative_to(ROOT)
