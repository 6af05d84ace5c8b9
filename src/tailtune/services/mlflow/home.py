"""The embedded store, made, migrated and moved; clients of any store, and what fails there as one error of ours."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailtune.core.errors import ServiceError
from tailtune.core.private import private_folder
from tailtune.core.secrets import without_key, without_password
from tailtune.services.mlflow.address import SQLITE, embedded_folder, is_server

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

# Every column of MLflow's schema that holds an artifact location; `models:/` ones stay.
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a store's folder against the other processes of this machine."""
    private_folder(folder)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_outdated(uri: str) -> bool:
    """Whether an embedded store is of another MLflow than the one here: then `prepare` takes its time."""
    folder = embedded_folder(uri)
    if folder is None or not (schema := _schema(_database(uri))):
        return False
    made = _made(folder)
    return made[:1] != [version("mlflow")] or made[3:] != [schema]


def check_writable(uri: str) -> None:
    """Make sure that an embedded store takes what a stage will publish, before the stage has worked for it.

    Raises:
        ServiceError: It is there, and this process may not write to it.
    """
    folder = embedded_folder(uri)
    if folder is None or not folder.is_dir():
        return
    for place in (folder, _database(uri)):
        if place.exists() and not os.access(place, os.W_OK):
            raise ServiceError(
                f"{place}: may not be written (a read-only disk, or no right to), and what a stage finds is kept "
                "there; nothing was begun",
                f"{_remedy(uri, '')}; or set TAILTUNE_TRACKING_URI to another store",
            )


def prepare(uri: str) -> None:
    """Make or migrate the embedded database, and take a moved checkout's artifacts along; nothing for a server.

    MLflow crashes when several processes create one SQLite file at once, so the first does it under a lock. It also
    stores absolute artifact paths, so a store found in another folder than it was made in is rewritten to the new one;
    so are locations that only a server with an artifact proxy could read.

    Raises:
        ServiceError: The store is of another MLflow and could not be migrated; it is as it was.
    """
    folder = embedded_folder(uri)
    if folder is None or _is_prepared(uri, folder):
        return
    quiet()
    with locked(folder):
        if _is_prepared(uri, folder):
            return
        database, before = _database(uri), _made(folder)
        if is_outdated(uri) or _copy_of(database).exists():
            _migrate(uri, database)
        if not database.exists():
            _create(database)
        _open(uri)
        if before[1:2] and before[1] != str(folder.resolve()):
            _relocate(database, before[1], str(folder.resolve()))
        _relocate(database, "mlflow-artifacts:", str(folder.resolve() / "artifacts"))
        (folder / ".made").write_text("\n".join([*_expected(folder), _schema(database), ""]), encoding="utf-8")


def _is_prepared(uri: str, folder: Path) -> bool:
    made = _made(folder)
    return made[:3] == _expected(folder) and made[3:] == [_schema(_database(uri))]


def _expected(folder: Path) -> list[str]:
    return [version("mlflow"), str(folder.resolve()), "files"]


def _made(folder: Path) -> list[str]:
    """How the store was prepared: MLflow's version, the folder, where files are, the revision of the schema."""
    marker = folder / ".made"
    return marker.read_text(encoding="utf-8").splitlines() if marker.is_file() else []


def _database(uri: str) -> Path:
    return Path(uri.removeprefix(SQLITE))


def _schema(database: Path) -> str:
    """Revision of MLflow's schema in a database; empty where there is none."""
    if not database.is_file():
        return ""
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return "" if row is None else str(row[0])
    return ""


def _open(uri: str) -> None:
    from mlflow.tracking import MlflowClient

    MlflowClient(uri, uri).search_experiments(max_results=1)


def _create(database: Path) -> None:
    """Make a new database beside its place: MLflow cannot go on with tables whose making a kill has cut off."""
    part = database.with_name(f".{database.name}.part")
    for left in database.parent.glob(f"{part.name}*"):  # SQLite's journal too
        left.unlink()
    _open(f"{SQLITE}{part}")
    part.replace(database)


