"""Linear heads on the frozen encoder: the real one, on few short texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tailtune.tasks.extraction.rungs.token_probe import TokenProbe
from tasks.extraction.rungs.claims import SCHEMA, UNSEEN, share
from tasks.extraction.rungs.contract import Check, fitted, keeps


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """On a busy machine two threads are slower than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    check(TokenProbe, tmp_path / "rung")


def test_it_reads_claims_that_it_has_not_seen() -> None:
    rung = fitted(TokenProbe)
    answers = rung.answer([row.text for row in UNSEEN])
    assert share(answers, UNSEEN, lambda name: SCHEMA[name].spanned) > 0.9
    assert share(answers, UNSEEN, lambda name: not SCHEMA[name].spanned) > 0.9
    assert rung.fit_rows == 84
