"""The model registry: a version is made in one call with all its tags, so it is whole or not there."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailtune.core.digests import file_digest, folder_digest
from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.records import Decision
from tailtune.core.reports import Paired
from tailtune.core.run_plan import points
from tailtune.services.mlflow.home import fluent, service_errors
from tailtune.services.mlflow.lookup import FILES, PREDICTOR_FILES
from tailtune.services.mlflow.presence import files_of
from tailtune.services.mlflow.tracker import Tracker
from tailtune.services.mlflow.write import NOTE, now_ms

CHAMPION, CHALLENGER = "champion", "challenger"
KEY = "tailtune.key"
PROMOTION, PROMOTED, COMPARISON = "tailtune.promotion", "tailtune.promoted", "tailtune.comparison"
PREDICTOR = "predictor"


@dataclass(frozen=True)
class Version:
    """One per registered version.

    Attributes:
        aliases: Without `@`, sorted.
        tags: As the registry has them.
        made_ms: When, milliseconds since 1970.
    """

    model: str
    version: str
    run_id: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    made_ms: int

    @property
    def uri(self) -> str:
        """What `mlflow models serve -m` takes."""
        return f"models:/{self.model}/{self.version}"


@dataclass(frozen=True)
class Logged:
    """One per model whose files are in MLflow.

    Attributes:
        run_id: Its run.
        model_id: Its id there.
        file_tags: Tags with the digests of its files.
    """

    run_id: str
    model_id: str
    file_tags: Mapping[str, str] = field(default_factory=dict)


def versions(tracker: Tracker, model: str) -> tuple[Version, ...]:
    """Every version of a model, newest first; none when it is not registered."""
    with _at(tracker, f"listing versions of {model}"):
        listed = tracker.client.search_model_versions(f"name = '{model}'", max_results=1000)
        # The search leaves aliases out; the model has them.
        named = _aliases(tracker, model) if listed else {}
        made = [_version(item, named) for item in listed]
    return tuple(sorted(made, key=lambda version: -int(version.version)))


def get(tracker: Tracker, model: str, alias_or_version: str) -> Version:
    """One version, by number or alias (`champion`, `@champion`, `3`, `v3`).

    Raises:
        UsageError: There is no such version; lists those there are.
    """
    name = alias_or_version.removeprefix("@")
    there = versions(tracker, model)
    for version in there:
        if name in version.aliases or name.removeprefix("v") == version.version:
            return version
    known = [f"v{v.version}" + "".join(f" @{alias}" for alias in v.aliases) for v in there]
    raise UsageError(
        f"{model}@{name}: no such version; there is {', '.join(known) or 'none yet'}",
        f"tailtune show {tracker.case.name}" if there else f"tailtune run {tracker.case.name}",
    )


def holder(tracker: Tracker, model: str, alias: str) -> Version | None:
    """The version that has an alias."""
    return next((version for version in versions(tracker, model) if alias in version.aliases), None)


def find(tracker: Tracker, model: str, key: str) -> Version | None:
    """The version of exactly these rows, winner and files."""
    return next((version for version in versions(tracker, model) if version.tags.get(KEY) == key), None)


@dataclass(frozen=True)
class Stored:
    """One per predictor about to be stored.

    Attributes:
        predictor: Folder with the saved predictor.
        entry: File that MLflow runs to load it.
        code: Folder of the package that this file imports.
        requirements: Packages that it takes, `name==version`.
        columns: What an answer is made of: column → `str` or `float`.
        example: A text for the model's input example.
        rung: Its kind.
        model_type: MLflow's word for its task.
        params: What else the UI shows of it.
    """

    predictor: Path
    entry: Path
    code: Path
    requirements: Sequence[str]
    columns: Mapping[str, str]
    example: str
    rung: str
    model_type: str
    params: Mapping[str, int | str]


def log_model(tracker: Tracker, model: str, stored: Stored, values: Mapping[str, float | None]) -> Logged:
    """Put a predictor's files into MLflow as a pyfunc that any MLflow user can load.

    Args:
        tracker: Of the use case.
        model: Registered model's name.
        stored: What is stored.
        values: Metrics of the run and the model: the winner's on test.

    Raises:
        ServiceError: MLflow cannot be written.
    """
    with _at(tracker, f"storing {model}") as mlflow:
        from mlflow.entities import Metric, Param

        run_id = tracker.open_run("register", f"{model} (not registered yet)")
        with _inside(mlflow, run_id):
            info = _write_files(mlflow, tracker, model, stored)
        metrics = [Metric(p.name, p.value, now_ms(), 0, info.model_id, run_id=run_id) for p in points(values)]
        tracker.client.log_batch(run_id, metrics, [Param("split", "test"), Param("rung", stored.rung)])
        location = tracker.client.get_logged_model(info.model_id).artifact_location
    return Logged(run_id, info.model_id, _file_tags(location, stored))


def _file_tags(location: str, stored: Stored) -> dict[str, str]:
    """Digests of a version's files, for those who fetch them or ask whether they are there."""
    files = files_of(location)  # None where they do not lie on this machine
    return {PREDICTOR_FILES: folder_digest(stored.predictor), **({} if files is None else {FILES: files})}


