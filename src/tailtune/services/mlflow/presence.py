"""Whether a version still stands in a tracking store, asked without MLflow: a check before work is skipped."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path

from tailtune.services.mlflow.home import SQLITE

_TIMEOUT_S = 5.0
_GONE = "RESOURCE_DOES_NOT_EXIST"


def is_registered(uri: str, model: str, version: str, run_id: str) -> bool:
    """Whether a store holds a version made by a run.

    Returns:
        False only when the store says so; True also when it cannot be asked: who then uses it is told why.
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
        return "no such table" not in str(error)


def _on_server(uri: str, model: str, version: str, run_id: str) -> bool:
    words = urllib.parse.urlencode({"name": model, "version": version})
    request = urllib.request.Request(f"{uri.rstrip('/')}/api/2.0/mlflow/model-versions/get?{words}")  # noqa: S310
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http(s) only
            return bool(json.load(answer)["model_version"].get("run_id") == run_id)
    except urllib.error.HTTPError as error:
        return error.code != 404 or _GONE not in error.read(10_000).decode("utf-8", "replace")
    except (OSError, ValueError, KeyError):
        return True
