"""Where runs are kept, an embedded store or a server: reached, prepared, opened. MLflow is imported late, if at all."""

from __future__ import annotations

import base64
import fcntl
import logging
import os
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.json_text import parse_json
from tailtune.core.private import private_folder
from tailtune.core.secrets import secret_in, without_key, without_password

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SQLITE = "sqlite:///"
_TIMEOUT_S = 5.0
_LARGEST = 1 << 24  # bytes of an answer
# Every column of MLflow's schema that holds an artifact location; `models:/` ones stay.
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def embedded_folder(uri: str) -> Path | None:
    """The folder of an embedded store; None for a server."""
    return Path(uri.removeprefix(SQLITE)).parent if uri.startswith(SQLITE) else None


def reach(uri: str) -> None:
    """Ask whether a store can be used, within five seconds and without importing MLflow.

    Raises:
        ServiceError: The server does not answer, or the embedded file is no database or not writable.
        UsageError: The address holds a user or password; MLflow takes these from variables.
    """
    _refuse_secrets(uri)
    if uri.startswith(("http://", "https://")):
        _reach_server(uri)
    elif uri.startswith(SQLITE):
        _reach_file(Path(uri.removeprefix(SQLITE)))


def _refuse_secrets(uri: str) -> None:
    inside, server = secret_in(uri), uri.startswith(("http://", "https://"))
    if not inside or (inside == "a user" and not server):
        return
    raise UsageError(
        f"TAILTUNE_TRACKING_URI: {without_password(uri)} is given with a user or password in it; "
        "expected the bare address",
        "export MLFLOW_TRACKING_USERNAME=… MLFLOW_TRACKING_PASSWORD=…, and leave them out of the address"
        if server
        else "leave it out of the address; the database's client takes it from elsewhere, such as ~/.pgpass",
    )


def _reach_server(uri: str) -> None:
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_TIMEOUT_S):  # noqa: S310 - http(s) only
            return
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404):  # it lives; a proxy in front may hide /health or want credentials
            return
        reason: object = f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
    raise ServiceError(
        f"{without_password(uri)}: the MLflow server does not answer ({reason}); expected one at TAILTUNE_TRACKING_URI",
        "make up   (or unset TAILTUNE_TRACKING_URI to use the embedded store)",
    )


def _reach_file(database: Path) -> None:
    try:
        private_folder(database.parent)
        if database.exists():
            with closing(sqlite3.connect(database, timeout=_TIMEOUT_S)) as connection:
                connection.execute("PRAGMA schema_version")
    except (OSError, sqlite3.Error) as error:
        raise ServiceError(
            f"{database}: the embedded MLflow store cannot be used ({error})",
            f"check the rights on {database.parent}, or move it away to start an empty one",
        ) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a store's folder against the other processes of this machine."""
    private_folder(folder)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(uri: str) -> None:
    """Make or migrate the embedded database, and take a moved checkout's artifacts along; nothing for a server.

    MLflow crashes when several processes create one SQLite file at once, so the first does it under a lock. It also
    stores absolute artifact paths, so a store found in another folder than it was made in is rewritten to the new one;
    so are locations that only a server with an artifact proxy could read.
    """
    folder = embedded_folder(uri)
    if folder is None:
        return
    marker = folder / ".made"
    expected = f"{version('mlflow')}\n{folder.resolve()}\nfiles\n"
    if _made(marker) == expected:
        return
    with locked(folder):
        made = _made(marker)
        if made == expected:
            return
        from mlflow.tracking import MlflowClient

        MlflowClient(uri, uri).search_experiments(max_results=1)  # creates or migrates the tables
        before = made.splitlines()[1:2]
        if before and before[0] != str(folder.resolve()):
            _relocate(Path(uri.removeprefix(SQLITE)), before[0], str(folder.resolve()))
        _relocate(Path(uri.removeprefix(SQLITE)), "mlflow-artifacts:", str(folder.resolve() / "artifacts"))
        marker.write_text(expected, encoding="utf-8")


def _made(marker: Path) -> str:
    return marker.read_text(encoding="utf-8") if marker.is_file() else ""


def _relocate(database: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column in _LOCATIONS:
            for lead in ("", "file://"):
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - names are ours
                    f"WHERE substr({column}, 1, ?) = ?",
                    (lead + new, len(lead + old) + 1, len(lead + old) + 1, f"{lead}{old}/"),
                )


_QUIET = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
_GLOBALS = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


def open_client(uri: str) -> MlflowClient:
    """A client of a tracking store and the registry beside it; makes the embedded store if need be."""
    for key, value in _QUIET.items():
        os.environ.setdefault(key, value)
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    prepare(uri)
    return MlflowClient(uri, uri)


@contextmanager
def service_errors(uri: str, doing: str) -> Iterator[None]:
    """Turn what MLflow, its database and its transport raise into one ServiceError.

    Raises:
        ServiceError: Says which store, what was being done, and what to do.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, OSError) as error:
        first = (
            _without_credentials(str(error)).strip().splitlines()[0][:300]
            if str(error).strip()
            else type(error).__name__
        )
        remedy = (
            "check that the server runs (make up), then run the same command again"
            if uri.startswith("http")
            else "check disk space and rights of mlflow/store, then run the same command again"
        )
        raise ServiceError(f"{without_password(uri)}: {doing} failed: {first}", remedy) from error


def _without_credentials(text: str) -> str:
    """What MLflow said, without the password or token that it was given."""
    for name in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        text = without_key(text, os.environ.get(name, ""))
    return text


@contextmanager
def fluent(uri: str) -> Iterator[Any]:
    """MLflow's module with its globals set to a store, for the few calls that have no client form.

    Restored after, with the variables that MLflow puts into the environment: child processes would inherit them.
    """
    import mlflow

    before = {name: os.environ.get(name) for name in _GLOBALS}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield mlflow
    finally:
        mlflow.set_tracking_uri(before["MLFLOW_TRACKING_URI"])
        mlflow.set_registry_uri(None)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_GONE = "RESOURCE_DOES_NOT_EXIST"


def is_registered(uri: str, model: str, version: str, run_id: str) -> bool:
    """Whether a store has a version made by a run; asked without MLflow, before work is skipped.

    Returns:
        False only when the store says so; True also when it does not answer: the next use reports why.
    """
    if uri.startswith(("http://", "https://")):
        return _on_server(uri, model, version, run_id)
    if uri.startswith(SQLITE):
        return _in_file(Path(uri.removeprefix(SQLITE)), model, version, run_id)
    return True


def _in_file(database: Path, model: str, version: str, run_id: str) -> bool:
    if not database.is_file():
        return False
    query = (
        "SELECT 1 FROM model_versions WHERE name = ? AND version = ? AND run_id = ? "
        "AND current_stage != 'Deleted_Internal'"
    )
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query, (model, int(version), run_id)).fetchone() is not None
    except sqlite3.Error as error:
        gone = ("no such table", "not a database", "malformed")  # registering then says which, and what to do
        return not any(words in str(error) for words in gone)


def _on_server(uri: str, model: str, version: str, run_id: str) -> bool:
    words = urllib.parse.urlencode({"name": model, "version": version})
    request = urllib.request.Request(f"{uri.rstrip('/')}/api/2.0/mlflow/model-versions/get?{words}")  # noqa: S310
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http(s) only
            return bool(parse_json(answer.read(_LARGEST).decode())["model_version"].get("run_id") == run_id)
    except urllib.error.HTTPError as error:
        return error.code != 404 or _GONE not in error.read(10_000).decode("utf-8", "replace")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return True
