"""Programs are started together, watched until they answer, and stopped with all that they have started."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from worlds.servers import free_port

from tailtune.core.errors import BusyError, ServiceError
from tailtune.core.locks import alone
from tailtune.operations.servers.supervision import Program, Supervisor

LISTEN = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    client.recv(1000)
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
    client.close()
"""
SLEEP = "import time; time.sleep(600)"
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(600)
"""


def program(name: str, code: str = SLEEP, *words: str, **more: object) -> Program:
    return Program(name, (sys.executable, "-S", "-c", code, *words), startup_s=20, stop_s=5, **more)  # type: ignore[arg-type]


def listening(name: str, **more: object) -> Program:
    port = free_port()
    return program(name, LISTEN, str(port), port=port, health=f"http://127.0.0.1:{port}/health", **more)


def there(file: Path) -> Callable[[], bool]:
    return lambda: file.exists() and bool(file.read_text())


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    while lives(pid):
        time.sleep(0.01)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    yield (made := Supervisor(tmp_path / "run", "make up", "make down"))
    states = [json.loads(file.read_text()) for file in made.folder.glob("*.json")]
    for state in states:
        if lives(state["pid"]):
            os.killpg(state["pid"], signal.SIGKILL)


def test_up_twice_then_down(supervisor: Supervisor) -> None:
    first = listening("first")
    second = program("second", after=("first",), health=lambda: supervisor.process(first) is not None)
    assert supervisor.up([second, first]) == {"second": True, "first": True}
    process = supervisor.process(first)
    assert process is not None and first.is_ready()
    assert supervisor.up([second, first]) == {"second": False, "first": False}
    assert supervisor.down([first, second]) == {"first": True, "second": True}
    assert not lives(process.pid) and not list(supervisor.folder.glob("*.json"))
    assert supervisor.down([first, second]) == {"first": False, "second": False}


def test_what_died_is_started_again_and_its_children_end(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "child"
    parent = program("parent", PARENT, str(note), health=there(note))
    supervisor.up([parent])
    child, state = int(note.read_text()), supervisor.state(parent)
    assert state is not None
    kill(state.pid)
    assert lives(child) and supervisor.process(parent) is None
    note.unlink()
    assert supervisor.up([parent]) == {"parent": True}
    assert not lives(child)
    child = int(note.read_text())
    supervisor.down([parent])
    assert not lives(child)


def test_what_a_dead_program_left_is_stopped(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "child"
    parent = program("parent", PARENT, str(note), health=there(note), stop_children="never")
    supervisor.up([parent])
    state = supervisor.state(parent)
    assert state is not None
    kill(state.pid)
    assert supervisor.down([parent]) == {"parent": True}
    assert not lives(int(note.read_text()))


ORDER = """
import signal, subprocess, sys, time
child = "import signal, sys, time; signal.signal(15, lambda *_: (time.sleep(0.3), note('child'), sys.exit()))\\n"
note = "note = lambda who: open(sys.argv[1], 'a').write(who + chr(10))\\n"
subprocess.Popen([sys.executable, "-c", "import sys\\n" + note + child + "note('ready'); time.sleep(600)", sys.argv[1]],
                 start_new_session=True)
signal.signal(15, lambda *_: (open(sys.argv[1], "a").write("parent"), sys.exit()))
while True: time.sleep(600)
"""


def test_children_may_end_before_their_parent(supervisor: Supervisor, tmp_path: Path) -> None:
    """Also one in a session of its own, as Prefect's worker starts its runs."""
    note = tmp_path / "order"
    parent = program("parent", ORDER, str(note), health=there(note), stop_children="first")
    supervisor.up([parent])
    supervisor.down([parent])
    assert note.read_text().split() == ["ready", "child", "parent"]


def test_one_that_does_not_start_stops_all_that_were_started(supervisor: Supervisor) -> None:
    good, bad = program("good"), program("bad", "print('no such database'); raise SystemExit(3)", health=lambda: False)
    with pytest.raises(ServiceError, match="bad did not start:\nno such database"):
        supervisor.up([good, bad])
    assert not list(supervisor.folder.glob("*.json"))


