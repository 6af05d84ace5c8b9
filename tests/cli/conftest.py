"""The command line in a small checkout, for tests that need no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.checkout import Cli, checkout, environment


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    environment(monkeypatch, tmp_path / "checkout", tmp_path / "site")
    return Cli(checkout(tmp_path / "checkout"), capsys)