_OUTDATED = "out-of-date database schema"
_DATABASE_ERROR = re.compile(r"\((sqlite3|psycopg2|pymysql)\.[\w.]+\) ")


def _migrate(uri: str, database: Path) -> None:
    """Bring a store of another MLflow to the schema of this one; a copy from before stays beside it.

    MLflow does it by itself where tables are missing, and otherwise refuses until its own command was run. A migration
    that was cut off is undone first.

    Raises:
        ServiceError: It could not be migrated; it is as it was.
    """
    from mlflow.exceptions import MlflowException

    copy = _copy_of(database)
    if copy.exists():
        _copy(copy, database)
    else:
        part = copy.with_suffix(".part")
        part.unlink(missing_ok=True)
        try:
            _copy(database, part)
        except sqlite3.Error:
            part.unlink(missing_ok=True)
            raise
        part.replace(copy)
    before = _schema(database)
    try:
        try:
            _open(uri)
        except MlflowException as error:
            if _OUTDATED not in str(error):
                raise
            _upgrade(uri)
    except Exception as error:  # of MLflow, SQLAlchemy or Alembic
        _copy(copy, database)
        copy.unlink()
        raise _not_migrated(uri, before, str(error)) from error
    if _schema(database) == before:
        copy.unlink()
    else:
        copy.replace(database.with_name(f"before-{before}.db"))


def _copy_of(database: Path) -> Path:
    return database.with_name(f"{database.stem}-before-migration.db")


def _copy(source: Path, target: Path) -> None:
    """Copy a database into another, also while somebody has one of them open."""
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)


def _upgrade(uri: str) -> None:
    words = [sys.executable, "-m", "mlflow", "db", "upgrade", uri]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise RuntimeError(done.stderr)


def _not_migrated(uri: str, schema: str, why: str) -> ServiceError:
    database = _database(uri)
    elsewhere = f"(or move {database.parent} away to start an empty store)"
    if "Can't locate revision" in why:
        return ServiceError(
            f"{database}: a store of a newer MLflow (schema {schema}) than the one here ({version('mlflow')})",
            f"pip install --upgrade mlflow   {elsewhere}",
        )
    lines = [line for line in why.strip().splitlines() if "Error" in line] or why.strip().splitlines()
    return ServiceError(
        f"{database}: a store of an earlier MLflow (schema {schema}) that could not be migrated, and is as it was: "
        f"{lines[-1][:300] if lines else 'no reason'}",
        f"mlflow db upgrade {SQLITE}{database.absolute()}   {elsewhere}",
    )


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
    quiet()
    from mlflow.tracking import MlflowClient

    prepare(uri)
    return MlflowClient(uri, uri)


def quiet() -> None:
    """Import MLflow so that it says nothing but warnings."""
    for key, value in _QUIET.items():
        os.environ.setdefault(key, value)
    import mlflow  # noqa: F401 - it sets up its loggers

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what it tells, with a traceback, is raised


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
    except (MlflowException, RequestException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        remedy = _remedy(uri, str(error))
        raise ServiceError(f"{without_password(uri)}: {doing} failed: {_reason(error)}", remedy) from error


def _reason(error: Exception) -> str:
    """The line that says why: SQLAlchemy's comes after those about its own sessions."""
    lines = [line for line in _without_credentials(str(error)).splitlines() if line.strip()]
    of_database = (line for line in lines if _DATABASE_ERROR.match(line))
    return next(of_database, lines[0] if lines else type(error).__name__).strip()[:300]


def _remedy(uri: str, why: str) -> str:
    """The next command for a store of its kind."""
    if is_server(uri):
        return "check that the server runs (make up), then run the same command again"
    if _OUTDATED in why:
        return f"mlflow db upgrade {without_password(uri)}"
    folder = embedded_folder(uri)
    place = "the database, and who may write to it" if folder is None else f"disk space and rights of {folder}"
    return f"check {place}, then run the same command again"


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
