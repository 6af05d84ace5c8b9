"""What flows are made of: run a stage if it is stale, then publish its report.

One process runs the stages, so each library is imported once; training has a process of its own, whose memory is given
back. What `dvc.yaml` says is what runs: the command there is carried out in this process if it is TailTune's own.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from tailtune.config.settings import Settings, quiet_environment
from tailtune.core.printable import printable
from tailtune.core.process import collect_rarely, in_order_at_sigterm

quiet_environment()  # importing Prefect in a terminal already phones home
collect_rarely()
from prefect import flow, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Completed

from tailtune.config.paths import Paths
from tailtune.core.errors import GateError, ServiceError, StageFailedError, TailTuneError, of_system
from tailtune.core.reports import REPORTS, RegisterReport, Report
from tailtune.lifecycle import freshness, runner, table
from tailtune.lifecycle.closed_gate import ClosedGate, closed_gate
from tailtune.lifecycle.local_server import first_line, run_to_end
from tailtune.report.prefect import key, publish, publish_verdict
from tailtune.report.story import Story
from tailtune.report.terminal.progress import ConsoleProgress
from tailtune.report.verdict import headline
from tailtune.services import store, versions
from tailtune.services.mlflow.address import runs_tables, version_page

__all__ = [
    "Completed",
    "Milestones",
    "State",
    "closed_gate",
    "ended",
    "fetch_data",
    "flow",
    "pin_data",
    "run_family",
    "run_stage",
    "uncached_task",
]


P = ParamSpec("P")
R = TypeVar("R")
RETRY_AFTER_S = [5.0, 15.0]
GATE_CLOSED = "Gate closed"
_ENDED: set[tuple[str, str]] = set()
"""Stages, with their use case, that have ended well in this process: a life that begins again forces no one twice."""
_LOST: list[str] = []
"""Why Prefect is shown nothing more; empty while it takes what it is shown."""


def uncached_task(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a task whose result Prefect must not keep: what it reads changes under the same arguments.

    Args:
        name: Of its runs, with its arguments in braces.
    """
    made: Callable[[Callable[P, R]], Callable[P, R]] = task(task_run_name=name, cache_policy=NO_CACHE)
    return made


def remote_failed(task: Any, run: Any, state: Any) -> bool:
    """Whether a DVC remote did not give what was asked for, so that the next try may end otherwise."""
    return isinstance(state.result(raise_on_failure=False), ServiceError)


def tracking_server_failed(task: Any, run: Any, state: Any) -> bool:
    """Whether a stage ended because the tracking server did not answer; never a closed gate, never a fault of a file.

    Embedded tracking has no network to wait for.
    """
    error = state.result(raise_on_failure=False)
    over_network = (Settings().tracking_uri or "").startswith("http")
    return over_network and isinstance(error, StageFailedError) and error.exit_code == ServiceError.exit_code


@task(
    task_run_name="fetch data of {use_case}",
    retries=len(RETRY_AFTER_S),
    retry_delay_seconds=RETRY_AFTER_S,
    retry_condition_fn=remote_failed,
    cache_policy=NO_CACHE,
)
def fetch_data(use_case: str) -> bool:
    """Pull the pinned rows from the DVC remote when they are not here and there is a remote. Returns whether it did."""
    paths = Paths.find()
    if paths.case(use_case).data.exists() or (remote := versions.remote(paths)) is None:
        return False
    # A remote that hangs is given up after minutes, by its own library: say what is waited for.
    print(f"Fetching data/{use_case} from the DVC remote {printable(remote)}", file=sys.stderr, flush=True)
    return versions.pull(paths, use_case) > 0


@task(task_run_name="pin data of {use_case}", cache_policy=NO_CACHE)
def pin_data(use_case: str) -> bool:
    """Renew data.dvc when the rows were edited, so that a version names the rows it was made from. Whether it did."""
    paths = Paths.find()
    if not paths.case(use_case).data.is_dir() or versions.data_is_pinned(paths, use_case):
        return False
    pinned = versions.pin_data(paths, use_case)
    freshness.say("data", f"data/{use_case} has changed: data.dvc now pins it ({pinned[:12]}); commit data.dvc")
    return True


@task(
    task_run_name="{stage}",
    retries=len(RETRY_AFTER_S),
    retry_delay_seconds=RETRY_AFTER_S,
    retry_condition_fn=tracking_server_failed,
    cache_policy=NO_CACHE,
)
def run_stage(stage: str, use_case: str, force: bool = False) -> bool | State[ClosedGate]:
    """Run one stage if it is stale, and publish its report, also that of a gate that closed.

    Returns:
        Whether it ran; the state of a run that a gate has ended, where its gate closed.
    """
    paths = Paths.find()
    why = freshness.hidden_change(paths, stage, use_case)
    if why:
        freshness.say(stage, why)
    try:
        forced = bool(why) or (force and (stage, use_case) not in _ENDED)
        ran = versions.run_stale(paths, stage, use_case, partial(_work, paths, stage, use_case), forced)
    except StageFailedError as failed:
        if failed.exit_code == GateError.exit_code:
            _publish(paths, stage, use_case)
            return at_gate(ClosedGate(stage, use_case, failed.why or "its gate said no; its log says why"))
        raise
    if not ran:
        freshness.say_fresh(stage)
    _ENDED.add((stage, use_case))
    _publish(paths, stage, use_case)
    return ran


