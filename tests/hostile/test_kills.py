"""A process that is killed at a named point leaves nothing behind that the next run does not clear away or finish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.examples import make_case
from worlds import stores

from tailtune.config.paths import Paths
from tailtune.core.private import temporary_files_in
from tailtune.core.records import Cost
from tailtune.services import store, versions
from tailtune.services.mlflow import Charge, Tracker, connect, home, registry
from tailtune.services.mlflow.registry import Logged

pytestmark = THIRD_PARTY

GRAPH = """
stages:
  curate: {foreach: {toy: {}}, do: {cmd: make, deps: [rows.txt], outs: [build/toy/curate]}}
  ladder: {foreach: {toy: {}}, do: {cmd: make, outs: [build/toy/ladder]}}
"""


class Killed(BaseException):
    """Ends a process as SIGKILL does: nobody catches it."""


def killed(code: str, *words: str) -> None:
    """Carry out Python code in a process that kills itself at `die()`."""
    lead = "import os, signal, sys\ndef die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
    done = subprocess.run([sys.executable, "-c", lead + code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A checkout with two stages, of which the first has run."""
    from dvc.repo import Repo

    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = tmp_path / "checkout"
    (root / "build" / "toy").mkdir(parents=True)
    (root / "dvc.yaml").write_text(GRAPH, encoding="utf-8")
    (root / "rows.txt").write_text("one", encoding="utf-8")
    Repo.init(str(root), no_scm=True).close()
    paths = Paths(root)
    run(paths, "curate")
    return paths


def run(paths: Paths, stage: str) -> bool:
    def work(_: str) -> None:
        (paths.case("toy").stage(stage)).write_text("made", encoding="utf-8")

    return versions.run_stale(paths, stage, "toy", work)


@pytest.mark.parametrize("torn", ["", "schema: '2.0'\nstages:\n  curate@t", "schema: '2.0'\nstages:\n  ladder@toy:\n"])
def test_a_commit_that_was_cut_off_loses_no_stage(checkout: Paths, torn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.repo import Repo

    lock = checkout.dvc_yaml.with_name("dvc.lock")
    before = lock.read_bytes()

    def commit(*_: object, **__: object) -> None:
        lock.write_text(torn, encoding="utf-8")
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Repo, "commit", commit)
        run(checkout, "ladder")
    assert versions.is_stale(checkout, "toy") == ["ladder"]
    assert lock.read_bytes() == before
    assert not run(checkout, "curate")
    assert run(checkout, "ladder")
    assert versions.is_stale(checkout, "toy") == []


def test_the_first_commit_of_all_may_be_cut_off(checkout: Paths) -> None:
    lock = checkout.dvc_yaml.with_name("dvc.lock")
    lock.write_text("schema: '2.0'\nsta", encoding="utf-8")
    (checkout.root / ".dvc" / "tmp" / "dvc.lock.before").write_bytes(b"")
    assert run(checkout, "curate")


@pytest.mark.parametrize("torn", ["", '{"write": {"a": {"pi'])
def test_a_list_of_paths_in_use_that_was_cut_off_stops_nobody(checkout: Paths, torn: str) -> None:
    """DVC writes it in place before and after each stage, and reads it to say what is stale."""
    rwlock = checkout.root / ".dvc" / "tmp" / "rwlock"
    rwlock.write_text(torn, encoding="utf-8")
    assert versions.is_stale(checkout, "toy") == ["ladder"]
    rwlock.write_text(torn, encoding="utf-8")
    assert run(checkout, "ladder")


@pytest.mark.parametrize(
    ("command", "leaving"),
    [
        ("flows/lifecycle.py toy --parent 1 --server x", True),
        ("flows/lifecycle.py toy --parent {}", False),
        ("x", False),
    ],
)
def test_only_a_run_whose_command_was_killed_is_about_to_let_go(command: str, leaving: bool) -> None:
    assert versions._is_leaving(os.getpid(), command.format(os.getppid())) == leaving
    assert not versions._is_leaving(2**22 + 1, command)


def test_asking_git_takes_no_lock(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1", encoding="utf-8")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "start")
    os.utime(tmp_path / "src" / "a.py", (0, 0))  # git would note the new time in its index, under index.lock
    index = (tmp_path / ".git" / "index").read_bytes()
    assert not versions.git_dirty(tmp_path)
    assert (tmp_path / ".git" / "index").read_bytes() == index


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "report[1].json"
    writing = (
        "from pathlib import Path; from tailtune.services import store\n"
        "with store.written_whole(Path(sys.argv[1])) as part: part.write_text('half'); die()"
    )
    killed(writing, str(path))
    assert len(list(tmp_path.iterdir())) == 1
    mine = tmp_path / f".{path.name}.{os.getpid()}.part"
    other = tmp_path / f".{path.name}.{os.getppid()}.part"  # of a process that lives
    other.touch()
    store.write_json(path, {})
    assert set(tmp_path.iterdir()) == {path, other}
    assert not mine.exists()


def test_temporary_files_go_into_the_use_case_and_away(tmp_path: Path) -> None:
    folder, before = tmp_path / "build" / ".temporary", tempfile.gettempdir()
    killed(
        "from pathlib import Path; import tempfile; from tailtune.core.private import temporary_files_in\n"
        "with temporary_files_in(Path(sys.argv[1])): tempfile.mkdtemp(); die()",
        str(folder),
    )
    assert len(list(folder.iterdir())) == 1
    with temporary_files_in(folder):
        assert list(folder.iterdir()) == []
        assert Path(tempfile.mkdtemp()).parent == folder
    assert not folder.exists()
    assert tempfile.gettempdir() == before


def test_a_store_whose_making_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    """MLflow makes its tables one by one; a real kill in between took a fifth of the tries."""
    (tmp_path / ".mlflow.db.part").write_bytes(b"SQLite format 3\0 and no more")
    (tmp_path / ".mlflow.db.part-journal").write_bytes(b"torn")
    made: list[str] = []

    def tables(uri: str) -> None:
        made.append(uri)
        Path(uri.removeprefix("sqlite:///")).touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home, "_open", tables)
        patch.setattr(home, "_relocate", lambda *_: None)
        home.prepare(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert made[0].endswith(".mlflow.db.part")
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", ".made", ".lock"}


@pytest.fixture
def tracker(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Tracker]:
    """Makes trackers of one use case, as one process after another has them."""
    case = make_case(tmp_path / "project")
    stores.give(tmp_path_factory, case.paths.project.mlflow_store)
    return lambda: connect(f"sqlite:///{case.paths.project.mlflow_store / 'mlflow.db'}", case)


def stored_model(tracker: Tracker) -> Logged:
    """What `log_model` leaves, as small as it gets."""
    run_id = tracker.open_run("register", "m (not registered yet)")
    return Logged(run_id, tracker.client.create_logged_model(tracker.experiment_id, "m", source_run_id=run_id).model_id)


def models_left(tracker: Tracker) -> int:
    return len(tracker.client.search_logged_models([tracker.experiment_id]))


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_a_stored_model_without_a_version_goes_with_its_run(
    tracker: Callable[[], Tracker], registered: bool, how: str
) -> None:
    first, later = tracker(), tracker()
    logged = stored_model(first)
    if registered:
        registry.create(first, "m", logged, {}, "")
    if how == "interrupted":
        first.charge(Charge("register", "interrupted", Cost(wall_s=60, cpu_s=1, peak_memory_mb=1, usd=None)))
    later.open_run("register", "m (not registered yet)")
    assert later.client.get_run(logged.run_id).info.status == "KILLED"
    assert models_left(later) == registered
