"""What serving costs is noted once, and a ledger that is away ends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailtune.serving.costs import CostNotes, ServingUse
from tailtune.serving.counters import Counters


def test_each_entry_holds_what_came_since_the_one_before(tmp_path: Path) -> None:
    counters, entries = Counters(tmp_path), list[ServingUse]()
    costs = CostNotes(counters, entries.append)
    counters.cpu.inc(59)
    costs.note()
    assert entries == []
    counters.cpu.inc(41)
    costs.note()
    counters.usd.inc(0.5)
    counters.unpriced.inc(2)
    costs.note()
    costs.note()
    counters.prompted_usd.inc(0.25)
    costs.note()
    assert entries == [ServingUse(100, 0, 0), ServingUse(0, 0.5, 2), ServingUse(0, 0, 0, 0.25)]


def test_what_could_not_be_noted_is_noted_the_next_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counters, entries, away = Counters(tmp_path), list[ServingUse](), [True]

    def note(use: ServingUse) -> None:
        if away:
            raise ConnectionError("MLflow is away")
        entries.append(use)

    costs = CostNotes(counters, note)
    counters.cpu.inc(100)
    costs.note()
    assert "MLflow is away" in caplog.text
    away.clear()
    counters.cpu.inc(100)
    costs.note()
    assert entries == [ServingUse(200, 0, 0)]
