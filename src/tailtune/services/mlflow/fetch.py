"""Versions' files in a local cache: complete and as they were registered, or not there. No file is ever run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from tailtune.core.digests import folder_digest
from tailtune.core.errors import ServiceError
from tailtune.core.secrets import without_password
from tailtune.services.mlflow.home import locked
from tailtune.services.mlflow.lookup import StoredVersion, local_folder
from tailtune.services.mlflow.presence import is_whole

KEPT = 5
"""Versions of a model that stay in the cache."""
_PART = ".part-"
_CARD = "predictor.json"  # tasks/saved.py writes it


def fetch(uri: str, stored: StoredVersion, cache: Path) -> Path:
    """The predictor's folder of a version, from the cache or else from the store.

    A version that is in the cache is checked against what was noted when it was registered; so is a fetched one, before
    it takes its place there. Fetching from this machine's disk imports no MLflow; elsewhere a process of its own does.

    Args:
        uri: The tracking store's address.
        stored: The version.
        cache: Folder that processes may share.

    Raises:
        ServiceError: The files are gone, cannot be fetched, or are not those that were registered; the cache stays as
            it was.
    """
    home = cache / quote(stored.model, safe="")
    target = home / f"{stored.version}-{stored.predictor_files or stored.source.rpartition('/')[2]}"
    with locked(home):
        if not _is_cached(stored, target):
            _fetch_into(uri, stored, target)
        os.utime(target)
        _thin(home)
    return target


def _is_cached(stored: StoredVersion, target: Path) -> bool:
    if stored.predictor_files is None:  # of before: nothing was noted that a copy could be checked against
        return (target / _CARD).is_file()
    return target.is_dir() and folder_digest(target) == stored.predictor_files


def _fetch_into(uri: str, stored: StoredVersion, target: Path) -> None:
    for left in target.parent.glob(f"{_PART}*"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=_PART, dir=target.parent))
    try:
        _copy(uri, stored, part / "files")
        (folder,) = (file.parent for file in (part / "files").glob(f"*/{_CARD}"))
        if stored.predictor_files not in (None, folder_digest(folder)):
            raise _damaged(uri, stored)
        if target.exists():  # damaged since
            target.rename(part / "damaged")
        folder.rename(target)
    except OSError as error:
        raise ServiceError(
            f"{stored.uri}: its files could not be fetched ({error})", f"check disk space and rights of {target.parent}"
        ) from error
    except ValueError as error:  # no predictor, or several
        raise _damaged(uri, stored) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _copy(uri: str, stored: StoredVersion, into: Path) -> None:
    """Copy what MLflow calls the version's artifacts: a folder that holds the predictor's."""
    folder = None if stored.location is None else local_folder(stored.location)
    if folder is None:
        _download(uri, stored, into)
    elif not (folder / "artifacts").is_dir() or (stored.predictor_files is None and not is_whole(stored)):
        raise _damaged(uri, stored)
    else:
        shutil.copytree(folder / "artifacts", into)


def _download(uri: str, stored: StoredVersion, into: Path) -> None:
    into.mkdir()
    words = [
        "-m",
        "mlflow",
        "artifacts",
        "download",
        "--artifact-uri",
        f"{stored.uri}/artifacts",
        "--dst-path",
        str(into),
    ]
    places = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_REGISTRY_URI": uri}
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *words], env={**os.environ, **places}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise ServiceError(
            f"{without_password(uri)}: fetching {stored.uri} failed: {lines[-1][:300] if lines else done.returncode}",
            "check that the server runs and has the version's files, then run the same command again",
        )
    if (into / "artifacts").is_dir():
        for item in (into / "artifacts").iterdir():
            item.rename(into / item.name)


def _damaged(uri: str, stored: StoredVersion) -> ServiceError:
    return ServiceError(
        f"{without_password(uri)}: the files of {stored.uri} are missing, or not those that were registered; not used",
        "tailtune register <use-case> stores the newest version's files again; or move the alias to another version",
    )


def _thin(home: Path) -> None:
    """Remove all but the versions that were used last."""
    there = sorted((path for path in home.iterdir() if path.is_dir()), key=lambda path: -path.stat().st_mtime)
    for old in there[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