def test_what_ran_before_stays_when_another_does_not_start(supervisor: Supervisor) -> None:
    good, bad = program("good"), program("bad", "raise SystemExit(3)", health=lambda: False)
    supervisor.up([good])
    with pytest.raises(ServiceError, match="bad did not start"):
        supervisor.up([good, bad])
    assert supervisor.process(good) is not None
    supervisor.down([good])


def test_ctrl_c_leaves_nothing(supervisor: Supervisor) -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        supervisor.up([program("good"), program("slow", health=interrupted)])
    assert not list(supervisor.folder.glob("*.json"))


def test_a_port_of_somebody_else_is_named_with_its_process(supervisor: Supervisor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = program("web", port=port, port_setting="TAILTUNE_WEB_PORT")
        with pytest.raises(ServiceError) as error:
            supervisor.up([program("good"), taken])
    assert f"port {port}, wanted for web, is in use by " in error.value.message
    assert error.value.hint == f"stop that program, or: TAILTUNE_WEB_PORT={port + 1} make up"
    assert not list(supervisor.folder.glob("*.json"))


def test_another_port_or_command_wants_a_stop_first(supervisor: Supervisor) -> None:
    web = listening("web")
    supervisor.up([web])
    for other in (listening("web"), Program("web", ("other",), port=web.port)):
        with pytest.raises(ServiceError) as error:
            supervisor.up([other])
        assert error.value.hint == "make down && make up"
    supervisor.down([web])


@pytest.mark.parametrize("text", ['{"pid": %d, "started": 1.0, "port": 1}', "{torn", '{"pid": null, "started": 1}', ""])
def test_a_stale_state_file_is_nobody(supervisor: Supervisor, text: str) -> None:
    """The number of a process that died may be another's by now."""
    supervisor.folder.mkdir()
    (supervisor.folder / "web.json").write_text(text % os.getpid() if "%d" in text else text)
    web = program("web")
    assert supervisor.down([web]) == {"web": False}
    assert not list(supervisor.folder.glob("*.json"))
    assert supervisor.up([web]) == {"web": True}
    supervisor.down([web])


def test_a_clock_that_moved_hides_no_process(supervisor: Supervisor) -> None:
    """The system tells the start of a process from the time of its boot, in whole seconds."""
    web = program("web")
    supervisor.up([web])
    file = supervisor.folder / "web.json"
    state = json.loads(file.read_text())
    file.write_text(json.dumps({**state, "started": state["started"] - 2}))
    assert supervisor.process(web) is not None
    supervisor.down([web])


def test_what_does_not_end_is_killed(supervisor: Supervisor) -> None:
    stubborn = Program(
        "stubborn",
        (sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)\n"
         "while True: time.sleep(9)"),
        health=lambda: supervisor.log(stubborn).read_text() != "",
        stop_s=0.2,
    )  # fmt: skip
    supervisor.up([stubborn])
    process = supervisor.process(stubborn)
    assert process is not None
    supervisor.down([stubborn])
    assert not lives(process.pid)


def test_no_secret_is_written(supervisor: Supervisor) -> None:
    web = program("web", environment={"TOKEN": "a-secret-token"}, port=free_port())
    supervisor.up([web])
    assert "a-secret-token" not in repr(web) + "".join(file.read_text() for file in supervisor.folder.iterdir())
    assert {file.stat().st_mode & 0o077 for file in (supervisor.folder, supervisor.log(web))} == {0}
    supervisor.down([web])


def test_two_at_once_do_not_mix(supervisor: Supervisor) -> None:
    supervisor.folder.mkdir()
    with (
        alone(supervisor.folder / ".servers.lock", BusyError("")),
        pytest.raises(BusyError, match="another command starts or stops"),
    ):
        supervisor.up([program("web")])


def test_who_waits_for_nobody_is_named(supervisor: Supervisor) -> None:
    with pytest.raises(ServiceError, match="worker waits for server, which is not started"):
        supervisor.up([program("worker", after=("server",))])


def test_programs_come_up_side_by_side(supervisor: Supervisor) -> None:
    """None is waited for before the others were started."""
    began: list[float] = []

    def noting() -> bool:
        began.append(time.monotonic())
        return all(supervisor.process(each) is not None for each in programs)

    programs = [program(f"web-{number}", health=noting) for number in range(3)]
    supervisor.up(programs)
    supervisor.down(programs)
