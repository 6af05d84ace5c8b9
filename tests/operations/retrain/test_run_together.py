"""Two retrains at once, and one that is killed: whatever happens, one outcome, one message, and the next goes on."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from threading import Timer

import pytest
from sqlalchemy import select
from worlds.postgresql import postgresql

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import BusyError, ServiceError, StageFailedError
from tailtune.core.process import in_order_at_sigterm
from tailtune.core.progress import Silent
from tailtune.core.retrains import RetrainOutcome
from tailtune.operations.retrain import run
from tailtune.operations.retrain.run import retrain
from tailtune.operations.retrain.workspace import Workspace
from tailtune.services import versions
from tailtune.services.outbox.store import Outbox
from tailtune.services.outbox.tables import TROUBLE
from tailtune.services.retrains import Retrains

from .test_push import git

pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


@pytest.fixture
def both(paths: Paths) -> Paths:
    """Two use cases in git."""
    for folder in (paths.models, paths.data):
        shutil.copytree(folder / "first", folder / "second")
    versions.pin_data(paths)
    (paths.root / ".gitignore").write_text("/data/\n/.run/\n/.dvc/cache/\n/.dvc/tmp/\n/mlflow/\n/.serving/\n")
    git(paths.root, "init")
    git(paths.root, "add", "-A")
    git(paths.root, "commit", "-m", "start")
    return paths


class Started:
    """A retrain in a process of its own, whose life goes on until a file `stop` is there, and ends at a gate."""

    def __init__(self, paths: Paths, name: str, folder: Path) -> None:
        self.began, self._ended = folder / f"{name}-{time.monotonic_ns()}", folder / f"{name}-{time.monotonic_ns()}.end"
        self._paths, self._name, self._stop = paths, name, folder / "stop"
        self.process = get_context("fork").Process(target=self._work)  # a fork has imported all already
        self.process.start()

    def _work(self) -> None:
        with pytest.MonkeyPatch.context() as patch, in_order_at_sigterm():
            patch.setattr(Workspace, "run_life", self._life)
            try:
                done = retrain(self._paths, Settings(), self._name, "hand", Silent())
                self._ended.write_text(done.outcome.state if done.outcome else "not started")
            except BusyError as busy:
                self._ended.write_text(busy.message)

    def _life(self, _: Workspace | None = None) -> int:
        self.began.touch()
        deadline = time.monotonic() + 120
        while not self._stop.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        return 3

    def lives(self) -> None:
        deadline = time.monotonic() + 120
        while not self.began.exists():
            assert self.process.is_alive() and time.monotonic() < deadline
            time.sleep(0.05)

    def ended(self) -> list[str]:
        self.process.join(120)
        return [self._name, self._ended.read_text()]


@pytest.fixture
def started() -> Iterator[list[Started]]:
    made: list[Started] = []
    yield made
    for each in made:
        each.process.kill()
        each.process.join()


def outcomes(paths: Paths, name: str = "first") -> int:
    """How many messages there are about what came of retrains."""
    with closing(Outbox(Settings().prediction_log_url(paths))) as outbox, outbox._database.reading() as connection:
        made = connection.execute(select(TROUBLE.c.kind).where(TROUBLE.c.use_case == name)).all()
    return len([kind for (kind,) in made if kind == "outcome"])


def test_two_use_cases_at_once_do_not_meet_and_two_of_one_do(
    both: Paths, tmp_path: Path, started: list[Started]
) -> None:
    started += [Started(both, name, tmp_path) for name in ("first", "second")]
    for each in started:
        each.lives()
    started.append(Started(both, "first", tmp_path))
    assert started[2].ended() == ["first", "another retrain of first is at work in this checkout"]
    (tmp_path / "stop").touch()
    assert [each.ended() for each in started[:2]] == [["first", "stopped"], ["second", "stopped"]]
    assert outcomes(both) == outcomes(both, "second") == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_is_killed_leaves_no_outcome_and_the_next_starts_over(
    both: Paths, tmp_path: Path, started: list[Started], monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    started.append(Started(both, "first", tmp_path))
    started[0].lives()
    os.kill(started[0].process.pid or 0, how)
    started[0].process.join(60)
    assert outcomes(both) == 0
    monkeypatch.setattr(Workspace, "run_life", lambda self: 3)
    done = retrain(both, Settings(), "first", "schedule", Silent())
    assert done.outcome is not None and done.outcome.state == "stopped" and outcomes(both) == 1
    assert retrain(both, Settings(), "first", "schedule", Silent()).outcome is None  # it counts for the cool-down now


def test_a_kill_before_people_heard_of_it_doubles_and_loses_no_message(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "run_life", lambda self: 3)
    tell = run._tell

    def cut_off(*words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_tell", cut_off)
    with pytest.raises(KeyboardInterrupt):
        retrain(paths, Settings(), "first", "hand", Silent())
    assert outcomes(paths) == 0
    monkeypatch.setattr(run, "_tell", tell)
    for _ in range(2):
        assert retrain(paths, Settings(), "first", "schedule", Silent()).outcome is None
        assert outcomes(paths) == 1


def test_a_database_that_is_away_for_a_moment_loses_no_outcome(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    away, really = [ServiceError("away", "wait")] * 2, Retrains.end

    def end(self: Retrains, *words: object) -> None:
        if away:
            raise away.pop()
        really(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Workspace, "run_life", lambda self: 3)
    monkeypatch.setattr(Retrains, "end", end)
    assert retrain(paths, Settings(), "first", "hand", Silent()).outcome is not None
    with closing(Retrains(Settings().prediction_log_url(paths))) as kept:
        assert kept.last("first") is not None and not away


@pytest.mark.servers
def test_a_postgresql_that_restarts_in_mid_flow_loses_nothing(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with postgresql(folder) as server:
        monkeypatch.setenv("TAILTUNE_PREDICTION_LOG", server.new_database())

        def life(self: Workspace) -> int:
            server.stop()
            Timer(2, server.start).start()
            return 3

        monkeypatch.setattr(Workspace, "run_life", life)
        done = retrain(paths, Settings(), "first", "hand", Silent())
        assert done.outcome is not None and outcomes(paths) == 1
        with closing(Retrains(Settings().prediction_log_url(paths))) as kept:
            last = kept.last("first")
        assert last is not None and last.outcome == done.outcome


def test_no_room_for_what_changed_leaves_a_version_and_says_so(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Workspace, message: str, day: str) -> tuple[str, str | None]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Workspace, "run_life", lambda self: 0)
    monkeypatch.setattr(Workspace, "bring_back", full)
    monkeypatch.setattr(run, "_registered", lambda workspace, outcome, before, known: _promoted(outcome))
    done = retrain(paths, Settings(), "first", "hand", Silent())
    assert done.outcome is not None and done.outcome.state == "promoted" and done.outcome.pushes == ()
    assert "did not come back" in done.outcome.notes[-1] and "No space left" in done.outcome.notes[-1]
    assert outcomes(paths) == 1


def _promoted(outcome: RetrainOutcome) -> RetrainOutcome:
    return outcome.model_copy(update={"state": "promoted", "version": "2"})


def test_a_tracking_server_that_dies_in_mid_training_changes_no_outcome_and_may_be_tried_again(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [ServiceError.exit_code, 3]
    monkeypatch.setattr(Workspace, "run_life", lambda self: codes.pop(0))
    with pytest.raises(StageFailedError):
        retrain(paths, Settings(), "first", "schedule", Silent())
    assert outcomes(paths) == 0
    assert retrain(paths, Settings(), "first", "schedule", Silent()).outcome is not None
    assert outcomes(paths) == 1
