"""The Prefect server of a run that has none: a thread that starts it at the first request and ends it with the run.

Prefect would start one itself, but that one outlives a killed run, hears Ctrl-C before the run has recorded its end,
and registers block types that no flow here uses. The command `tailtune run` has the thread, so that the server works
beside the stages and not among them; a flow that was started without the command has one of its own.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from tailtune.config.paths import Paths
from tailtune.core.errors import ServiceError, StageFailedError, TailTuneError, UsageError
from tailtune.core.loopback import OnlyThisMachine
from tailtune.core.printable import printable
from tailtune.core.private import private_folder
from tailtune.core.process import Terminated, causes, end_in_order_at_sigterm, interrupted_code, leave_with
from tailtune.core.secrets import secret_in, without_password, without_passwords
from tailtune.lifecycle.alone import alone_in_life
from tailtune.lifecycle.closed_gate import closed_gate

if TYPE_CHECKING:
    from prefect import Flow

    from tailtune.lifecycle.table import Stage
    from tailtune.tasks.use_case import UseCase

STARTUP_S = 120.0
_END_S = 5.0
_REQUEST_S = 30.0
"""How long the Prefect server may take for a request; Prefect's own minute holds a life up for too long."""
_RETRIES = 2
"""How often a request to the Prefect server is sent again; Prefect's own five take more than a minute each."""
_LOG = "temporary-server.log"
WITHIN_VARIABLE, WITHIN = "TAILTUNE_WITHIN_RUN", "within:"
"""Variable with the id of the run that this one is a part of, and how the tag begins that says so in Prefect."""


class LocalServer:
    """One per run without a Prefect server of its own; nothing starts before somebody asks it something.

    Args:
        folder: Where its database and log stay, so that a later server can show the runs.
    """

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        self._folder = folder
        self._server: Any = None
        self._ended = threading.Event()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"

    def __enter__(self) -> LocalServer:
        self._socket.listen(128)
        self._thread = threading.Thread(target=self._wait_and_serve, name="prefect-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(timeout=_END_S)

    def _wait_and_serve(self) -> None:
        while not self._ended.is_set():
            if select.select([self._socket], [], [], 0.1)[0]:
                break
        else:
            self._socket.close()
            return
        try:
            self._serve()
        except BaseException:
            (self._folder / _LOG).write_text(traceback.format_exc(), encoding="utf-8")
        finally:
            self._socket.close()

    def _serve(self) -> None:
        from prefect.settings import (
            PREFECT_API_BLOCKS_REGISTER_ON_START,
            PREFECT_API_URL,
            PREFECT_SERVER_DATABASE_CONNECTION_URL,
            PREFECT_UI_ENABLED,
            temporary_settings,
        )

        database = f"sqlite+aiosqlite:///{self._folder / 'prefect.db'}"
        settings = {
            PREFECT_SERVER_DATABASE_CONNECTION_URL: os.environ.get(
                PREFECT_SERVER_DATABASE_CONNECTION_URL.name, database
            ),
            PREFECT_UI_ENABLED: False,
            PREFECT_API_BLOCKS_REGISTER_ON_START: False,
            PREFECT_API_URL: None,
        }
        with temporary_settings(settings):
            import uvicorn
            from prefect.server.api.server import create_app

            app = OnlyThisMachine(create_app(ephemeral=True, final=True))
            _log_to(self._folder / _LOG)
            config = uvicorn.Config(app, log_config=None, lifespan="on")
            self._server = uvicorn.Server(config)
            if not self._ended.is_set():
                self._server.run(sockets=[self._socket])


def only_this_machine() -> OnlyThisMachine:
    """The Prefect server of `tailtune up`, as uvicorn makes it.

    Whoever may use its API can let the worker run any program, and Prefect answers pages of any origin.
    """
    from prefect.server.api.server import create_app

    return OnlyThisMachine(create_app(final=True))


def wait_for(url: str, folder: Path, meanwhile: Callable[[], None]) -> None:
    """Start a local server, do something else, then wait until it answers.

    Raises:
        ServiceError: It did not start.
    """
    deadline, address = time.monotonic() + STARTUP_S, urlsplit(url)
    with suppress(OSError):
        socket.create_connection((address.hostname or "", address.port or 0), timeout=1).close()
    meanwhile()
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=STARTUP_S).close()  # noqa: S310
            return
        except urllib.error.HTTPError:
            time.sleep(0.05)
        except OSError:
            break
    log = folder / _LOG
    last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2] if log.is_file() else ""
    raise ServiceError(f"{log}: the temporary Prefect server did not start: {last}", f"less {log}")


def run_flow(paths: Paths, use_case: str, force: bool, environment: Mapping[str, str] | None = None) -> int:
    """Run the life of a use case as a flow, in a process of its own, with a server at hand for it.

    Args:
        paths: The checkout.
        use_case: Whose life.
        force: Run every stage, fresh or not.
        environment: Of the process; this one's when None.

    Returns:
        Its exit code.

    Raises:
        BusyError: Another run is at work on the use case; nothing was changed.
        KeyboardInterrupt: Ctrl-C was pressed, and the flow has ended.
    """
    flow = paths.root / "flows" / "lifecycle.py"
    with alone_in_life(paths.case(use_case)), LocalServer(paths.root / ".run") as server:
        words = [sys.executable, str(flow), use_case, "--parent", str(os.getpid()), "--server", server.url]
        return run_to_end([*words, *(["--force"] if force else [])], paths.root, environment)


