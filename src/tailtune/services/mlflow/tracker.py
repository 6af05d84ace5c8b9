"""Publish a stage's report as MLflow runs: once, in one experiment per use case."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tailtune.config.model import Declared
from tailtune.core.errors import ServiceError
from tailtune.core.records import Cost
from tailtune.core.reports import RegisterReport, Report
from tailtune.core.run_plan import RunPlan, Status, cost_points, cost_tags, points
from tailtune.services.mlflow import prompts, write
from tailtune.services.mlflow.address import embedded_folder, reach
from tailtune.services.mlflow.home import is_outdated, open_client, prepare, quiet, service_errors
from tailtune.services.mlflow.write import NOTE, PARENT, RunWriter, now_ms

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CHARGE = "tailtune.charge"
"""Tag of a run that holds nothing but a cost; its value says what for."""
_NOTICEABLE_S = 10.0


@dataclass(frozen=True)
class Charge:
    """One per piece of work without a report.

    Attributes:
        stage: Whose work it was.
        what: What became of it or what it was for, in words: `failed`, `interrupted`, `repeats`.
        cost: What it used.
        note: Why it ended, for people; holds no secret.
        status: What the UI shows.
        lost_requests: Sent to an endpoint and never answered; it may charge them, and they are not in the cost.
    """

    stage: str
    what: str
    cost: Cost
    note: str = ""
    status: Status = "FINISHED"
    lost_requests: int = 0

    @property
    def noticeable(self) -> bool:
        """Whether it is worth a run: something was or may have been bought, or the machine was used for ten seconds.

        A stage that lacks its input fails before that, and would only be litter among the runs.
        """
        return self.cost.bought_usd != 0 or self.lost_requests > 0 or self.cost.wall_s >= _NOTICEABLE_S


def charge_plan(charge: Charge) -> RunPlan:
    """The run that it becomes: its cost under the same names as every stage's, and why it is there."""
    lost = f"{charge.lost_requests:,} requests were sent and never answered; the endpoint may charge them all the same."
    lead = "What this cost is counted in the ledger; it left no report."
    return RunPlan(
        name=f"{charge.stage}: {charge.what}",
        note="\n\n".join(part for part in (charge.note, lost if charge.lost_requests else "", lead) if part),
        metrics=cost_points(charge.cost) + points({"requests_lost": charge.lost_requests or None}),
        tags={CHARGE: charge.what, **cost_tags(charge.cost)},
        status=charge.status,
    )


PUBLICATION = "tailtune.publication"
"""Tag that says which publication a run is of; one that was torn and its repetition have the same."""
_FLUSH_S = 2.0
_GUIDE = (
    "**How to read this experiment.** One run per stage of the model's life: curate, validate, ladder, prompt, "
    "diagnose, decide, train, export, evaluate, register. *ladder* and *prompt* hold one nested run per rung (scored "
    "on dev), *evaluate* one per candidate (scored on test). Quality, latency and price have the same names "
    "everywhere: select runs and press **Compare**. What each stage cost is in `cost_*`; the run *ledger* adds it up "
    "by version."
)


def connect(uri: str, case: Declared) -> Tracker:
    """A tracker of one use case. Takes milliseconds: MLflow itself is imported when something is published.

    Only a store of another MLflow is migrated at once: what could not be published in the end is not begun.

    Raises:
        ServiceError: The server is dead or the embedded store unusable, raised within five seconds.
        UsageError: The address is none of a store.
    """
    reach(uri)
    if is_outdated(uri):
        quiet()
        with service_errors(uri, "preparing the store"):
            prepare(uri)
    return Tracker(uri, case)


