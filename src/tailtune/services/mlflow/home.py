"""Where runs are kept: the embedded SQLite store, made once under a lock, or a server that must answer at once."""

from __future__ import annotations

import fcntl
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from tailtune.config.settings import without_password
from tailtune.core.errors import ServiceError, UsageError

SQLITE = "sqlite:///"
_TIMEOUT_S = 5.0
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
    if uri.startswith(("http://", "https://")):
        _reach_server(uri)
    elif uri.startswith(SQLITE):
        _reach_file(Path(uri.removeprefix(SQLITE)))


def _reach_server(uri: str) -> None:
    if "@" in urlsplit(uri).netloc:
        raise UsageError(
            f"TAILTUNE_TRACKING_URI: {without_password(uri)} is given with a user or password in it; "
            "expected the bare address",
            "export MLFLOW_TRACKING_USERNAME=… MLFLOW_TRACKING_PASSWORD=…, and leave them out of the address",
        )
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_TIMEOUT_S):  # noqa: S310 - http(s) only
            return
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404):  # it lives; a proxy in front may hide /health or want credentials
            return
        said: object = f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        said = getattr(error, "reason", None) or error
    raise ServiceError(
        f"{without_password(uri)}: the MLflow server does not answer ({said}); expected one at TAILTUNE_TRACKING_URI",
        "make up   (or unset TAILTUNE_TRACKING_URI to use the embedded store)",
    )


def _reach_file(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
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
    folder.mkdir(parents=True, exist_ok=True)
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
    wanted = f"{version('mlflow')}\n{folder.resolve()}\nfiles\n"
    if _made(marker) == wanted:
        return
    with locked(folder):
        made = _made(marker)
        if made == wanted:
            return
        from mlflow.tracking import MlflowClient

        MlflowClient(uri, uri).search_experiments(max_results=1)  # creates or migrates the tables
        before = made.splitlines()[1:2]
        if before and before[0] != str(folder.resolve()):
            _relocate(Path(uri.removeprefix(SQLITE)), before[0], str(folder.resolve()))
        _relocate(Path(uri.removeprefix(SQLITE)), "mlflow-artifacts:", str(folder.resolve() / "artifacts"))
        marker.write_text(wanted, encoding="utf-8")


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
