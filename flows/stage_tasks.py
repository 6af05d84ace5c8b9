"""What flows are made of: run a stage through DVC, then publish the report it wrote."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import before_prefect  # noqa: F401
from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from rich.console import Console

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import GateError, MissingInputError, ServiceError, StageFailedError
from tailtune.core.reports import REPORTS, PromptReport, RegisterReport
from tailtune.lifecycle import table
from tailtune.predictors.prompted import weights
from tailtune.report.prefect import key, publish
from tailtune.services import store, versions
from tailtune.services.mlflow.home import is_registered
from tailtune.tasks.use_case import load_use_case

RETRY_AFTER_S = [5.0, 15.0]


def remote_failed(task: Any, run: Any, state: Any) -> bool:
    """Whether a DVC remote did not give what was asked for, so that the next try may end otherwise."""
    return isinstance(state.result(raise_on_failure=False), ServiceError)


def tracking_server_failed(task: Any, run: Any, state: Any) -> bool:
    """Whether a stage ended because the tracking server did not answer; never a closed gate, never a fault of a file.

    A stage is a process of its own, so its exit code tells. Embedded tracking has no network to wait for.
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
    if paths.case(use_case).data.exists() or versions.remote(paths) is None:
        return False
    return versions.pull(paths, use_case) > 0


@task(task_run_name="pin data of {use_case}", cache_policy=NO_CACHE)
def pin_data(use_case: str) -> bool:
    """Renew data.dvc when the rows were edited, so that a version names the rows it was made from. Whether it did."""
    paths = Paths.find()
    if not paths.case(use_case).data.is_dir() or versions.data_is_pinned(paths, use_case):
        return False
    pinned = versions.pin_data(paths, use_case)
    _say("data", f"data/{use_case} has changed: data.dvc now pins it ({pinned[:12]}); commit data.dvc")
    return True


@task(
    task_run_name="{stage}",
    retries=len(RETRY_AFTER_S),
    retry_delay_seconds=RETRY_AFTER_S,
    retry_condition_fn=tracking_server_failed,
    cache_policy=NO_CACHE,
)
def run_stage(stage: str, use_case: str, force: bool = False) -> bool:
    """Run one stage if it is stale, and publish its report, also that of a gate that closed. Returns whether it ran."""
    paths = Paths.find()
    lost = stage == "register" and is_lost(paths, use_case)
    if lost:
        _say(stage, "the version it reported is not in this tracking store: registering again")
    other = stage == "prompt" and has_other_weights(paths, use_case)
    if other:
        _say(stage, "the weights of a local model have changed: measuring again")
    try:
        ran = versions.reproduce(paths, stage, use_case, force or lost or other)
    except StageFailedError as failed:
        if failed.exit_code == GateError.exit_code:
            _publish(paths, stage, use_case)
        raise
    if not ran:
        say_fresh(stage)
    _publish(paths, stage, use_case)
    return ran


def run_family(family: str, use_case: str, force: bool = False) -> None:
    """Run the stages of one family, in the order of the table."""
    for stage in table.family(family):
        run_stage(stage.name, use_case, force)


def is_lost(paths: Paths, use_case: str) -> bool:
    """Whether the reported version is not in the tracking store of now: another store, a new clone, a deleted one."""
    path = paths.case(use_case).report("register")
    if not path.is_file():
        return False
    report = store.read_report(path, RegisterReport, use_case)
    uri = Settings().resolved_tracking_uri(paths)
    return not is_registered(uri, report.model, report.version, report.run_id)


def has_other_weights(paths: Paths, use_case: str) -> bool:
    """Whether prompts were measured with other weights of a local model than are there now: DVC does not see them."""
    path = paths.case(use_case).report("prompt")
    if not path.is_file():
        return False
    try:
        report = store.read_report(path, PromptReport, use_case)
    except MissingInputError:  # of another version: it is for DVC to say whether it is stale
        return False
    declared = load_use_case(paths, use_case).spec.prompt
    return bool(weights.changed(declared, Settings().weights_root(paths), report.weights))


def say_fresh(stage: str) -> None:
    """The line of a stage that need not run; one that runs speaks for itself."""
    _say(stage, "fresh: nothing it reads has changed")


def _say(what: str, text: str) -> None:
    Console(stderr=True).print(f"[green]✓[/] [bold]{what}[/]  [dim]{text}[/]", highlight=False, soft_wrap=True)


def _publish(paths: Paths, stage: str, use_case: str) -> None:
    path = paths.case(use_case).report(stage)
    if path.is_file():
        publish(paths, store.read_report(path, REPORTS[stage], use_case), Settings())


class Milestones:
    """One per lifecycle run: a progress artifact that moves with every finished family."""

    def __init__(self, use_case: str, of: int) -> None:
        self._done, self._of = 0, of
        made = create_progress_artifact(progress=0.0, key=key(use_case, "life"), description=f"Life of `{use_case}`")
        self._artifact: UUID = made

    def one_more(self) -> None:
        """Another family has ended well."""
        self._done += 1
        update_progress_artifact(self._artifact, progress=100.0 * self._done / self._of)
