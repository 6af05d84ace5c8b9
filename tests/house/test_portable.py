"""A clone works anywhere: no path of one machine, no file from outside the checkout, no weights or data in git."""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser

from house.tree import ROOT, SRC, files_of_git, outside, python_files, syntax

FOREIGN = re.compile(r"(?<![\w.<{$-])/(work|root|mnt|Users|home)/\w|\.\./shared\b")
MAY_REACH_OUT = ("tests/", "benchmarks/")
"""They may look for datasets beside the checkout; they skip when there are none."""
LARGEST_BYTES = 600_000


def test_no_file_knows_this_machine() -> None:
    wrong, read = [], 0
    for path in files_of_git():
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(MAY_REACH_OUT):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        read += 1
        wrong += [f"{name}:{n}" for n, line in enumerate(text.splitlines(), start=1) if FOREIGN.search(line)]
    assert read > 50
    assert not wrong, outside(wrong)


def test_files_of_text_name_their_encoding() -> None:
    """Else labels with an umlaut are written in the encoding of the machine, and read as UTF-8."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files(SRC)
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("read_text", "write_text")
        and "encoding" not in {keyword.arg for keyword in node.keywords}
    ]
    assert not wrong, outside(wrong)


def test_git_holds_no_derived_or_large_file() -> None:
    names = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in files_of_git()}
    derived = [name for name in names if name.startswith(("build/", "data/", "mlflow/store/", ".venv/", ".run/"))]
    weights = [name for name in names if name.endswith((".safetensors", ".pt", ".bin", ".onnx", ".pkl", ".parquet"))]
    large = [f"{name}: {size:,} bytes" for name, size in names.items() if size > LARGEST_BYTES]
    assert not [*derived, *weights, *large]


def test_dvc_typed_by_hand_phones_nobody() -> None:
    config = ConfigParser()
    config.read_string((ROOT / ".dvc" / "config").read_text(encoding="utf-8"))
    assert not config.getboolean("core", "analytics", fallback=True)


def test_models_holds_no_code() -> None:
    found = [path for path in (ROOT / "models").rglob("*") if path.is_file()]
    assert found
    assert {path.suffix for path in found} <= {".yaml", ".md", ".json"}


def test_links_stay_inside() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in files_of_git()
        if path.is_symlink() and not path.resolve().is_relative_to(ROOT)
    ]
    assert not wrong, outside(wrong)
