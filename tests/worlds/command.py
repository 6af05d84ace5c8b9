"""`tailtune …` in this process: the same words and exit codes as in a shell, without importing everything again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Ended:
    """One per command: how it ended and what it printed."""

    code: int
    out: str
    err: str


def tailtune(root: Path, *words: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command in a checkout, on one thread: two are slower beside another worker."""
    import torch

    from tailtune.cli import main

    out, err, threads = io.StringIO(), io.StringIO(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in {"TAILTUNE_ROOT": str(root), "COLUMNS": "120", **(env or {})}.items():
                patch.setenv(name, value)
            code = main(words)
    finally:
        torch.set_num_threads(threads)
    return Ended(code, out.getvalue(), err.getvalue())
