"""Real DVC repositories in a temporary folder; the stages are one-line shell commands."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import chdir
from pathlib import Path

import pytest
from dvc.lock import LockError
from dvc.repo import Repo

from tailtune.config.paths import Paths
from tailtune.core.errors import BusyError, ServiceError, StageFailedError, UsageError
from tailtune.services import versions

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

DVC_YAML = """\
# Kept: this comment.
vars:
  - use_cases:
      toy: {answers: labels.yaml}

stages:
  first:
    foreach: ${use_cases}
    do:
      cmd: cat data/${key}/rows.txt > build/${key}/first.txt && echo first ran && echo aside >&2
      params:
        - models/${key}/model.yaml:
            - alpha
      deps:
        - data/${key}
      outs:
        - build/${key}/first.txt
      metrics:
        - reports/${key}/first.json:
            cache: false
  second:  # kept: this one too
    foreach: ${use_cases}
    do:
      cmd: sh second.sh ${key}
      params:
        - models/${key}/model.yaml:
            - beta
      deps:
        - build/${key}/first.txt
      outs:
        - build/${key}/second.txt
"""


def run(project: Paths, stage: str, use_case: str = "toy", force: bool = False) -> bool:
    """Run a stage by the command that the graph has for it."""

    def work(command: str) -> None:
        done = subprocess.run(command, shell=True, cwd=project.root, check=False)
        if done.returncode:
            raise StageFailedError(f"{stage}@{use_case}", done.returncode)

    return versions.run_stale(project, stage, use_case, work, force)


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(root), *who, *words], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = tmp_path / "project"
    for folder in ("models/toy", "data/toy", "build/toy", "reports/toy"):
        (root / folder).mkdir(parents=True)
    (root / "models/toy/model.yaml").write_text("alpha: 1\nbeta: 1\nother: 1\n")
    (root / "data/toy/rows.txt").write_text("one\n")
    (root / "dvc.yaml").write_text(
        DVC_YAML.replace("echo aside >&2", "echo aside >&2 && echo '{}' > reports/${key}/first.json")
    )
    (root / "second.sh").write_text("cp build/$1/first.txt build/$1/second.txt\n")
    (root / ".gitignore").write_text("/data/\n/build/\n")
    git(root, "init", "--quiet")
    Repo.init(str(root)).close()
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "start")
    return Paths(root)


def test_a_stage_runs_once_and_again_only_when_what_it_reads_changes(project: Paths) -> None:
    assert versions.is_stale(project, "toy") == ["first", "second"]
    assert run(project, "first")
    assert run(project, "second")
    assert versions.is_stale(project, "toy") == []
    assert not run(project, "first")

    spec = project.case("toy").model_yaml
    spec.write_text("alpha: 1\nbeta: 1\nother: 2  # read by no stage\n")
    assert versions.is_stale(project, "toy") == []
    spec.write_text("alpha: 1\nbeta: 2\nother: 2\n")
    assert versions.is_stale(project, "toy") == ["second"]
    assert not run(project, "first")
    assert run(project, "second")
    assert run(project, "first", force=True)


def test_dvc_says_nothing(project: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    run(project, "first")
    run(project, "first")
    heard = capfd.readouterr()
    assert heard.out == "first ran\n"
    assert heard.err == "aside\n"


def test_dvc_has_nothing_left_to_do_and_the_reverse(project: Paths) -> None:
    for stage in ("first", "second"):
        assert run(project, stage)
    with chdir(project.root), Repo(str(project.root)) as repo:
        assert repo.status() == {}
        assert repo.reproduce() == []
        ours = project.dvc_yaml.with_name("dvc.lock").read_bytes()
        assert len(repo.reproduce(force=True)) == 2
    assert project.dvc_yaml.with_name("dvc.lock").read_bytes() == ours
    assert not run(project, "first")
    assert not run(project, "second")


def test_nothing_git_ignores_already_gets_a_gitignore_of_its_own(project: Paths) -> None:
    run(project, "first")
    versions.pin_data(project)
    assert [path for path in project.root.rglob(".gitignore") if ".dvc" not in path.parts] == [
        project.root / ".gitignore"
    ]
    assert (project.root / ".gitignore").read_text() == "/data/\n/build/\n"


def test_a_stage_that_fails_stays_stale(project: Paths) -> None:
    run(project, "first")
    (project.root / "second.sh").write_text("exit 3\n")
    with pytest.raises(StageFailedError, match="second@toy"):
        run(project, "second")
    assert versions.is_stale(project, "toy") == ["second"]
    with pytest.raises(OSError, match="of the work"):
        versions.run_stale(project, "second", "toy", _raise_os_error)


def _raise_os_error(command: str) -> None:
    raise OSError("of the work, not of DVC")


def test_missing_files_name_the_next_command(project: Paths) -> None:
    with pytest.raises(UsageError, match=r"first\.txt.*not there") as caught:
        run(project, "second")
    assert caught.value.hint == "tailtune run toy"
    (project.data / "toy" / "rows.txt").unlink()
    (project.data / "toy").rmdir()
    with pytest.raises(UsageError, match="data/toy") as caught:
        run(project, "first")
    assert caught.value.hint == "dvc pull data.dvc"
    text = project.dvc_yaml.read_text().replace("toy: {", "support-tickets: {")
    project.dvc_yaml.write_text(text)
    (project.models / "toy").rename(project.models / "support-tickets")
    project.generator("support-tickets").parent.mkdir(parents=True)
    project.generator("support-tickets").touch()
    with pytest.raises(UsageError, match="data/support-tickets") as caught:
        run(project, "first", "support-tickets")
    assert caught.value.hint == "tailtune sample support-tickets"


def test_an_unknown_stage_or_use_case_points_to_dvc_yaml(project: Paths) -> None:
    for stage, use_case in (("nosuch", "toy"), ("first", "nosuch")):
        with pytest.raises(UsageError, match=r"dvc\.yaml"):
            run(project, stage, use_case)


def test_a_broken_dvc_yaml_is_an_error_with_a_place(project: Paths) -> None:
    project.dvc_yaml.write_text("vars: [\n")
    with pytest.raises((UsageError, ServiceError), match=r"dvc\.yaml"):
        run(project, "first")


def test_no_dvc_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no DVC repository"):
        run(Paths(tmp_path), "first")


def test_a_held_checkout_is_busy(project: Paths) -> None:
    with (project.root / ".dvc/tmp/lock").open("a+") as content:
        fcntl.flock(content, fcntl.LOCK_EX)
        program = (
            "import sys; from pathlib import Path; from tailtune.services import versions; "
            "from tailtune.config.paths import Paths; from tailtune.core.errors import BusyError\n"
            "versions._LOCKED_S = 0\n"
            "try: versions.run_stale(Paths(Path(sys.argv[1])), 'first', 'toy', print)\n"
            "except BusyError as error: print(error); sys.exit(7)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(project.root)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 7, done.stderr
    assert "wait for it" in done.stdout


def test_a_life_waits_for_another_dvc_command(
    project: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", 0.05)
    content = (project.root / ".dvc/tmp/lock").open("a+")
    fcntl.flock(content, fcntl.LOCK_EX)
    release = threading.Timer(0.4, content.close)
    release.start()
    assert run(project, "first")
    release.join()
    assert capsys.readouterr().err.count("another DVC command has the checkout; waiting for it") == 1


RUN = (
    "import subprocess, sys; from pathlib import Path; from tailtune.services import versions; "
    "from tailtune.config.paths import Paths\n"
    "work = lambda command: subprocess.run(command, shell=True, cwd=sys.argv[1])\n"
    "versions.run_stale(Paths(Path(sys.argv[1])), 'second', 'toy', work)"
)


def _start_slow_second(project: Paths) -> subprocess.Popen[bytes]:
    run(project, "first")
    started = project.root / "started"
    (project.root / "second.sh").write_text(f"touch {started}; sleep 30\n")
    process = subprocess.Popen([sys.executable, "-c", RUN, str(project.root)], start_new_session=True)
    deadline = time.monotonic() + 20
    while not started.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_a_second_run_is_busy_and_a_killed_one_blocks_nobody(project: Paths) -> None:
    process = _start_slow_second(project)
    try:
        with pytest.raises(BusyError, match=rf"process {process.pid}") as caught:
            run(project, "second")
        assert caught.value.hint is not None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert (project.root / ".dvc/tmp/rwlock").is_file()
    (project.root / "second.sh").write_text("cp build/$1/first.txt build/$1/second.txt\n")
    assert run(project, "second")
    assert versions.is_stale(project, "toy") == []


@pytest.mark.parametrize("left", ["torn", "reused"])
def test_a_torn_list_or_a_reused_process_number_blocks_nobody(project: Paths, left: str) -> None:
    run(project, "first")
    rwlock = project.root / ".dvc/tmp/rwlock"
    out = str(project.root / "build/toy/second.txt")
    holder = {"pid": os.getpid(), "cmd": "an earlier process"}
    rwlock.write_text('{"write": {' if left == "torn" else json.dumps({"write": {out: holder}}))
    if left == "reused":
        os.utime(rwlock, (1, 1))
    assert run(project, "second")


def test_data_is_pinned_by_hash(project: Paths) -> None:
    assert versions.data_hash(project) is None
    assert not versions.data_is_pinned(project)
    first = versions.pin_data(project)
    assert first.endswith(".dir")
    assert versions.data_hash(project) == first
    assert versions.data_is_pinned(project)
    (project.data / "toy" / "rows.txt").write_text("one\ntwo\n")
    assert not versions.data_is_pinned(project)
    assert versions.pin_data(project) != first
    (project.data / "toy" / "rows.txt").write_text("one\n")
    assert versions.pin_data(project) == first


def pinned_files(project: Paths) -> set[str]:
    """What data.dvc names, from DVC's cache."""
    digest = str(versions.data_hash(project))
    listing = project.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    return {entry["relpath"] for entry in json.loads(listing.read_text())}


