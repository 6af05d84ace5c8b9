"""A monitor that does not look any more is told of, once, and it is over when somebody looks again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from project import NAME, make

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.monitored import DayCounts, DayFigures
from tailtune.operations.alerts import Alerts
from tailtune.operations.silence import check_silence
from tailtune.services.monitored_days import KeptDay, MonitoredDays
from tailtune.services.outbox.store import Outbox
from tailtune.services.prediction_log import LoggedPrediction, Spool
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import move_spools

DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
TODAY = 20_000


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return make(tmp_path_factory.mktemp("watched"))


@pytest.fixture
def alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alerts]:
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    monkeypatch.setenv("TAILTUNE_PREDICTION_LOG", url)
    outbox = Outbox(url)
    yield Alerts(outbox, {})
    outbox.close()


def answered(folder: Path, *days: int) -> None:
    spool, log = Spool(folder), PredictionLog(Settings().prediction_log or "")
    rows = [
        LoggedPrediction(
            at_us=day * DAY_US + HOUR_US, use_case=NAME, version="3", route="model", request_id="r", latency_ms=1
        )
        for day in days
    ]
    spool.append(rows)
    spool.close()
    move_spools(log, folder)
    log.close()


def looked_at(day: int, is_over: bool = True) -> None:
    looks = MonitoredDays(Settings().prediction_log or "")
    figures = DayFigures(
        rows=1, rows_read=1, unanswered=0, p50_ms=None, p99_ms=None, usd=0.0, unpriced=0, is_over=is_over
    )
    looks.keep(NAME, "3", "digest", [KeptDay(DayCounts(day, 1, {}), figures)])
    looks.close()


def checked(paths: Paths, alerts: Alerts, day: int, hour: float, hours: float | None = None) -> list[str]:
    now_us = day * DAY_US + round(hour * HOUR_US)
    found = check_silence(paths, Settings(), alerts, now_us, hours)
    return [f"{message.kind} {message.alert.cause} {message.alert.severity}" for message in found]


def test_a_monitor_that_looks_every_night_is_not_silent(paths: Paths, alerts: Alerts, tmp_path: Path) -> None:
    answered(tmp_path / "spool", TODAY - 2, TODAY - 1, TODAY)
    looked_at(TODAY - 1)
    assert checked(paths, alerts, TODAY + 1, 23) == []
    assert checked(paths, alerts, TODAY + 1, 2.9, hours=3) == []


def test_a_day_that_nobody_looked_at_in_time_is_told_once(paths: Paths, alerts: Alerts, tmp_path: Path) -> None:
    answered(tmp_path / "spool", TODAY - 1, TODAY)
    looked_at(TODAY - 1)
    assert checked(paths, alerts, TODAY + 1, 4.5, hours=3) == ["alert silent warning"]
    assert checked(paths, alerts, TODAY + 2, 6.5) == []
    (trouble,) = alerts.outbox.troubles()
    assert trouble.alert.moved == ("2024-10-03 was looked at; nobody has looked at answers from 2024-10-04 on.",)
    assert checked(paths, alerts, TODAY + 8, 6.5) == ["escalation silent critical"]
    looked_at(TODAY)
    assert checked(paths, alerts, TODAY + 8, 7) == ["recovery silent critical"]


def test_a_day_that_was_looked_at_while_a_clock_was_ahead_hides_no_silence(
    paths: Paths, alerts: Alerts, tmp_path: Path
) -> None:
    answered(tmp_path / "spool", TODAY - 1, TODAY)
    looked_at(TODAY - 1)
    looked_at(TODAY + 400)
    assert checked(paths, alerts, TODAY + 1, 4.5, hours=3) == ["alert silent warning"]


def test_a_look_in_mid_day_is_no_look_at_that_day(paths: Paths, alerts: Alerts, tmp_path: Path) -> None:
    answered(tmp_path / "spool", TODAY - 1, TODAY)
    looked_at(TODAY - 1)
    looked_at(TODAY, is_over=False)
    assert checked(paths, alerts, TODAY, 23) == []
    assert checked(paths, alerts, TODAY + 1, 4.5, hours=3) == ["alert silent warning"]
    looked_at(TODAY)
    assert checked(paths, alerts, TODAY + 1, 5, hours=3) == ["recovery silent warning"]


def test_who_was_never_looked_at_or_not_asked_is_not_missed(paths: Paths, alerts: Alerts, tmp_path: Path) -> None:
    assert checked(paths, alerts, TODAY, 12) == []
    answered(tmp_path / "spool", TODAY - 5)
    assert checked(paths, alerts, TODAY, 12) == [], "nobody watches it"
    looked_at(TODAY - 5)
    assert checked(paths, alerts, TODAY, 12) == [], "nobody asked it anything since"


def test_a_spec_that_cannot_be_read_hides_no_other(paths: Paths, alerts: Alerts, tmp_path: Path) -> None:
    broken = paths.models / "a-broken-one"
    broken.mkdir(exist_ok=True)
    (broken / "model.yaml").write_text("task: [", encoding="utf-8")
    answered(tmp_path / "spool", TODAY - 5, TODAY - 3)
    looked_at(TODAY - 5)
    assert checked(paths, alerts, TODAY, 12) == ["alert silent warning"]