def run_to_end(words: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> int:
    """Run a command in this terminal and wait for it.

    `subprocess.run` would kill the child a quarter of a second after Ctrl-C, in the middle of its clean-up.

    Returns:
        Its exit code; 128 + n when signal n ended it.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, or SIGTERM arrived, which is handed on; the child has ended by itself, or
            was killed at a second Ctrl-C.

    Limit: a SIGINT sent to this process alone, and not to its group as a terminal does, only waits for the child.
    """
    child = subprocess.Popen(words, cwd=cwd, env=environment)  # noqa: S603 - our own words
    try:
        code = child.wait()
    except KeyboardInterrupt as interrupt:
        if isinstance(interrupt, Terminated):
            _hand_on(child.pid)
        if environment is None:  # a stage's process ends with the run, and the run says so
            print("\nending the run; Ctrl-C again kills it", file=sys.stderr, flush=True)
        try:
            child.wait()
        except KeyboardInterrupt:
            child.kill()
            child.wait()
        raise
    return 128 - code if code < 0 else code


def _hand_on(pid: int) -> None:
    """Send SIGTERM to a process and all below it, as Ctrl-C reaches all of a terminal's: a shell would keep it."""
    with suppress(psutil.NoSuchProcess):
        child = psutil.Process(pid)
        for process in (child, *child.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.terminate()


def main(flow: Flow[Any, Any], words: Sequence[str] | None = None) -> int:
    """Run a flow of one use case from the shell; say what is wrong on stderr.

    Returns:
        0, or the exit code of the stage that failed; 130 after Ctrl-C, 143 after SIGTERM.
    """
    end_in_order_at_sigterm()
    options = _options(flow, words)
    if options.parent is not None:
        leave_with(options.parent)
    _hush()
    try:
        _run(flow, options)
    except StageFailedError as error:  # the stage has said why
        return error.exit_code
    except TailTuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        return interrupted_code(interrupt)
    return 0


def _options(flow: Flow[Any, Any], words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python flows/{flow.name}.py", description=flow.description)
    parser.add_argument("use_case", metavar="USE_CASE")
    parser.add_argument("--force", action="store_true", help="run every stage, also those that are fresh")
    parser.add_argument("--parent", type=int, metavar="PID", help="number of the starting process: end when it ends")
    parser.add_argument("--server", metavar="URL", help="the starting process's Prefect server, for a run without one")
    return parser.parse_args(words)


def _run(flow: Flow[Any, Any], options: argparse.Namespace) -> None:
    from prefect import tags
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL

    from tailtune.lifecycle import freshness, table
    from tailtune.tasks.use_case import load_use_case

    paths, url = Paths.find(), PREFECT_API_URL.value()
    case, stages = load_use_case(paths, options.use_case), table.family(flow.name) or table.STAGES
    work = stages if options.force else freshness.stale(paths, case.name, stages)
    if url is None and not work:
        for stage in stages:
            freshness.say_fresh(stage.name)
        return

    def life() -> None:
        if closed := closed_gate(flow(options.use_case, options.force)):
            raise closed.as_error()

    with ExitStack() as stack:
        if options.parent is None:
            stack.enter_context(alone_in_life(case.paths))
        try:
            address = stack.enter_context(_server(paths, url, options.server, partial(_warm_up, case, work)))
        except ServiceError as error:
            if url is not None:  # a server that is named and dead from the start is a mistake in the environment
                raise
            _unobserved(life, error.message)
            return
        stack.enter_context(_settings(paths, address))
        if outer := os.environ.get(WITHIN_VARIABLE):
            stack.enter_context(tags(WITHIN + outer))
        try:
            _observed(life, paths, address)
        finally:
            APILogWorker.drain_all(timeout=_END_S)
            EventsWorker.drain_all(timeout=_END_S)


def _observed(life: Callable[[], object], paths: Paths, address: str) -> None:
    """Run a flow; when its server dies meanwhile, go on with a server of our own; when Prefect fails, without it.

    Losing an observer stops no life: stages that have ended are not run again, and only the one that was being shown
    is asked for again.
    """
    failure = _failure_of_prefect(life)
    if failure is not None and not _answers(address):
        print(
            f"The Prefect server at {without_password(address)} has gone; the run goes on with one of its own",
            file=sys.stderr,
            flush=True,
        )
        failure = _failure_with_own_server(life, paths)
    if failure is not None:
        _unobserved(life, first_line(failure))


def _failure_with_own_server(life: Callable[[], object], paths: Paths) -> Exception | None:
    with ExitStack() as stack:
        try:
            own = stack.enter_context(_own_server(paths.root / ".run"))
        except (ServiceError, OSError) as error:
            return error
        with _settings(paths, own):
            return _failure_of_prefect(life)


def _failure_of_prefect(life: Callable[[], object]) -> Exception | None:
    """Run a flow. Returns why Prefect failed; None when the flow has ended well.

    Raises:
        TailTuneError: Of a stage, also where showing Prefect that it failed has failed, too.
    """
    try:
        life()
    except Exception as error:
        if (fault := _fault_of_ours(error)) is not None:
            raise fault from None
        return error
    return None


def _unobserved(life: Callable[[], object], why: str) -> None:
    """Run a flow as the plain functions that it is made of, after Prefect has failed."""
    from prefect import Flow, Task

    print(f"Prefect has failed ({why}); the run goes on without it", file=sys.stderr, flush=True)

    def plainly(runnable: Any, *words: Any, **named: Any) -> Any:
        return runnable.fn(*words, **named)

    with ExitStack() as stack:
        for kind in (Flow, Task):
            stack.callback(setattr, kind, "__call__", kind.__call__)
            kind.__call__ = plainly  # type: ignore[assignment, method-assign]
        life()


def first_line(error: BaseException) -> str:
    """An error's class and first line, fit for a terminal."""
    line = next(iter(str(error).strip().splitlines()), "")
    return printable(without_passwords(f"{type(error).__name__}: {line}" if line else type(error).__name__))[:300]


def _fault_of_ours(error: BaseException) -> TailTuneError | None:
    """The error of a stage, also where telling the server of it failed."""
    return next((cause for cause in causes(error) if isinstance(cause, TailTuneError)), None)


def _answers(url: str) -> bool:
    try:
        _check_answers(url)
    except ServiceError:
        return False
    return True


def _warm_up(case: UseCase, stages: Sequence[Stage]) -> None:
    """Open the tracking store and import what the stages import: the server takes seconds to start, on another core.

    What fails here fails again in the stage that needs it, which says so.
    """
    from tailtune.config.settings import Settings
    from tailtune.lifecycle import graph
    from tailtune.services import mlflow

    if not graph.is_generated(case.paths.project):
        return  # other programs make the outputs
    with suppress(Exception):
        mlflow.connect(Settings().resolved_tracking_uri(case.paths.project), case).client  # noqa: B018 - it is opened
    for stage in stages:
        for library in stage.libraries:
            with suppress(Exception):
                importlib.import_module(library)


def _settings(paths: Paths, address: str) -> AbstractContextManager[Any]:
    """A local run ends with its process, so nobody needs its heartbeat, and a heart takes a second to stop."""
    from prefect.settings import (
        PREFECT_API_REQUEST_TIMEOUT,
        PREFECT_API_URL,
        PREFECT_CLIENT_MAX_RETRIES,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_LOCAL_STORAGE_PATH,
        temporary_settings,
    )

    return temporary_settings(
        {
            PREFECT_API_URL: address,
            PREFECT_API_REQUEST_TIMEOUT: _REQUEST_S,
            PREFECT_CLIENT_MAX_RETRIES: _RETRIES,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
            PREFECT_LOCAL_STORAGE_PATH: paths.root / ".run" / "results",
        }
    )


@contextmanager
def _server(paths: Paths, url: str | None, at_hand: str | None, meanwhile: Callable[[], None]) -> Iterator[str]:
    """Address of the server that is named, of the one that the starting process has at hand, or of one of our own."""
    if url is not None:
        _check_answers(url)
        yield url
        return
    print("Starting a Prefect server for this run (PREFECT_API_URL names none)", file=sys.stderr)
    folder = paths.root / ".run"
    if at_hand is not None:
        wait_for(at_hand, folder, meanwhile)
        yield at_hand
        return
    with _own_server(folder, meanwhile) as own:
        yield own


@contextmanager
def _own_server(folder: Path, meanwhile: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Address of a server that this process starts and ends."""
    with LocalServer(folder) as server:
        wait_for(server.url, folder, meanwhile)
        yield server.url


def _check_answers(url: str) -> None:
    if secret_in(url):
        raise UsageError(
            f"PREFECT_API_URL={without_password(url)} is given with a user, password or key in it; expected the bare "
            "address",
            "export PREFECT_API_AUTH_STRING=user:password (or PREFECT_API_KEY=…), and leave them out of the address",
        )
    try:
        urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=5).close()  # noqa: S310
    except urllib.error.HTTPError:
        return  # somebody answers; whether it lets us in is Prefect's to say
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise ServiceError(
            f"PREFECT_API_URL={without_password(url)}: no Prefect server answers there ({why})",
            "make up, or run without a server: unset PREFECT_API_URL",
        ) from None


def _hush() -> None:
    """Prefect's own lines go to its server, not to the console: stages speak for themselves."""
    from prefect.logging.handlers import PrefectConsoleHandler

    for name in [None, *logging.root.manager.loggerDict]:
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, PrefectConsoleHandler) and "PREFECT_LOGGING_LEVEL" not in os.environ:
                handler.setLevel(logging.CRITICAL + 1)


def _log_to(file: Path) -> None:
    """What the server says goes to a file: this terminal is the run's."""
    handler = logging.FileHandler(file, mode="w", encoding="utf-8")
    for name in ("uvicorn", "prefect", "docket"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.ERROR)
