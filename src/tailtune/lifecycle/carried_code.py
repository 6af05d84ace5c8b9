"""The code that a version carries: our modules as a package whose name is made of what they say.

Python knows a package by its name alone. So versions of different code live in one process only when their packages
have different names, and versions of equal code share one.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tailtune.core.digests import folder_digest

PACKAGE = "tailtune"
_ROOT = Path(__file__).resolve().parents[1]  # src/tailtune
ENTRY = _ROOT / "serving" / "pyfunc.py"
_DIGITS = 12
_FROM = re.compile(rb"from[\s\\]+")


@dataclass(frozen=True)
class CarriedCode:
    """One per version.

    Attributes:
        package: Folder of the package `tailtune_<digest>`.
        entry: File that MLflow runs to load the version; it imports that package.
    """

    package: Path
    entry: Path


def is_ours(module: str) -> bool:
    """Whether a module is of this package."""
    return module == PACKAGE or module.startswith(f"{PACKAGE}.")


def copy_code(modules: tuple[str, ...], into: Path) -> CarriedCode:
    """Copy our modules and the entry into an empty folder, under the name that is made of the modules' names and bytes.

    Equal modules give equal files, byte for byte.
    """
    copied = into / PACKAGE
    for name in modules:
        file = _file(name)
        target = copied / file.relative_to(_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    package = copied.rename(into / f"{PACKAGE}_{folder_digest(copied)[:_DIGITS]}")
    for file in package.rglob("*.py"):
        file.write_bytes(renamed(file.read_bytes(), package.name))
    entry = into / ENTRY.name
    entry.write_bytes(renamed(ENTRY.read_bytes(), package.name))
    return CarriedCode(package, entry)


def renamed(source: bytes, package: str) -> bytes:
    """A file of ours with every import of this package turned to one of another name; nothing else in it changes."""
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    changed = bytearray(source)
    for line_number, column in sorted(_places(ast.parse(source)), reverse=True):
        start = lines[line_number - 1] + column
        if keyword := _FROM.match(source, start):
            start = keyword.end()
        changed[start : start + len(PACKAGE)] = package.encode()
    return bytes(changed)


def _places(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """Line and column of each name of the package that an import brings, or of the statement `from … import`."""
    nodes = list(ast.walk(tree))
    bound = False  # `import tailtune.core` binds the name `tailtune`
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and not node.level and is_ours(node.module or ""):
            yield node.lineno, node.col_offset
        elif isinstance(node, ast.Import):
            for alias in filter(lambda alias: is_ours(alias.name), node.names):
                bound = bound or alias.asname is None
                yield alias.lineno, alias.col_offset
    if bound:
        yield from (
            (node.lineno, node.col_offset) for node in nodes if isinstance(node, ast.Name) and node.id == PACKAGE
        )


def _file(module: str) -> Path:
    base = _ROOT.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
