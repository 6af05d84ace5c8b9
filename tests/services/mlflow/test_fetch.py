"""A version's files come whole and as they were registered into the cache, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.versions import MODEL, register
from tailtune.core.errors import ServiceError
from tailtune.services.mlflow import Tracker, connect
from tailtune.services.mlflow.fetch import KEPT, fetch
from tailtune.services.mlflow.lookup import StoredVersion, find
from tailtune.tasks.use_case import UseCase

pytestmark = THIRD_PARTY


@pytest.fixture
def predictor(tmp_path: Path) -> Path:
    folder = tmp_path / "tfidf"
    (folder / "weights").mkdir(parents=True)
    (folder / "predictor.json").write_text("{}")
    (folder / "weights" / "w.bin").write_bytes(b"w" * 1000)
    return folder


def there(uri: str, which: str) -> StoredVersion:
    stored = find(uri, MODEL, which)
    assert stored is not None
    return stored


def test_the_predictor_is_there_and_nothing_else(tracker: Tracker, uri: str, predictor: Path, tmp_path: Path) -> None:
    register(tracker, predictor, "champion", before=True)
    fetched = fetch(uri, there(uri, "@champion"), tmp_path / "cache")
    assert {path.name for path in fetched.rglob("*")} == {"predictor.json", "weights", "w.bin"}
    assert not list((tmp_path / "cache" / MODEL).glob(".part*"))


def test_a_cached_version_needs_no_store(tracker: Tracker, uri: str, predictor: Path, tmp_path: Path) -> None:
    _, folder = register(tracker, predictor)
    stored = there(uri, "1")
    fetched = fetch(uri, stored, tmp_path / "cache")
    folder.rename(tmp_path / "lost")
    assert fetch(uri, stored, tmp_path / "cache") == fetched


def test_a_damaged_copy_is_fetched_again(tracker: Tracker, uri: str, predictor: Path, tmp_path: Path) -> None:
    register(tracker, predictor)
    stored = there(uri, "v1")
    weights = fetch(uri, stored, tmp_path / "cache") / "weights" / "w.bin"
    weights.write_bytes(b"torn")
    assert fetch(uri, stored, tmp_path / "cache") / "weights" / "w.bin" == weights
    assert weights.read_bytes() == b"w" * 1000


@pytest.mark.parametrize("before", [False, True])
def test_damaged_files_are_refused_and_the_old_version_stays(
    tracker: Tracker, uri: str, predictor: Path, tmp_path: Path, before: bool
) -> None:
    cache = tmp_path / "cache"
    register(tracker, predictor)
    old = fetch(uri, there(uri, "1"), cache)
    _, folder = register(tracker, predictor, before=before)
    (folder / "artifacts" / "tfidf" / "weights" / "w.bin").write_bytes(b"x" * 1000)
    with pytest.raises(ServiceError, match="models:/stored-tickets/2 are missing, or not those that were registered"):
        fetch(uri, there(uri, "2"), cache)
    assert [path for path in (cache / MODEL).iterdir() if path.is_dir()] == [old]


def test_lost_files_are_refused(tracker: Tracker, uri: str, predictor: Path, tmp_path: Path) -> None:
    _, folder = register(tracker, predictor)
    folder.rename(tmp_path / "lost")
    with pytest.raises(ServiceError, match="missing"):
        fetch(uri, there(uri, "1"), tmp_path / "cache")


def test_the_versions_used_last_are_kept(uri: str, predictor: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for i in range(KEPT + 2):
        stored = StoredVersion("m", str(i), "r", "models:/m-1", None)
        folder = cache / "m" / f"{i}-m-1"
        folder.mkdir(parents=True)
        (folder / "predictor.json").write_text("{}")
        fetch(uri, stored, cache)
        os.utime(folder, (i, i))
    fetch(uri, StoredVersion("m", "3", "r", "models:/m-1", None), cache)
    assert sorted(path.name[0] for path in (cache / "m").iterdir() if path.is_dir()) == ["2", "3", "4", "5", "6"]


def test_what_a_killed_process_left_is_removed(tracker: Tracker, uri: str, predictor: Path, tmp_path: Path) -> None:
    left = tmp_path / "cache" / MODEL / ".part-x"
    left.mkdir(parents=True)
    register(tracker, predictor)
    fetch(uri, there(uri, "1"), tmp_path / "cache")
    assert not left.exists()


def test_neither_mlflow_nor_torch_is_imported(tracker: Tracker, uri: str, predictor: Path, tmp_path: Path) -> None:
    register(tracker, predictor, "champion")
    script = (
        "import sys; from pathlib import Path; from tailtune.services.mlflow.fetch import fetch;"
        "from tailtune.services.mlflow.lookup import find;"
        "fetch(sys.argv[1], find(sys.argv[1], 'stored-tickets', 'champion'), Path(sys.argv[2]));"
        "assert not {'mlflow', 'torch', 'pandas'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script, uri, str(tmp_path / "cache")], check=True)


@pytest.mark.servers
def test_from_a_servers_own_store(case: UseCase, server: str, predictor: Path, tmp_path: Path) -> None:
    tracker = connect(server, case)
    number, _ = register(tracker, predictor, "champion")
    stored = there(server, "champion")
    assert stored.version == number
    fetched = fetch(server, stored, tmp_path / "cache")
    assert {path.name for path in fetched.rglob("*")} == {"predictor.json", "weights", "w.bin"}