def run_family(family: str, use_case: str, force: bool = False) -> State[ClosedGate] | None:
    """Run the stages of one family, in the order of the table, up to a gate that closes. Returns the state at it."""
    for stage in table.family(family):
        if closed := closed_gate(run_stage(stage.name, use_case, force)):
            return at_gate(closed)
    return None


def at_gate(closed: ClosedGate) -> State[ClosedGate]:
    """The state of a run that a closed gate has ended: completed, because a gate that says no has answered.

    So nobody is called out of bed, and there is no traceback; the state's name and message say what was answered.
    """
    why = "; ".join(line.strip() for line in closed.why.splitlines())
    return Completed(name=GATE_CLOSED, message=f"{closed.stage}: {why}", data=closed)


def _work(paths: Paths, stage: str, use_case: str, command: str) -> None:
    """Carry out the command that dvc.yaml has for a stage.

    Raises:
        StageFailedError: It failed, and has said why; carries its exit code.
        KeyboardInterrupt: Ctrl-C was pressed, or SIGTERM arrived.
    """
    ours = command == f"tailtune {stage} {use_case}"
    with in_order_at_sigterm():  # Prefect's own handler raises what no stage knows
        if ours and not table.BY_NAME[stage].own_process:
            code, why = _here(paths, stage, use_case)
        else:  # without a shell between, a stage notices when this run is killed
            words = [sys.executable, "-m", "tailtune", stage, use_case] if ours else ["/bin/sh", "-c", command]
            code, why = run_to_end(words, paths.root, _as_under_dvc(stage, use_case)), ""
    if code:
        raise StageFailedError(f"{stage}@{use_case}", code, why)


def _here(paths: Paths, stage: str, use_case: str) -> tuple[int, str]:
    """Run a stage in this process, as its verb does in one of its own. Returns exit code and reason; says it, too."""
    settings = Settings()
    try:
        with (
            chdir(paths.root),
            ConsoleProgress(stage, table.BY_NAME[stage].summary, settings.progress) as progress,
        ):
            runner.run_stage(stage, use_case, paths, settings, progress)
    except (TailTuneError, OSError) as error:
        reported = error if isinstance(error, TailTuneError) else of_system(error)
        print(f"\n{reported}", file=sys.stderr)
        return reported.exit_code, reported.message
    except Exception as error:  # a mistake of ours: shown whole, and no other stage runs
        print(printable(traceback.format_exc()), file=sys.stderr)
        return TailTuneError.exit_code, first_line(error)
    return 0, ""


def _as_under_dvc(stage: str, use_case: str) -> dict[str, str]:
    """The environment of a stage's own process, as DVC would give it: the stage ends when this run is killed."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": programs, "DVC_STAGE": f"{stage}@{use_case}"}


def _publish(paths: Paths, stage: str, use_case: str) -> None:
    path = paths.case(use_case).report(stage)
    if path.is_file():
        report = store.read_report(path, REPORTS[stage], use_case)
        show_in_prefect(lambda: publish(paths, report, _links(report)))


def ended(use_case: str, closed: ClosedGate | None) -> State[ClosedGate]:
    """The state of a life that has ended, at its end or at a gate; shows the verdict on the page of its run."""
    paths = Paths.find()
    story = Story.of(store.read_reports(paths.case(use_case)))
    links = {name: link for report in story.reports for name, link in _links(report).items()}
    show_in_prefect(lambda: publish_verdict(paths, story, links))
    return at_gate(closed) if closed else Completed(message=headline(story).title)


def _links(report: Report) -> dict[str, str]:
    """Name → address of what a browser can open about a report."""
    settings = Settings()
    found = {"runs in MLflow": runs_tables(settings.tracking_uri, settings.mlflow_pages).get(report.use_case, "")}
    if isinstance(report, RegisterReport):
        found["version in MLflow"] = version_page(settings.mlflow_pages, report.model, report.version)
    return {name: link for name, link in found.items() if link}


def show_in_prefect(show: Callable[[], object]) -> object:
    """Show something to Prefect, which only watches: when it fails, one line says so, and it is shown nothing more.

    Args:
        show: Makes an artifact. Not called without a flow run, whose server failed before.

    Returns:
        What it returns; None when it was not called or failed.
    """
    if _LOST or FlowRunContext.get() is None:
        return None
    try:
        return show()
    except Exception as error:  # of Prefect, its transport, its server's database, the disk
        _LOST.append(first_line(error))
        print(
            f"Prefect does not take what it is shown ({_LOST[0]}); the run goes on, and reports/ has it all",
            file=sys.stderr,
            flush=True,
        )
        return None


class Milestones:
    """One per lifecycle run: a progress artifact that moves with every finished family."""

    def __init__(self, use_case: str, of: int) -> None:
        self._done, self._of = 0, of
        name, described = key(use_case, "life"), f"Life of `{use_case}`"
        self._artifact = show_in_prefect(lambda: create_progress_artifact(0.0, name, described))

    def one_more(self) -> None:
        """Another family has ended well."""
        self._done += 1
        made, share = self._artifact, 100.0 * self._done / self._of
        if isinstance(made, UUID):  # what Prefect returns outside of a coroutine
            show_in_prefect(lambda: update_progress_artifact(made, progress=share))
