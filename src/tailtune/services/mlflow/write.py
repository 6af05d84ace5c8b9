"""Write a run plan: metrics, parameters and tags, artifacts, children; what made the run, and which rows it read."""

from __future__ import annotations

import getpass
import hashlib
import json
import math
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.config.model import Declared
from tailtune.core.records import Split
from tailtune.core.reports import Report
from tailtune.core.run_plan import Point, RunPlan, Table

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput
    from mlflow.tracking import MlflowClient

PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
_MOST_PER_BATCH = 900  # MLflow takes 1,000 metrics, 100 params and 100 tags in a call
_MOST_TABLE_ROWS = 2000


def now_ms() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return int(time.time() * 1000)


class RunWriter:
    """One per publication: writes runs of one experiment with shared tags and times.

    Args:
        tags: On every run.
        datasets: Split → dataset input; a plan names the splits it read.
        began_ms: Start that the runs show.
        ended_ms: End that the runs show.

    Attributes:
        top: The run that is being written, without its parent's; None before that.
    """

    def __init__(
        self,
        client: MlflowClient,
        experiment_id: str,
        tags: Mapping[str, str],
        datasets: Mapping[str, DatasetInput],
        began_ms: int,
        ended_ms: int,
    ) -> None:
        self._client, self._experiment_id, self._tags, self._datasets = client, experiment_id, dict(tags), datasets
        self._began_ms, self._ended_ms = began_ms, ended_ms
        self.top: str | None = None

    def write(self, plan: RunPlan, run_id: str | None = None, parent: str | None = None) -> str:
        """Write a plan and its children; finishes every run. Returns the run's id.

        Args:
            plan: What to write.
            run_id: A run that is open already (live training, a model's run); a new one when None.
            parent: The run it is nested in.
        """
        ended_ms = self._ended_ms if run_id is None else now_ms()  # an open run began when it was opened
        run_id = run_id or self._create(plan, parent)
        if parent is None:
            self.top = run_id
        self._facts(run_id, plan, parent)
        self._artifacts(run_id, plan)
        for child in plan.children:
            self.write(child, parent=run_id)
        self._client.set_terminated(run_id, plan.status, end_time=ended_ms)
        return run_id

    def _create(self, plan: RunPlan, parent: str | None) -> str:
        nested = {PARENT: parent} if parent else {}
        run = self._client.create_run(
            self._experiment_id, start_time=self._began_ms, tags={**self._tags, **nested}, run_name=plan.name
        )
        return str(run.info.run_id)

    def _facts(self, run_id: str, plan: RunPlan, parent: str | None) -> None:
        from mlflow.entities import Param, RunTag

        tags = {**self._tags, **plan.tags, "mlflow.runName": plan.name}
        if plan.note:
            tags[NOTE] = plan.note
        shown = [{"path": file, "type": "table"} for file, table in plan.tables.items() if table]
        if shown:
            tags["mlflow.loggedArtifacts"] = json.dumps(shown)
        params = [Param(name, value[:5000]) for name, value in plan.params.items()]
        first, rest = plan.metrics[:_MOST_PER_BATCH], plan.metrics[_MOST_PER_BATCH:]
        self._client.log_batch(
            run_id, self._metrics(first), params[:100], [RunTag(name, value[:8000]) for name, value in tags.items()]
        )
        while rest:
            self._client.log_batch(run_id, self._metrics(rest[:_MOST_PER_BATCH]))
            rest = rest[_MOST_PER_BATCH:]
        inputs = [self._datasets[split] for split in plan.splits if split in self._datasets]
        if inputs:
            self._client.log_inputs(run_id, inputs)

    def _metrics(self, points: tuple[Point, ...]) -> list[object]:
        from mlflow.entities import Metric

        return [Metric(point.name, point.value, self._ended_ms, point.step) for point in points]

    def _artifacts(self, run_id: str, plan: RunPlan) -> None:
        for file, table in plan.tables.items():
            if table:
                self._client.log_text(run_id, _table_text(table), file)
        for file, text in plan.texts.items():
            self._client.log_text(run_id, text, file)
        for path, folder in plan.files:
            self._client.log_artifact(run_id, str(path), folder or None)


def _table_text(table: Table) -> str:
    """A table as the UI reads it. The same file as MLflow's `log_table`, which warns on pandas 3."""
    rows = [[_cell(value) for value in row] for row in zip(*table.values(), strict=True)]
    return json.dumps({"columns": list(table), "data": rows[:_MOST_TABLE_ROWS]}, ensure_ascii=False)


def _cell(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no NaN


@lru_cache(maxsize=8)
def git_commit(root: Path) -> str | None:
    """The commit a checkout stands on; None without git or a commit."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"],  # noqa: S607 - git from PATH, as the user's shell does
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def checkout(root: Path) -> str:
    """Names one checkout on one machine; runs that another checkout left alone are never touched."""
    return f"{socket.gethostname()}:{root}"


def user() -> str:
    """Who runs this, as MLflow's `User` column shows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container user without a passwd entry
        return "unknown"


def publication(report: Report) -> str:
    """Digest that two publications share exactly when they are of the same stage run."""
    parts = (report.use_case, report.stage, report.rows_digest, report.spec_digest, report.finished_at)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """MD5 of a file: the digest DVC has for the same bytes in dvc.lock."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def dataset_inputs(case: Declared, splits: Iterable[Split]) -> dict[str, DatasetInput]:
    """Split → dataset input, for the splits whose file is there. Reads bytes and the Parquet footer only."""
    import pyarrow.parquet as pq
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs: dict[str, DatasetInput] = {}
    for split in splits:
        path = case.paths.rows(split)
        if not path.is_file():
            continue
        footer = pq.read_metadata(path)
        names = footer.schema.to_arrow_schema().names
        schema = {"mlflow_colspec": [{"type": "string", "name": name, "required": True} for name in names]}
        dataset = Dataset(
            name=f"{case.name}/{split}",
            digest=file_digest(path),
            source_type="local",
            source=json.dumps({"uri": case.paths.project.shown(path)}),
            schema=json.dumps(schema),
            profile=json.dumps({"num_rows": footer.num_rows}),
        )
        inputs[split] = DatasetInput(dataset, [InputTag("mlflow.data.context", split)])
    return inputs
