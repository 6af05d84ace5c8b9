"""Run a version's life again from what its registry entry says, and hold the new metrics against the recorded ones."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TypeVar

from tailtune.config.endpoints import declared_addresses
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import BusyError, MissingInputError, ServiceError, TailTuneError
from tailtune.core.locks import alone
from tailtune.core.progress import Progress
from tailtune.core.records import Record
from tailtune.core.reports import CandidateResult, EvaluateReport, PromptReport, Report
from tailtune.lifecycle import recorded as recorded_files
from tailtune.lifecycle.language_models import restore_weights
from tailtune.predictors.prompted.opening import WEIGHTS
from tailtune.services import scratch, store, versions
from tailtune.services.mlflow import Tracker, connect, registry
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.lookup import require
from tailtune.tasks.use_case import load_use_case

TOLERANCE = 0.005
R = TypeVar("R", bound=Report)


class Agreement(Record):
    """One per metric: as recorded, and as measured again; NaN where nothing counts towards it."""

    metric: str
    recorded: float
    again: float

    @property
    def exact(self) -> bool:
        """Equal to the last bit, or both not measured."""
        return self.recorded == self.again or (math.isnan(self.recorded) and math.isnan(self.again))

    @property
    def agrees(self) -> bool:
        """Within half a point."""
        return self.exact or abs(self.recorded - self.again) <= TOLERANCE


class Reproduction(Record):
    """One per `tailtune reproduce`: what was run again, and whether it agrees.

    Attributes:
        commit: The commit that ran; null when the present code was copied.
        data_from: Where the rows came from.
        caveats: What stands between this and a proof, as sentences.
        folder: Where the scratch checkout is kept; null when it agreed and was removed.
    """

    model: str
    version: str
    winner: str
    winner_again: str
    test_rows: int
    metrics: tuple[Agreement, ...]
    commit: str | None
    data_from: str
    caveats: tuple[str, ...]
    folder: str | None

    @property
    def exact(self) -> bool:
        """Every metric is equal to the last bit."""
        return all(metric.exact for metric in self.metrics)

    @property
    def agrees(self) -> bool:
        """Every metric is within half a point."""
        return bool(self.metrics) and all(metric.agrees for metric in self.metrics)


def reproduce(name: str, alias_or_version: str, paths: Paths, settings: Settings, progress: Progress) -> Reproduction:
    """Restore a version's code, spec and data in a scratch checkout, run its life up to evaluation, and compare.

    Args:
        name: The use case.
        alias_or_version: `champion`, `@champion`, `3` or `v3`.
        paths: The checkout; it is not changed, but for `build/reproduce/`.
        settings: Where MLflow is.
        progress: Told of each step.

    Raises:
        UsageError: There is no such version.
        ServiceError: What it was made from cannot be fetched, the weights of a local model are not the same, or its
            files ask for more than this checkout's own code and rows.
        UndeclaredEndpointError: It was made with an endpoint, or a key for one, that is not declared here.
        StageFailedError: A stage failed when run again.
        BusyError: Another process reproduces this version in this checkout.
    """
    case = load_use_case(paths, name)
    tracker = connect(settings.resolved_tracking_uri(paths), case)
    version = registry.get(tracker, case.model, alias_or_version)
    folder = paths.root / "build" / "reproduce" / f"{name}-v{version.version}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    busy = BusyError(
        f"{paths.shown(folder)}: another process reproduces version {version.version} here",
        f"tailtune reproduce {name}@{alias_or_version.removeprefix('@')} again when it has finished",
    )
    with alone(folder.with_name(f"{folder.name}.lock"), busy):
        return _reproduced(name, version, folder, tracker, paths, settings, progress)


def _reproduced(
    name: str,
    version: registry.Version,
    folder: Path,
    tracker: Tracker,
    paths: Paths,
    settings: Settings,
    progress: Progress,
) -> Reproduction:
    """See `reproduce`; nothing else works in the folder."""
    case = load_use_case(paths, name)
    with tempfile.TemporaryDirectory(prefix="tailtune-") as holder:
        model_files = registry.fetch_model_files(tracker, version, Path(holder))
        recorded = _report(model_files / "reports" / "evaluate.json", EvaluateReport, name, version)
        noted = _noted_weights(model_files / "reports" / "prompt.json", name, version)
        declared = declared_addresses(case.spec.prompt.models, settings.endpoints)
        recorded_files.check(model_files / "spec", version.uri, declared, paths.shown(case.paths.model_yaml))
        copy = scratch.make(paths, folder, version.tags.get("git_commit"))
        try:
            recorded_files.lay_out(model_files / "spec", copy.paths, name, version.uri)
        except TailTuneError:
            scratch.remove(paths, folder)
            raise
    progress.say(f"v{version.version}: code from {copy.commit or 'this checkout (copied)'} in {paths.shown(folder)}")
    expected = versions.data_hash(copy.paths)
    if expected is None:
        raise ServiceError(f"{version.uri}: no data.dvc was recorded, so its rows are not known", "register it again")
    here = expected == versions.data_hash(paths) and versions.data_is_pinned(paths, name)
    data_from = scratch.restore_data(copy, name, same_as_origin=here)
    progress.say(f"rows from {data_from}")
    models = settings.weights_root(paths).absolute()
    if noted:
        models = restore_weights(
            load_use_case(copy.paths, name).spec.prompt,
            noted,
            models,
            lambda: _packed(tracker, version, folder / "build" / "version"),
            folder / "build" / "weights",
        )
        progress.say(f"weights from {'here' if not models.is_relative_to(folder) else version.uri}")
    scratch.run_until(copy, "evaluate", name, models)
    again = _report(copy.paths.case(name).report("evaluate"), EvaluateReport, name, version)
    reproduction = Reproduction(
        model=version.model,
        version=version.version,
        winner=recorded.winner,
        winner_again=again.winner,
        test_rows=again.test_rows,
        metrics=compare(recorded, again),
        commit=copy.commit,
        data_from=data_from,
        caveats=_caveats(version.tags.get("git_commit"), version.tags.get("git_dirty"), copy.commit, recorded, again),
        folder=paths.shown(folder),
    )
    if not reproduction.agrees:
        return reproduction
    scratch.remove(paths, folder)
    return reproduction.model_copy(update={"folder": None})


def compare(recorded: EvaluateReport, again: EvaluateReport) -> tuple[Agreement, ...]:
    """The recorded winner's measures, then and now, NaN for one that only the other has; none if not measured again."""
    before = _candidate(recorded, recorded.winner)
    now = _candidate(again, recorded.winner)
    if before is None or now is None:
        return ()
    then_values, now_values = (
        {name: estimate.value for name, estimate in each.metrics.items()} for each in (before, now)
    )
    return tuple(
        Agreement(metric=name, recorded=then_values.get(name, math.nan), again=now_values.get(name, math.nan))
        for name in {**then_values, **now_values}
    )


