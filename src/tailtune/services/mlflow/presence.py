"""Whether a registered version is really there; asked without MLflow, before work is skipped."""

from __future__ import annotations

import sqlite3
import urllib.error
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from tailtune.core.digests import folder_digest
from tailtune.services.mlflow.address import SQLITE, ask, is_server

FILES = "tailtune.files"
"""Tag of a version: digest of its model's files, where they lie on this machine."""
_GONE = "RESOURCE_DOES_NOT_EXIST"
_READ_WHOLE = 64 << 20
_NOTE = "registered_model_meta"
"""MLflow writes it beside a model's files when somebody loads a version by its name: it is no part of them."""


def is_registered(uri: str, model: str, version: str, run_id: str) -> bool:
    """Whether a store has a version made by a run, with its model's files as they were registered.

    Files over 64 MiB are held to their size; those behind a server's own artifact store only to being there.

    Returns:
        False only when the store says so; True also when it does not answer: the next use reports why.
    """
    if is_server(uri):
        return _on_server(uri, model, version, run_id)
    if uri.startswith(SQLITE):
        return _in_file(Path(uri.removeprefix(SQLITE)), model, version, run_id)
    return True


def files_of(location: str) -> str | None:
    """Digest of a model's files; None where they do not lie on this machine."""
    folder = _folder(location)
    return None if folder is None else folder_digest(folder, _READ_WHOLE, _NOTE)


def _folder(location: str) -> Path | None:
    path = Path(urlsplit(location).path if location.startswith("file:") else location)
    return path if path.is_absolute() else None


def _is_whole(location: str, recorded: str | None) -> bool:
    """Whether a model's files are as recorded; a version that recorded nothing must have its first one."""
    folder = _folder(location)
    if folder is None:
        return True
    return (folder / "MLmodel").is_file() if recorded is None else files_of(location) == recorded


def _in_file(database: Path, model: str, version: str, run_id: str) -> bool:
    if not database.is_file():
        return False
    query = (
        "SELECT v.source, m.artifact_location, t.value FROM model_versions v "
        "LEFT JOIN logged_models m ON v.source = 'models:/' || m.model_id AND m.lifecycle_stage = 'active' "
        "LEFT JOIN model_version_tags t ON t.name = v.name AND t.version = v.version AND t.key = ? "
        "WHERE v.name = ? AND v.version = ? AND v.run_id = ? AND v.current_stage != 'Deleted_Internal'"
    )
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute(query, (FILES, model, int(version), run_id)).fetchone()
    except sqlite3.Error as error:
        gone = ("no such table", "not a database", "malformed")  # registering then says which, and what to do
        return not any(words in str(error) for words in gone)
    if row is None:
        return False
    source, location, recorded = row
    return not source.startswith("models:/") or (location is not None and _is_whole(location, recorded))


def _on_server(uri: str, model: str, version: str, run_id: str) -> bool:
    try:
        answer = ask(uri, f"model-versions/get?{urlencode({'name': model, 'version': version})}")["model_version"]
        if answer.get("run_id") != run_id:
            return False
        tags = {tag["key"]: tag.get("value") for tag in answer.get("tags", ())}
        lead, _, model_id = str(answer.get("source", "")).rpartition("models:/")
        return bool(lead) or not model_id or _is_stored(uri, model_id, tags.get(FILES))
    except urllib.error.HTTPError as error:
        return error.code != 404 or _GONE not in error.reason
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def _is_stored(uri: str, model_id: str, recorded: str | None) -> bool:
    location = str(ask(uri, f"logged-models/{quote(model_id)}")["model"]["info"]["artifact_uri"])
    folder = _folder(location)
    if folder is not None:  # on another machine its parents are not there either
        return not folder.parents[2].is_dir() or _is_whole(location, recorded)
    listed = ask(uri, f"logged-models/{quote(model_id)}/artifacts/directories").get("files", ())
    return any(str(file["path"]).endswith("MLmodel") for file in listed)