def test_one_use_case_is_pinned_and_the_others_stay_in_the_pin(project: Paths) -> None:
    other = project.data / "other"
    other.mkdir()
    (other / "rows.txt").write_text("theirs\n")
    first = versions.pin_data(project)
    shutil.rmtree(other)
    assert not versions.data_is_pinned(project)
    assert versions.data_is_pinned(project, "toy")
    (project.data / "toy/rows.txt").write_text("edited\n")
    assert not versions.data_is_pinned(project, "toy")
    assert versions.pin_data(project, "toy") != first
    assert versions.data_is_pinned(project, "toy")
    assert pinned_files(project) == {"toy/rows.txt", "other/rows.txt"}
    (project.data / "toy/more.txt").write_text("more\n")
    (project.data / "toy/rows.txt").unlink()
    versions.pin_data(project, "toy")
    assert pinned_files(project) == {"toy/more.txt", "other/rows.txt"}


def test_a_pin_that_the_cache_does_not_know_is_not_replaced_by_less(project: Paths) -> None:
    (project.root / "models/other").mkdir()
    (project.root / "models/other/model.yaml").write_text("alpha: 1\n")
    versions.pin_data(project)
    before = project.data_dvc.read_bytes()
    shutil.rmtree(project.root / ".dvc/cache")
    (project.data / "toy/rows.txt").write_text("edited\n")
    with pytest.raises(UsageError, match="no rows of other"):
        versions.pin_data(project, "toy")
    assert project.data_dvc.read_bytes() == before