def restore(tracker: Tracker, version: Version, stored: Stored) -> None:
    """Write the files of a version again, whose store has lost or damaged them; the version stays what it is.

    Raises:
        ServiceError: MLflow cannot be written.
    """
    with _at(tracker, f"restoring the files of {version.uri}") as mlflow:
        model_id = tracker.client.get_model_version(version.model, version.version).source.removeprefix("models:/")
        _write_files(mlflow, tracker, version.model, stored, model_id)
        location = tracker.client.get_logged_model(model_id).artifact_location
    tag(tracker, version, _file_tags(location, stored))


def _write_files(mlflow: Any, tracker: Tracker, model: str, stored: Stored, model_id: str | None = None) -> Any:
    return mlflow.pyfunc.log_model(
        name=model,
        model_id=model_id,
        python_model=str(stored.entry),
        artifacts={PREDICTOR: str(stored.predictor)},
        code_paths=[str(stored.code)],
        pip_requirements=list(stored.requirements),
        signature=_signature(stored.columns),
        input_example=_example(stored.example),
        params={"rung": stored.rung, **stored.params},
        tags={"tailtune.use_case": tracker.case.name},
        model_type=stored.model_type,
    )


def create(tracker: Tracker, model: str, logged: Logged, tags: Mapping[str, str], note: str) -> Version:
    """Register a logged model as the next version, all tags in the one call.

    Another checkout may have registered the same at this moment: then the lower number is the version, and this one is
    taken back with its model and run.

    Raises:
        ServiceError: MLflow refused.
    """
    with _at(tracker, f"registering {model}"):
        _model(tracker, model)
        made = tracker.client.create_model_version(
            model,
            f"models:/{logged.model_id}",
            run_id=logged.run_id,
            tags={**tags, **logged.file_tags},
            description=note,
            model_id=logged.model_id,
        )
        first = _first_of(tracker, model, tags.get(KEY))
        if first is not None and int(first.version) < int(made.version):
            tracker.client.delete_model_version(model, str(made.version))
            tracker.client.delete_logged_model(logged.model_id)
            tracker.delete_open_run(logged.run_id)
            return first
    return _version(made, {})


def _first_of(tracker: Tracker, model: str, key: str | None) -> Version | None:
    same = [version for version in versions(tracker, model) if key and version.tags.get(KEY) == key]
    return min(same, key=lambda version: int(version.version), default=None)


_PATIENCE_S, _RECENT_MS = 20.0, 120_000


def champion_before(tracker: Tracker, version: Version, patience_s: float = _PATIENCE_S) -> Version | None:
    """The champion that a version must beat; None when there is none.

    Without one, a version that another checkout registered just before may be at the gate now: it is waited for, so
    that only one of them is the first champion.
    """
    deadline = time.monotonic() + patience_s
    while True:
        there = versions(tracker, version.model)
        champion = next((other for other in there if CHAMPION in other.aliases), None)
        before = [
            other
            for other in there
            if int(other.version) < int(version.version)
            and version.made_ms - other.made_ms < _RECENT_MS
            and other.tags.get(PROMOTED) != "false"
        ]
        if champion is not None or not before or time.monotonic() >= deadline:
            return champion
        time.sleep(0.5)


def settle(
    tracker: Tracker,
    version: Version,
    decision: Decision,
    comparison: Paired | None,
    noted: Mapping[str, str] | None = None,
) -> None:
    """Note the gate's decision, then give a version its alias: a champion always has its reason.

    A version that became champion is no challenger any more.

    Args:
        tracker: Of the use case.
        version: The version.
        decision: Whether it became champion.
        comparison: What that rests on; None when nothing was compared.
        noted: Further tags of the comparison.
    """
    tag(
        tracker,
        version,
        {
            **(noted or {}),
            PROMOTION: decision.reason[:5000],
            PROMOTED: str(decision.yes).lower(),
            COMPARISON: "null" if comparison is None else comparison.model_dump_json(),
        },
    )
    with _at(tracker, f"naming {version.uri}"):
        alias = CHAMPION if decision.yes else CHALLENGER
        tracker.client.set_registered_model_alias(version.model, alias, version.version)
        if decision.yes and CHALLENGER in version.aliases:
            tracker.client.delete_registered_model_alias(version.model, CHALLENGER)


def tag(tracker: Tracker, version: Version, tags: Mapping[str, str]) -> None:
    """Write tags of a version that are new or have changed."""
    with _at(tracker, f"tagging {version.uri}"):
        for name, value in tags.items():
            if version.tags.get(name) != value:
                tracker.client.set_model_version_tag(version.model, version.version, name, value)


