"""Whether a registered version is really there; asked without MLflow, before work is skipped."""

from __future__ import annotations

import sqlite3
import urllib.error
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

from tailtune.services.mlflow.address import SQLITE, ask, is_server

_GONE = "RESOURCE_DOES_NOT_EXIST"


def is_registered(uri: str, model: str, version: str, run_id: str) -> bool:
    """Whether a store has a version made by a run; asked without MLflow, before work is skipped.

    Returns:
        False only when the store says so; True also when it does not answer: the next use reports why.
    """
    if is_server(uri):
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
    try:
        answer = ask(uri, f"model-versions/get?{urlencode({'name': model, 'version': version})}")
        return bool(answer["model_version"].get("run_id") == run_id)
    except urllib.error.HTTPError as error:
        return error.code != 404 or _GONE not in error.reason
    except (OSError, ValueError, KeyError):
        return True
