"""Where a registered version lies and what was noted of its files; asked without importing MLflow where that can be."""

from __future__ import annotations

import sqlite3
import urllib.error
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.secrets import without_password
from tailtune.services.mlflow.address import SQLITE, ask, is_server
from tailtune.services.mlflow.home import open_client, prepare, service_errors

FILES = "tailtune.files"
"""Tag of a version: digest of its model's files, where they lie on this machine."""
PREDICTOR_FILES = "tailtune.predictor_files"
"""Tag of a version: digest of its predictor's folder, all bytes."""
_LOGGED = "models:/"
_GONE = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True)
class StoredVersion:
    """One per version as a store has it.

    Attributes:
        model: Registered model's name.
        version: Its number.
        run_id: The run that made it.
        source: What the registry names as its source.
        location: Where its files are; None when the store has lost them.
        files: Digest of its model's files, as noted when it was registered; None when it was not.
        predictor_files: Digest of its predictor's folder, as noted then; None in versions of before.
    """

    model: str
    version: str
    run_id: str
    source: str
    location: str | None
    files: str | None = None
    predictor_files: str | None = None

    @property
    def uri(self) -> str:
        """What MLflow calls it."""
        return f"models:/{self.model}/{self.version}"

    @property
    def has_logged_model(self) -> bool:
        """Whether its files are those of a model that was logged; MLflow 2 registered folders of runs."""
        return self.source.startswith(_LOGGED)


def find(uri: str, model: str, which: str) -> StoredVersion | None:
    """A version of a model by alias or number (`champion`, `@champion`, `3`, `v3`); None when the store has none.

    Args:
        uri: The tracking store's address.
        model: Registered model's name.
        which: The alias or the number.

    Raises:
        ServiceError: The store does not answer.
    """
    try:
        if is_server(uri):
            return on_server(uri, model, which)
        if uri.startswith(SQLITE):
            database = Path(uri.removeprefix(SQLITE))
            if not database.is_file():
                return None
            prepare(uri)  # a moved store's files are where it is now
            return in_file(database, model, which)
    except (OSError, sqlite3.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServiceError(
            f"{without_password(uri)}: looking up {model} {which} failed: {error}",
            "check that the store can be reached",
        ) from error
    return _by_mlflow(uri, model, which)


def require(uri: str, model: str, which: str, hint: str = "tailtune list") -> StoredVersion:
    """A version that must be there; see `find`.

    Args:
        uri: The tracking store's address.
        model: Registered model's name.
        which: The alias or the number.
        hint: What to do without it.

    Raises:
        UsageError: There is no such version.
        ServiceError: The store does not answer.
    """
    stored = find(uri, model, which)
    if stored is None:
        raise UsageError(f"{model}@{which.removeprefix('@')}: no such version in the registry", hint)
    return stored


def number_of(which: str) -> str | None:
    """The number that is meant; None for an alias."""
    number = which.removeprefix("v")
    return number if number.isdecimal() else None


def in_file(database: Path, model: str, which: str) -> StoredVersion | None:
    """A version in the embedded store's file.

    Raises:
        sqlite3.Error: It cannot be read.
    """
    number = number_of(which)
    chosen = (
        "?" if number else "(SELECT a.version FROM registered_model_aliases a WHERE a.name = v.name AND a.alias = ?)"
    )
    query = (
        "SELECT v.version, v.run_id, v.source, m.artifact_location, f.value, p.value FROM model_versions v "  # noqa: S608
        "LEFT JOIN logged_models m ON v.source = 'models:/' || m.model_id AND m.lifecycle_stage = 'active' "
        "LEFT JOIN model_version_tags f ON f.name = v.name AND f.version = v.version AND f.key = ? "
        "LEFT JOIN model_version_tags p ON p.name = v.name AND p.version = v.version AND p.key = ? "
        f"WHERE v.name = ? AND v.current_stage != 'Deleted_Internal' AND v.version = {chosen}"
    )
    values = (FILES, PREDICTOR_FILES, model, int(number) if number else which.removeprefix("@"))
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        row = connection.execute(query, values).fetchone()
    if row is None:
        return None
    version, run_id, source, location, files, predictor_files = row
    location = location if source.startswith(_LOGGED) else source
    return StoredVersion(model, str(version), run_id, source, location, files, predictor_files)


def on_server(uri: str, model: str, which: str) -> StoredVersion | None:
    """A version on an MLflow server.

    Raises:
        OSError: It does not answer, or not with success.
        ValueError, KeyError, TypeError, AttributeError: It answers something else than MLflow does.
    """
    number = number_of(which)
    named = {"name": model, **({"version": number} if number else {"alias": which.removeprefix("@")})}
    path = "model-versions/get" if number else "registered-models/alias"
    try:
        answer = ask(uri, f"{path}?{urlencode(named)}")["model_version"]
        source = location = str(answer.get("source", ""))
        if source.startswith(_LOGGED):
            logged = ask(uri, f"logged-models/{quote(source.removeprefix(_LOGGED))}")
            location = str(logged["model"]["info"]["artifact_uri"])
    except urllib.error.HTTPError as error:
        if error.code == 404 and _GONE in error.reason:
            return None
        if not number and error.code == 400 and "alias" in error.reason and "not found" in error.reason:
            return None
        raise
    tags = {tag["key"]: tag.get("value") for tag in answer.get("tags", ())}
    return StoredVersion(
        model,
        str(answer["version"]),
        str(answer.get("run_id")),
        source,
        location,
        tags.get(FILES),
        tags.get(PREDICTOR_FILES),
    )


def _by_mlflow(uri: str, model: str, which: str) -> StoredVersion | None:
    """A version in a store that only MLflow can ask: a database, or a plug-in's."""
    from mlflow.exceptions import MlflowException

    number = number_of(which)
    with service_errors(uri, f"looking up {model} {which}"):
        client = open_client(uri)
        try:
            there: Any = (
                client.get_model_version(model, number)
                if number
                else client.get_model_version_by_alias(model, which.removeprefix("@"))
            )
        except MlflowException as error:
            if error.error_code == _GONE or (not number and "not found" in str(error)):
                return None
            raise
        location = there.source
        if location.startswith(_LOGGED):
            location = client.get_logged_model(location.removeprefix(_LOGGED)).artifact_location
    return StoredVersion(
        model,
        str(there.version),
        str(there.run_id),
        there.source,
        location,
        there.tags.get(FILES),
        there.tags.get(PREDICTOR_FILES),
    )


def local_folder(location: str) -> Path | None:
    """The folder that a location names on this machine; None where it is elsewhere."""
    path = Path(urlsplit(location).path if location.startswith("file:") else location)
    return path if path.is_absolute() else None
