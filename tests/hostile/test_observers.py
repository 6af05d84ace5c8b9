"""Prefect and MLflow only watch: when either fails, in whatever way, the life goes on and one line says so."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tailtune.config.paths import Paths
from tailtune.core.errors import GateError, ServiceError, StageFailedError, UsageError
from tailtune.lifecycle import local_server, orchestration

FAILURES: dict[str, Exception] = {
    "500": RuntimeError("Server error '500 Internal Server Error' for url 'http://here/'\nFor more information"),
    "database": OSError("(sqlite3.OperationalError) database is locked"),
    "disk": OSError(28, "No space left on device"),
    "hangs": TimeoutError(),
    "refused": ConnectionError("\x1b[31mArtifact refused"),
}
NEW_SERVER = "has gone; the run goes on with one of its own"
WITHOUT = "the run goes on without it"


class Life:
    """Prefect's flow of three stages, one of which may fail; Prefect fails at one of them, once or always."""

    def __init__(self, failures: list[Exception | None], fault: Exception | None = None) -> None:
        self.failures, self.fault = failures, fault
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def lost() -> Iterator[list[str]]:
    yield orchestration._LOST
    orchestration._LOST.clear()
    orchestration._ENDED.clear()


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception | None], None]:
    """A server of our own that starts at once, or fails to."""

    def set_up(failure: Exception | None) -> None:
        def wait(*_: object) -> None:
            if failure is not None:
                raise failure

        monkeypatch.setattr(local_server, "wait_for", wait)

    return set_up


@pytest.fixture
def dead() -> Iterator[str]:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{nobody.getsockname()[1]}/api"


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "_answers", lambda _: True)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.usefixtures("answering")
def test_a_server_that_answers_and_fails_is_left_out(
    failure: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    life = Life([failure])
    local_server._observed(life, Paths(tmp_path), "http://here/api")
    shown = capsys.readouterr().err
    assert life.calls == 2
    assert (shown.count("\n"), shown.count(WITHOUT), "\x1b" in shown) == (1, 1, False)


@pytest.mark.parametrize("start", [None, ServiceError("it did not start"), OSError(28, "No space left on device")])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_server_that_has_gone_is_replaced_and_its_replacement_may_fail_too(
    failure: Exception,
    start: Exception | None,
    tmp_path: Path,
    dead: str,
    own_server: Callable[[Exception | None], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    own_server(start)
    life = Life([failure, failure] if start is None else [failure])
    local_server._observed(life, Paths(tmp_path), dead)
    shown = capsys.readouterr().err
    assert life.calls == (3 if start is None else 2)
    assert (shown.count("\n"), shown.count(NEW_SERVER), shown.count(WITHOUT)) == (2, 1, 1)


@pytest.mark.parametrize(
    "fault", [GateError("closed"), StageFailedError("train@toy", 137), UsageError("no"), ServiceError("DVC")]
)
@pytest.mark.parametrize("before", [0, 1, 2], ids=["at once", "with a server of its own", "without Prefect"])
def test_a_stages_own_fault_ends_the_life_with_its_code(
    fault: Exception,
    before: int,
    tmp_path: Path,
    dead: str,
    own_server: Callable[[Exception | None], None],
) -> None:
    own_server(None)
    life = Life([FAILURES["500"]] * before, fault)
    with pytest.raises(type(fault)) as raised:
        local_server._observed(life, Paths(tmp_path), dead)
    assert raised.value is fault
    assert life.calls == before + 1


@pytest.mark.usefixtures("answering")
def test_without_prefect_flows_and_tasks_are_plain_functions(tmp_path: Path) -> None:
    from prefect import Flow, Task

    calls: list[str] = []
    task = Task(lambda name: calls.append(name), name="task")
    inner = Flow(lambda name: task(name), name="inner")
    outer = Flow(lambda name: inner(name), name="outer")
    before = Flow.__call__, Task.__call__
    failures = [FAILURES["500"]]

    def life() -> None:
        if failures:
            raise failures.pop()
        outer("toy")

    local_server._observed(life, Paths(tmp_path), "http://here/api")
    assert calls == ["toy"]
    assert (Flow.__call__, Task.__call__) == before


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_what_prefect_does_not_take_is_one_line(
    failure: Exception, lost: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(orchestration.FlowRunContext, "get", lambda: object())
    tried: list[int] = []

    def refuse(*_: object, **__: object) -> Any:
        tried.append(1)
        raise failure

    monkeypatch.setattr(orchestration, "create_progress_artifact", refuse)
    reached = orchestration.Milestones("toy", of=2)
    reached.one_more()
    orchestration.show_in_prefect(refuse)
    shown = capsys.readouterr().err
    assert (len(tried), len(lost)) == (1, 1), "a server that hangs holds the life up once"
    assert (shown.count("\n"), "reports/ has it all" in shown, "\x1b" in shown) == (1, True, False)


def test_nothing_is_shown_outside_of_a_flow_run(lost: list[str]) -> None:
    assert orchestration.show_in_prefect(lambda: pytest.fail("no server knows this run")) is None
    assert not lost


def test_a_life_that_begins_again_forces_each_stage_once(
    lost: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[tuple[str, bool]] = []

    def run_stale(_: Paths, stage: str, __: str, ___: object, force: bool) -> bool:
        forced.append((stage, force))
        if stage == "ladder" and len(forced) == 3:
            raise FAILURES["500"]
        return force

    monkeypatch.setattr(orchestration.versions, "run_stale", run_stale)
    monkeypatch.setattr(orchestration.freshness, "hidden_change", lambda *_: "")
    monkeypatch.setattr(orchestration.Paths, "find", lambda: Paths(tmp_path))
    stages = ("curate", "validate", "ladder", "decide")
    for _ in range(2):
        try:
            for stage in stages:
                orchestration.run_stage.fn(stage, "toy", True)
        except OSError:
            pytest.fail("not this one")
        except RuntimeError:
            continue
    assert forced == [
        *[("curate", True), ("validate", True), ("ladder", True)],
        *[("curate", False), ("validate", False), ("ladder", True), ("decide", True)],
    ]