def attach(tracker: Tracker, run_id: str, files: Mapping[str, Path]) -> None:
    """Put files beside a model, by artifact path; the ones that are not there are left out."""
    with _at(tracker, "storing the files beside the model"):
        for target, path in files.items():
            if path.is_file():
                folder, _, name = target.rpartition("/")
                if name == path.name:
                    tracker.client.log_artifact(run_id, str(path), folder or None)
                else:
                    tracker.client.log_text(run_id, path.read_text(encoding="utf-8"), target)


REFERENCE = "tailtune.reference"
"""Tag of a version: SHA-256 of its reference."""
TRAFFIC = "tailtune.traffic"
"""The same of what was asked in the week before it answered."""
_REFERENCE_FOLDER = "reference"


def keep_reference(tracker: Tracker, version: Version, file: Path, tag_name: str = REFERENCE) -> None:
    """Put a version's reference, or its traffic, beside its model, and note its digest.

    Raises:
        ServiceError: MLflow cannot be written.
    """
    attach(tracker, version.run_id, {f"{_REFERENCE_FOLDER}/{file.name}": file})
    tag(tracker, version, {tag_name: file_digest(file)})


def fetch_reference(tracker: Tracker, version: Version, file: Path, tag_name: str = REFERENCE) -> bool:
    """Fetch a version's reference, or its traffic, into a file, which may be there already.

    Returns:
        Whether it is there now; False for a version that has none.

    Raises:
        ServiceError: The store does not answer, or has another file than the one that was noted.
    """
    digest = version.tags.get(tag_name)
    if digest is None:
        return False
    if file.is_file() and file_digest(file) == digest:
        return True
    file.parent.mkdir(parents=True, exist_ok=True)
    with (
        _at(tracker, f"fetching the {file.stem} of {version.uri}"),
        tempfile.TemporaryDirectory(dir=file.parent) as scratch,
    ):
        path = f"{_REFERENCE_FOLDER}/{file.name}"
        fetched = Path(tracker.client.download_artifacts(version.run_id, path, scratch))
        if file_digest(fetched) != digest:
            raise ServiceError(
                f"{version.uri}: its {file.stem} is not the one that was noted when it was made; not used",
                f"remove the tag `{tag_name}` of version {version.version} in MLflow: the next look makes a new one",
            )
        fetched.replace(file)
    return True


def fetch_model_files(tracker: Tracker, version: Version, into: Path) -> Path:
    """Download what stands beside a version's model: spec/, reports/ and the decision page.

    Raises:
        ServiceError: They are not there any more.
    """
    with _at(tracker, f"fetching the files beside {version.uri}"):
        there = [item.path for item in tracker.client.list_artifacts(version.run_id)]
        if "spec" not in there:
            raise ServiceError(f"{version.uri}: its run {version.run_id} holds no spec/", "register it again")
        for item in there:
            tracker.client.download_artifacts(version.run_id, item, str(into))
    return into


@contextmanager
def _at(tracker: Tracker, doing: str) -> Iterator[Any]:
    """MLflow turned to the tracker's store, with failures as ours. The registry looks models up through its globals."""
    with service_errors(tracker.uri, doing), fluent(tracker.uri) as mlflow:
        yield mlflow


@contextmanager
def _inside(mlflow: Any, run_id: str) -> Iterator[None]:
    """Make a run MLflow's active one for a while, and leave it open: `publish` finishes it."""
    mlflow.start_run(run_id=run_id)
    try:
        yield
    finally:
        mlflow.end_run(status="RUNNING")


def _model(tracker: Tracker, model: str) -> None:
    from mlflow.exceptions import MlflowException

    description = tracker.case.spec.description
    note = (
        f"{description}\n\n`champion` answers; `challenger` did not beat it. Each version's tags say which data, spec "
        f"and commit made it.\n\nServe: `mlflow models serve -m models:/{model}@champion --env-manager local`"
    ).strip()
    try:
        tracker.client.create_registered_model(model, {"tailtune.use_case": tracker.case.name}, note)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _aliases(tracker: Tracker, model: str) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for alias, number in tracker.client.get_registered_model(model).aliases.items():
        named.setdefault(str(number), []).append(alias)
    return named


def _version(item: Any, named: Mapping[str, list[str]]) -> Version:
    number = str(item.version)
    tags = {str(name): str(value) for name, value in item.tags.items() if name != NOTE}
    return Version(
        item.name, number, item.run_id, tuple(sorted(named.get(number, ()))), tags, int(item.creation_timestamp)
    )


def _signature(columns: Mapping[str, str]) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    kinds = {"float": DataType.double}
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text")]),
        outputs=Schema([ColSpec(kinds.get(kind, DataType.string), name) for name, kind in columns.items()]),
    )


def _example(text: str) -> Any:
    import pandas as pd

    return pd.DataFrame({"text": [text]})
