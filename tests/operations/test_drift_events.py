"""Automations are told of drift when something is new, and once a day while it goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.checkout import checkout
from worlds.alarming import HOUR_US, NOON_US, Clock, alert

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import ServiceError
from tailtune.operations.drift_events import labels_digest, news, tell_of_drift
from tailtune.services.monitored_days import DriftEvent
from tailtune.services.prediction_log import LoggedFeedback, Spool
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import move_spools

from .test_troubles import report

LAST = DriftEvent(NOON_US, "warning", 4.0, "labels")


@pytest.mark.parametrize(
    ("last", "found", "labels", "hours", "why"),
    [
        (None, alert(size=4.0), "labels", 0, "drift was not there before"),
        (None, None, "labels", 0, "drift was not there before"),
        (LAST, alert(size=4.0), "labels", 1, ""),
        (LAST, None, "labels", 1, ""),
        (LAST, alert(size=6.0), "labels", 1, "drift is worse"),
        (LAST, alert(size=6.0, sure_size=5.0), "labels", 1, ""),
        (LAST, alert(size=4.0, severity="critical"), "labels", 1, "drift is worse"),
        (LAST, alert(size=4.0), "more labels", 1, "people have labelled more since"),
        (LAST, alert(size=4.0), "labels", 24, "a day has passed since"),
        (LAST, alert(size=4.0), "labels", -24, "a day has passed since"),
    ],
)
def test_only_news_is_said(last: DriftEvent | None, found: Any, labels: str, hours: int, why: str) -> None:
    assert news(last, found, labels, NOON_US + hours * HOUR_US) == why


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("TAILTUNE_PREDICTION_LOG", f"sqlite:///{tmp_path / 'log.sqlite'}")
    return checkout(tmp_path / "checkout")


def drifted(**values: Any) -> Any:
    seen = report(use_case="first", evidence=3.0, **values)
    return seen.model_copy(update={"alerts": (alert(use_case="first", size=4.0),)})


def test_an_event_that_failed_is_tried_again_and_one_that_is_known_is_not(paths: Paths) -> None:
    clock, heard = Clock(), list[str]()

    def fails(why: str) -> None:
        raise ServiceError("away", "wait")

    def look(seen: Any, emit: Callable[[str], object] = heard.append) -> None:
        tell_of_drift(paths, Settings(), seen, emit, clock)

    with pytest.raises(ServiceError):
        look(drifted(), fails)
    for _ in range(3):
        look(drifted())
    assert heard == ["drift was not there before"]
    look(drifted(version="4"))
    assert len(heard) == 2, "another version's drift is another"
    clock.pass_hours(24)
    look(drifted())
    assert heard[2:] == ["a day has passed since"]
    look(report(use_case="first", evidence=0.1))
    look(drifted())
    assert heard[3:] == ["drift was not there before"], "it was over meanwhile"


def test_what_people_do_is_another_digest(paths: Paths, tmp_path: Path) -> None:
    seen = [labels_digest(paths, Settings(), "first")]
    case = paths.case("first")

    def changed() -> bool:
        seen.append(labels_digest(paths, Settings(), "first"))
        return seen[-1] not in seen[:-1]

    assert not changed()
    case.proposed.write_text("{}\n")
    assert changed()
    with case.model_yaml.open("a") as out:
        out.write("retrain: {labels_from: new}\n")
    (paths.root / "new").mkdir()
    shutil.copyfile(case.proposed, paths.root / "new" / "rows.jsonl")
    assert changed()
    spool, log = Spool(tmp_path / "spool"), PredictionLog(Settings().prediction_log or "")
    spool.append_feedback(LoggedFeedback(NOON_US, "first", "billing", "ada", None, 0, "a text"))
    spool.close()
    move_spools(log, tmp_path / "spool")
    log.close()
    assert changed() and not changed()
