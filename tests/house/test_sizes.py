"""One idea a file: a module has 80 to 400 lines, a function up to 40, and never far beyond."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from statistics import median

from house.tree import FLOWS, ROOT, SRC, outside, python_files, syntax

MOST_LINES, MEDIAN_LINES, FUNCTION_LINES = 600, 200, 60


def lengths() -> dict[str, int]:
    files = [*python_files(SRC), *python_files(FLOWS), *python_files(ROOT / "tests"), *python_files(ROOT / "infra")]
    return {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}


def functions() -> Iterator[tuple[str, int]]:
    for path in (*python_files(SRC), *python_files(FLOWS)):
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                doc = ast.get_docstring(node, clean=False) or ""
                yield (
                    f"{path.relative_to(ROOT)}:{node.lineno} {node.name}",
                    node.end_lineno - node.lineno + 1 - (doc.count("\n") + 1),
                )


def test_no_file_is_long() -> None:
    long = [f"{name}: {lines} lines" for name, lines in lengths().items() if lines > MOST_LINES]
    assert not long, outside(long)


def test_the_usual_module_is_short() -> None:
    source = [lines for name, lines in lengths().items() if name.startswith("src/") and lines > 1]
    assert len(source) > 50
    assert median(source) <= MEDIAN_LINES


def test_no_function_is_long() -> None:
    found = dict(functions())
    assert len(found) > 300
    long = [f"{name}: {lines} lines without its docstring" for name, lines in found.items() if lines > FUNCTION_LINES]
    assert not long, outside(long)