def test_what_a_remotes_own_library_raises_is_one_of_our_errors(
    project: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise EOFError("Could not connect to http://key:secret@127.0.0.1:9/dvc\nand more")

    monkeypatch.setattr(Repo, "push", away)
    with pytest.raises(ServiceError, match=r"does not answer as it should: EOFError: Could not") as raised:
        versions.push(project, "toy")
    assert "secret" not in raised.value.message


def test_pull_brings_what_was_pushed_to_a_remote(project: Paths, tmp_path: Path) -> None:
    assert versions.remote(project) is None
    config = project.root / ".dvc/config"
    config.write_text(f"[core]\n    remote = here\n['remote \"here\"']\n    url = {tmp_path / 'remote'}\n")
    assert versions.remote(project) == "here"
    versions.pin_data(project)
    for stage in ("first", "second"):
        run(project, stage)
    with Repo(str(project.root)) as repo:
        assert repo.push() > 0
    for gone in (project.data, project.root / "build", project.root / ".dvc/cache"):
        subprocess.run(["rm", "-r", str(gone)], check=True)
    assert versions.pull(project, "toy") > 0
    assert (project.root / "build/toy/second.txt").read_text() == "one\n"
    assert versions.data_is_pinned(project)
    assert versions.is_stale(project, "toy") == []


def test_pull_without_a_remote_is_an_error(project: Paths) -> None:
    versions.pin_data(project)
    for gone in (project.data, project.root / ".dvc/cache"):
        shutil.rmtree(gone)
    with pytest.raises(ServiceError, match="Checkout failed"):
        versions.pull(project, "toy")


def test_git_says_when_files_changed(project: Paths, tmp_path: Path) -> None:
    files = [project.root / "models/toy/model.yaml", project.root / "data.dvc", project.root / "models/toy/prompts"]
    before = versions.changes(project.root, files)
    assert len(before) == len(_log(project, *files))
    (files[0]).write_text("alpha: 7\n")
    (project.root / "README.md").write_text("not one of them\n")
    for name in ("models", "README.md"):
        _commit(project, name)
    after = versions.changes(project.root, files)
    assert after[: len(before)] == before and len(after) == len(before) + 1
    assert all(moment.tzinfo is not None for moment in after)
    assert versions.changes(project.root, files[2:]) == []
    assert versions.changes(tmp_path, [tmp_path / "x"]) == []


def test_changes_of_data_count_for_the_use_case_whose_rows_they_are(project: Paths) -> None:
    def pinned(name: str, text: str) -> str:
        (project.data / name).mkdir(exist_ok=True)
        (project.data / name / "rows.txt").write_text(text)
        versions.pin_data(project)
        _commit(project, "data.dvc")
        return str(versions.data_hash(project))

    assert versions.data_changes(project, "toy") == []
    pinned("toy", "one\n")
    pinned("other", "theirs\n")
    (project.data / "toy" / "more.txt").write_text("more\n")
    gone = pinned("other", "theirs again\n")
    pinned("toy", "two\n")
    pinned("other", "and again\n")
    assert len(_log(project, project.data_dvc)) == 5
    assert len(versions.data_changes(project, "toy")) == 3, "one of the five changed both"
    assert len(versions.data_changes(project, "other")) == 3
    assert versions.data_changes(project, "third") == []
    (project.case("toy").corrections).write_text("a label that was wrong\n")
    versions.pin_data(project)
    _commit(project, "data.dvc")
    assert len(versions.data_changes(project, "toy")) == 3, "what is right has not changed"
    assert set(versions.data_changes(project, "toy")) <= set(versions.changes(project.root, [project.data_dvc]))
    # Without a listing nobody can tell what that commit, and the one after it, changed.
    (project.root / ".dvc/cache/files/md5" / gone[:2] / gone[2:]).unlink()
    assert len(versions.data_changes(project, "toy")) == 1
    assert len(versions.data_changes(project, "other")) == 2


def test_without_dvc_nobody_knows_whose_rows_changed(project: Paths, tmp_path: Path) -> None:
    versions.pin_data(project)
    _commit(project, "data.dvc")
    shutil.rmtree(project.root / ".dvc")
    assert versions.data_changes(project, "toy") == []
    assert versions.data_changes(Paths(tmp_path), "toy") == []


def _log(project: Paths, *files: Path) -> list[str]:
    return subprocess.run(
        ["git", "-C", str(project.root), "log", "--format=%H", "--", *map(str, files)],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip


def _commit(project: Paths, name: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(project.root), "add", name], check=True)
    subprocess.run(["git", "-C", str(project.root), *who, "commit", "-q", "-m", name], check=True)


def test_git_says_which_code(project: Paths, tmp_path: Path) -> None:
    commit = versions.git_commit(project.root)
    assert commit is not None
    assert len(commit) == 40
    assert not versions.git_dirty(project.root)
    (project.root / "README.md").write_text("not code\n")
    assert not versions.git_dirty(project.root)
    (project.root / "models/toy/model.yaml").write_text("alpha: 5\n")
    assert versions.git_dirty(project.root)
    assert versions.git_commit(tmp_path) is None
    assert not versions.git_dirty(tmp_path)


def test_a_checkout_in_use_names_the_run_as_people_started_it(tmp_path: Path) -> None:
    """DVC knows the flow's command line, with addresses that say nothing to anybody."""
    for command, named in (
        ("/a b/flows/lifecycle.py claims --parent 4 --server http://127.0.0.1:9/api", "tailtune run claims"),
        ("dvc repro", "dvc repro"),
    ):
        error = LockError(f"'/a b' is busy, it is being blocked by:\n  (PID 4711): {command}")
        busy = versions._explained(error, Paths(tmp_path), "tickets", "ladder")
        assert isinstance(busy, BusyError)
        assert f"in use by process 4711 ({named}); one run" in busy.message
