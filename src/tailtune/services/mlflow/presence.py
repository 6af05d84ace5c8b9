"""Whether a registered version is really there; asked without MLflow, before work is skipped."""

from __future__ import annotations

import sqlite3
import urllib.error
from pathlib import Path
from urllib.parse import quote

from tailtune.core.digests import folder_digest
from tailtune.services.mlflow.address import SQLITE, ask, is_server
from tailtune.services.mlflow.lookup import StoredVersion, in_file, local_folder, on_server

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
    folder = local_folder(location)
    return None if folder is None else folder_digest(folder, _READ_WHOLE, _NOTE)


def is_whole(stored: StoredVersion) -> bool:
    """Whether a model's files are as recorded; a version that recorded nothing must have its first one."""
    if stored.location is None:
        return False
    folder = local_folder(stored.location)
    if folder is None:
        return True
    return (folder / "MLmodel").is_file() if stored.files is None else files_of(stored.location) == stored.files


def _in_file(database: Path, model: str, version: str, run_id: str) -> bool:
    if not database.is_file():
        return False
    try:
        stored = in_file(database, model, version)
    except sqlite3.Error as error:
        gone = ("no such table", "not a database", "malformed")  # registering then says which, and what to do
        return not any(words in str(error) for words in gone)
    return stored is not None and stored.run_id == run_id and (not stored.has_logged_model or is_whole(stored))


def _on_server(uri: str, model: str, version: str, run_id: str) -> bool:
    try:
        stored = on_server(uri, model, version)
        if stored is None or stored.run_id != run_id:
            return False
        return not stored.has_logged_model or _is_stored(uri, stored)
    except urllib.error.HTTPError as error:
        return error.code != 404 or "RESOURCE_DOES_NOT_EXIST" not in error.reason
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def _is_stored(uri: str, stored: StoredVersion) -> bool:
    folder = local_folder(stored.location or "")
    if folder is not None:  # on another machine its parents are not there either
        return not folder.parents[2].is_dir() or is_whole(stored)
    model_id = quote(stored.source.rpartition("/")[2])
    listed = ask(uri, f"logged-models/{model_id}/artifacts/directories").get("files", ())
    return any(str(file["path"]).endswith("MLmodel") for file in listed)