def _report(file: Path, kind: type[R], name: str, version: registry.Version) -> R:
    """A report as the version's code wrote it.

    Raises:
        ServiceError: It is not there, or this code cannot read it.
    """
    try:
        return store.read_report(file, kind, name)
    except MissingInputError as error:
        commit = version.tags.get("git_commit")
        there = "with the TailTune that made the version" if commit is None else f"after: git checkout {commit}"
        raise ServiceError(
            f"{version.uri}: {file.name}: not as the code of this checkout writes it ({error.message})",
            f"tailtune reproduce {name}@{version.version}, {there}",
        ) from error


def _noted_weights(report: Path, name: str, version: registry.Version) -> dict[str, str]:
    """Local models that the version's prompts were measured with; none where it has no such report."""
    return _report(report, PromptReport, name, version).weights if report.is_file() else {}


def _packed(tracker: Tracker, version: registry.Version, into: Path) -> Path | None:
    """The local model that a version took with it."""
    weights = fetch(tracker.uri, require(tracker.uri, version.model, version.version), into) / WEIGHTS
    return weights if weights.is_dir() else None


def _candidate(report: EvaluateReport, name: str) -> CandidateResult | None:
    return next((candidate for candidate in report.candidates if candidate.name == name), None)


def _caveats(
    commit: str | None, dirty: str | None, used: str | None, recorded: EvaluateReport, again: EvaluateReport
) -> tuple[str, ...]:
    lines = []
    if commit is None:
        lines.append("The version names no commit; the code of this checkout was run.")
    elif used is None:
        lines.append(f"Commit {commit[:12]} is not in this repository; the code of this checkout was run.")
    elif dirty == "true":
        lines.append(f"The version was made with uncommitted changes on top of {commit[:12]}.")
    if again.winner != recorded.winner:
        lines.append(f"The winner was {recorded.winner} and is now {again.winner}.")
    if again.rows_digest != recorded.rows_digest or again.test_rows != recorded.test_rows:
        lines.append("The curated rows are not the recorded ones.")
    return tuple(lines)
