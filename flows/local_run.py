"""A flow from the shell: with the Prefect server that PREFECT_API_URL names, or with one just for this run."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import before_prefect  # noqa: F401
from prefect import Flow
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker, PrefectConsoleHandler
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOCAL_STORAGE_PATH,
    temporary_settings,
)
from stage_tasks import has_other_weights, is_lost, say_fresh
from temporary_server import TemporaryServer

from tailtune.config.paths import Paths
from tailtune.config.settings import without_password
from tailtune.core.errors import ServiceError, StageFailedError, TailTuneError
from tailtune.lifecycle import table
from tailtune.services import versions
from tailtune.tasks.use_case import load_use_case

INTERRUPTED = 130
FLUSH_S = 5.0


def main(flow: Flow[Any, Any], words: Sequence[str] | None = None) -> int:
    """Run a flow of one use case; say what is wrong on stderr.

    Returns:
        0, or the exit code of the stage that failed; 130 after Ctrl-C.
    """
    given = _arguments(flow, words)
    if given.parent is not None:
        _leave_with(given.parent)
    _hush()
    try:
        _run(flow, given.use_case, given.force)
    except StageFailedError as error:  # the stage has said why
        return error.exit_code
    except TailTuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _run(flow: Flow[Any, Any], use_case: str, force: bool) -> None:
    paths = Paths.find()
    load_use_case(paths, use_case)
    url = PREFECT_API_URL.value()
    if url is None and not force and _all_fresh(flow.name, paths, use_case):
        return
    with _server(paths, url) as address, _settings(paths, address):
        try:
            flow(use_case, force)
        finally:
            APILogWorker.drain_all(timeout=FLUSH_S)
            EventsWorker.drain_all(timeout=FLUSH_S)


def _all_fresh(flow_name: str, paths: Paths, use_case: str) -> bool:
    """Whether no stage has anything to do: then no server need be started to do nothing."""
    stages = [stage.name for stage in (table.family(flow_name) or table.STAGES)]
    if set(stages) & set(versions.is_stale(paths, use_case)) or ("register" in stages and is_lost(paths, use_case)):
        return False
    if "prompt" in stages and has_other_weights(paths, use_case):
        return False
    for stage in stages:
        say_fresh(stage)
    return True


def _settings(paths: Paths, address: str) -> AbstractContextManager[Any]:
    """A local run ends with its process, so nobody needs its heartbeat, and a heart takes a second to stop."""
    return temporary_settings(
        {
            PREFECT_API_URL: address,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
            PREFECT_LOCAL_STORAGE_PATH: paths.root / ".run" / "results",
        }
    )


@contextmanager
def _server(paths: Paths, url: str | None) -> Iterator[str]:
    if url is not None:
        _check_answers(url)
        yield url
        return
    print("Starting a Prefect server for this run (PREFECT_API_URL names none)", file=sys.stderr)
    with TemporaryServer(paths.root / ".run") as server:
        yield server.url


def _check_answers(url: str) -> None:
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


def _arguments(flow: Flow[Any, Any], words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python flows/{flow.name}.py", description=flow.description)
    parser.add_argument("use_case", metavar="USE_CASE")
    parser.add_argument("--force", action="store_true", help="run every stage, also those that are fresh")
    parser.add_argument("--parent", type=int, metavar="PID", help="number of the starting process: end when it ends")
    return parser.parse_args(words)


def _hush() -> None:
    """Prefect's own lines go to its server, not to the console: stages speak for themselves."""
    for name in [None, *logging.root.manager.loggerDict]:
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, PrefectConsoleHandler) and "PREFECT_LOGGING_LEVEL" not in os.environ:
                handler.setLevel(logging.CRITICAL + 1)


def _leave_with(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()