class Tracker:
    """One per stage run: what it publishes goes to one MLflow experiment, named after the use case."""

    def __init__(self, uri: str, case: Declared) -> None:
        self.uri, self.case = uri, case
        self._open: dict[str, str] = {}  # stage → its run that is not finished yet
        self._waiting: list[tuple[str, str, float, int, int]] = []  # stage, metric, value, step, time
        self._flushed = 0.0
        self._live_failed = False

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client; the first use imports MLflow and makes the embedded store."""
        return open_client(self.uri)

    @cached_property
    def experiment_id(self) -> str:
        """The use case's experiment, made when it is missing."""
        from mlflow.exceptions import MlflowException

        name = self.case.name
        folder = embedded_folder(self.uri)
        location = None if folder is None else str(folder.resolve() / "artifacts" / name)
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            tags = {
                NOTE: f"{self.case.spec.description}\n\n{_GUIDE}".strip(),
                "mlflow.experimentKind": "custom_model_development",
                "tailtune.use_case": name,
            }
            try:
                return str(self.client.create_experiment(name, location, tags))
            except MlflowException:  # another process was faster
                experiment = self.client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage == "deleted":
            self.client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

    def publish(self, report: Report, plan: RunPlan) -> str:
        """Write a report as runs; the second time does nothing. Returns the id of the stage's run.

        Runs that a killed process of this checkout left open for the stage are marked KILLED first. A model's run tells
        how its version was made and stays as it is: what a later comparison of that version took is a run of its own.

        Args:
            report: What the stage reported: which run it is of, what it cost; kept as an artifact.
            plan: The run it becomes.

        Raises:
            ServiceError: MLflow could not be written.
        """
        self._flush(force=True)
        with service_errors(self.uri, f"publishing {report.stage}"):
            key = write.publication(report)
            done = self._search(f"tags.`{PUBLICATION}` = '{key}' and attributes.status != 'RUNNING'")
            whole = [run for run in done if run.info.status != "KILLED" and "mlflow.parentRunId" not in run.data.tags]
            if whole:
                self._open.pop(report.stage, None)
                self.sweep(report.stage)
                return str(whole[0].info.run_id)
            run_id = report.run_id if isinstance(report, RegisterReport) else self._open.get(report.stage)
            if isinstance(report, RegisterReport) and self.client.get_run(report.run_id).info.status == "FINISHED":
                if (
                    report.cost is not None
                    and (again := Charge(report.stage, "compared again", report.cost)).noticeable
                ):
                    self._charge(again, key)
                return report.run_id  # a known version: its run says how it was made
            self.sweep(report.stage, keep=run_id)
            whole_plan = replace(
                plan,
                metrics=plan.metrics + cost_points(report.cost),
                tags={**plan.tags, **cost_tags(report.cost)},
                texts={**plan.texts, f"reports/{report.stage}.json": report.model_dump_json(indent=2)},
            )
            writer = self._writer(report, whole_plan, key)
            try:
                run_id = writer.write(whole_plan, run_id)
            except BaseException:  # keep the run id; `charge` later marks it FAILED
                if writer.top is not None:
                    self._open[report.stage] = writer.top
                raise
            self._open.pop(report.stage, None)
            return run_id

    def charge(self, charge: Charge) -> str | None:
        """Write what work without a report has cost, as one run.

        A run that the work has left open becomes that run. A model's does not: it is for the version that may be made
        of it, so it is ended and marked as counted here.

        Returns:
            The run's id; None when nothing noticeable was used and no run is open: then none is left.

        Raises:
            ServiceError: MLflow could not be written.
        """
        opened = self._open.get(charge.stage)
        if opened is None and not charge.noticeable:
            return None
        if opened is not None:
            self._flush(force=True)
        with service_errors(self.uri, f"noting what {charge.stage} cost"):
            key = uuid4().hex[:16]
            self._open.pop(charge.stage, None)
            if opened is not None and charge.stage == "register":
                self.client.set_tag(opened, PUBLICATION, key)
                self._drop_models(opened)
                self.client.set_terminated(opened, "KILLED")
                opened = None
            if opened is not None:
                self._drop_children(opened)
            return self._charge(charge, key, opened)

    def prompts(self, templates: Mapping[str, str], origins: Mapping[str, str] | None = None) -> Mapping[str, int]:
        """Register prompt texts, by their names; returns the same names → version.

        Equal texts keep their version; the alias `current` names the one that is used now.

        Args:
            templates: Prompt file's name without its ending, or `optimised` → its text.
            origins: Name → where its text is from, in words; its file where there is none.

        Raises:
            UsageError: A text is longer than the registry takes.
            ServiceError: MLflow could not be written.
        """
        return prompts.register(self, templates, origins or {})

    def live(self, stage: str, name: str, value: float, step: int) -> None:
        """Show a metric while the stage runs, as `live/<name>` of the run that `publish` will finish.

        Values are sent every two seconds. A tracking server that fails meanwhile does not stop the stage: live values
        are then given up, and `publish` raises.
        """
        self._waiting.append((stage, name, value, step, now_ms()))
        self._flush()

    def open_run(self, stage: str, name: str) -> str:
        """The stage's open run: the one it has, or a new one, after marking what a killed process left."""
        if stage not in self._open:
            self.sweep(stage)
            tags = self.tags(stage)
            run = self.client.create_run(self.experiment_id, start_time=now_ms(), tags=tags, run_name=name)
            self._open[stage] = str(run.info.run_id)
        return self._open[stage]

    def delete_open_run(self, run_id: str) -> None:
        """Delete a run that this process has opened and that nothing will be published in."""
        self._open = {stage: each for stage, each in self._open.items() if each != run_id}
        self.client.delete_run(run_id)

    def sweep(self, stage: str, keep: str | None = None) -> None:
        """Mark this checkout's open runs of a stage as KILLED: the use case is locked, so nobody else writes them.

        Their children are deleted: the next publication writes them again, and Compare would show each rung twice. So
        is a model that was stored and not registered.
        """
        here = write.checkout(self.case.paths.project.root).replace("'", "")
        for run in self._search(
            f"tags.`tailtune.stage` = '{stage}' and tags.`tailtune.checkout` = '{here}' "
            "and attributes.status = 'RUNNING'"
        ):
            if run.info.run_id != keep and PARENT not in run.data.tags:
                self._drop_children(run.info.run_id)
                if stage == "register":
                    self._drop_models(run.info.run_id)
                self.client.set_terminated(run.info.run_id, "KILLED")

    def tags(self, stage: str) -> dict[str, str]:
        """Tags on every run of a stage."""
        root = self.case.paths.project.root
        commit = write.git_commit(root)
        return {
            "tailtune.stage": stage,
            "tailtune.use_case": self.case.name,
            "tailtune.checkout": write.checkout(root).replace("'", ""),
            "mlflow.user": write.user(),
            "mlflow.source.name": f"tailtune {stage} {self.case.name}",
            "mlflow.source.type": "LOCAL",
            **({"tailtune.git_commit": commit, "mlflow.source.git.commit": commit} if commit else {}),
        }

    def _drop_children(self, run_id: str) -> None:
        for child in self._search(f"tags.`{PARENT}` = '{run_id}'"):
            self.client.delete_run(child.info.run_id)

    def _drop_models(self, run_id: str) -> None:
        """Delete the models that a run has stored, with files in our own store, unless a version was made of them."""
        models = self.client.search_logged_models([self.experiment_id], f"source_run_id = '{run_id}'")
        home = embedded_folder(self.uri)
        if models and not self.client.search_model_versions(f"run_id = '{run_id}'"):
            for model in models:
                self.client.delete_logged_model(model.model_id)
                files = Path(model.artifact_location).parent
                if home is not None and files.is_relative_to(home.resolve()) and files.name == model.model_id:
                    shutil.rmtree(files, ignore_errors=True)

    def _charge(self, charge: Charge, key: str, run_id: str | None = None) -> str:
        ended = now_ms()
        began = ended - int(charge.cost.wall_s * 1000)
        tags = self.tags(charge.stage) | {PUBLICATION: key}
        return RunWriter(self.client, self.experiment_id, tags, {}, began, ended).write(charge_plan(charge), run_id)

    def _writer(self, report: Report, plan: RunPlan, key: str) -> RunWriter:
        ended = int(datetime.fromisoformat(report.finished_at).timestamp() * 1000) if report.finished_at else now_ms()
        took = 0 if report.cost is None else int(report.cost.wall_s * 1000)
        tags = self.tags(report.stage) | {
            PUBLICATION: key,
            "tailtune.rows_digest": report.rows_digest,
            "tailtune.spec_digest": report.spec_digest,
        }
        return RunWriter(
            self.client,
            self.experiment_id,
            {name: value for name, value in tags.items() if value},
            write.dataset_inputs(self.case, plan.splits),
            ended - took,
            ended,
        )

    def _search(self, condition: str) -> list[Any]:
        return list(self.client.search_runs([self.experiment_id], condition, max_results=200))

    def _flush(self, *, force: bool = False) -> None:
        if not self._waiting or self._live_failed or (not force and time.monotonic() - self._flushed < _FLUSH_S):
            return
        waiting, self._waiting = self._waiting, []
        try:
            with service_errors(self.uri, "showing live values"):
                from mlflow.entities import Metric

                for stage in dict.fromkeys(item[0] for item in waiting):
                    run_id = self.open_run(stage, f"{stage} (running)")
                    batch = [Metric(f"live/{n}", v, at, step) for s, n, v, step, at in waiting if s == stage]
                    for start in range(0, len(batch), 900):
                        self.client.log_batch(run_id, batch[start : start + 900])
        except ServiceError:
            self._live_failed = True
        self._flushed = time.monotonic()
