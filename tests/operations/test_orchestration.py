"""Looks under Prefect: of every use case with logged answers; one that fails holds up no other."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prefect.states import Completed
from project import ROOT
from services.mlflow.conftest import THIRD_PARTY
from worlds import servers
from worlds.watched import FIRST_DAY, NAME, WatchedCase, strange_texts

from tailtune.core.days import shown
from tailtune.core.errors import TailTuneError
from tailtune.operations import orchestration

pytestmark = THIRD_PARTY
RUN = "import sys; from drift_monitoring import drift_monitoring; drift_monitoring(None, sys.argv[1])"


@pytest.fixture
def world(world: WatchedCase) -> WatchedCase:
    world.log(FIRST_DAY, strange_texts(90))
    return world


@pytest.fixture
def at_home(world: WatchedCase, monkeypatch: pytest.MonkeyPatch) -> WatchedCase:
    monkeypatch.setenv("TAILTUNE_ROOT", str(world.case.paths.project.root))
    return world


def test_one_that_fails_holds_up_no_other(at_home: WatchedCase, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def look(name: str, window: str) -> None:
        seen.append(name)
        if name == "a":
            raise TailTuneError("its log is locked", "wait")

    monkeypatch.setattr(orchestration, "look", look)
    monkeypatch.setattr(orchestration, "_logged", lambda paths: ["a", "b"])
    with pytest.raises(TailTuneError, match="a: its log is locked"):
        orchestration.look_at_all(None, "1d")
    assert seen == ["a", "b"]


def test_a_retrain_that_fails_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def retrain(name: str, because: str) -> None:
        seen.append((name, because))
        if name == "a":
            raise TailTuneError("another retrain is at work", "wait")

    monkeypatch.setattr(orchestration, "retrain", retrain)
    monkeypatch.setattr(orchestration, "_registered", lambda paths: ["a", "b"])
    monkeypatch.setenv("TAILTUNE_ROOT", str(ROOT))
    with pytest.raises(TailTuneError, match="a: another retrain is at work"):
        orchestration.retrain_all(None, "schedule")
    assert seen == [("a", "schedule"), ("b", "schedule")]
    with pytest.raises(TailTuneError, match="no such way in"):
        orchestration.retrain_all("a", "luck")


def test_the_state_of_the_run_says_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {"a": Completed(message="a: drift. Texts are longer."), "b": None}
    monkeypatch.setattr(orchestration, "look", lambda name, window: seen[name])
    monkeypatch.setattr(orchestration, "_logged", lambda paths: list(seen))
    monkeypatch.setenv("TAILTUNE_ROOT", str(ROOT))
    assert orchestration.look_at_all(None, "1d").message == "a: drift. Texts are longer.; b"
    monkeypatch.setattr(orchestration, "_logged", lambda paths: [])
    assert orchestration.look_at_all(None, "1d").message == "no use case has come so far"


def test_only_use_cases_with_logged_answers_are_looked_at(at_home: WatchedCase) -> None:
    paths = at_home.case.paths.project
    (paths.models / "idle").mkdir()
    (paths.models / "idle" / "model.yaml").write_text("task: classification\n")
    assert orchestration._logged(paths) == [NAME]


@pytest.mark.servers
def test_against_a_real_server_report_and_events_arrive(
    at_home: WatchedCase, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = servers.prefect(tmp_path_factory)
    environment = {
        **os.environ,
        "PREFECT_API_URL": url,
        "PYTHONPATH": str(ROOT / "flows"),
        "PREFECT_HOME": str(tmp_path),
    }
    words = [sys.executable, "-c", RUN, shown(FIRST_DAY)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    keys = {artifact["key"] for artifact in _ask(url, "artifacts/filter", {})}
    assert {f"{NAME}-monitor", f"{NAME}-monitor-moved", f"{NAME}-monitor-words"} <= keys
    prefixes = {"filter": {"event": {"prefix": ["monitor.", "drift."]}}}
    for _ in range(100):
        events = _ask(url, "events/filter", prefixes)["events"]
        if len(events) >= 2:
            break
        time.sleep(0.1)
    assert {event["event"] for event in events} == {"monitor.looked", "drift.detected"}
    assert {event["resource"]["prefect.resource.id"] for event in events} == {f"model.{NAME}"}
    assert all(event["payload"]["rows"] == 90 for event in events)


def _ask(url: str, path: str, body: Any) -> Any:
    return httpx2.post(f"{url}/{path}", json=body, timeout=20).json()
