"""The checkout as the house tests see it: its files, and who imports what."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "tailtune"
FLOWS = ROOT / "flows"
EXAMPLES = ROOT / "examples"
MODELS = ROOT / "models"


@dataclass(frozen=True)
class Import:
    """One per imported name and place: `import a.b` is a.b, `from a import b` is a.b too."""

    path: Path
    line: int
    module: str

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def python_files(folder: Path) -> list[Path]:
    """Python files below a folder; that there are some is asserted here, once for every loop over them."""
    found = sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
    assert found, f"no Python file below {folder}"
    return found


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, also those inside functions, under TYPE_CHECKING, and by a literal name."""
    for node in ast.walk(syntax(path)):
        match node:
            case ast.Import():
                yield from (Import(path, node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield from (Import(path, node.lineno, f"{module}.{alias.name}") for alias in node.names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield Import(path, node.lineno, module)


def all_imports(*folders: Path) -> list[Import]:
    found = [one for folder in folders for path in python_files(folder) for one in imports(path)]
    assert found, f"no import below {folders}"
    return found


def files_of_git() -> list[Path]:
    """Files that are, or on the next `git add` would be, in git."""
    words = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(words, capture_output=True, check=True, text=True).stdout.split("\0")
    found = [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    assert len(found) > 50, "git lists too few files to be this checkout"
    return found


def outside(names: list[str]) -> str:
    """Violations, one a line, for an assertion's message."""
    return "\n".join(["", *names])
