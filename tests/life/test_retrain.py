"""A retrain of a finished life: in a checkout of its own, through the gate, back as a branch, and only once."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from contextlib import closing

import pytest
from worlds import lives
from worlds.checkout import CLASSES, NAME, Checkout

from tailtune.config.paths import Paths
from tailtune.services import versions

pytestmark = pytest.mark.slow
TEXT = "nobody has seen my {} lately"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A finished life, the next of which is short; people have answered, and a killed retrain has left things."""
    lived, _ = lives.classification(tmp_path_factory)
    made = lived.copy(tmp_path_factory.mktemp("retrain") / "checkout")
    made.spec(ladder={"rungs": ["tfidf"]}, train={"when": "never"})
    made.spec(retrain={"labels_from": "new", "min_new_labels": 3})
    made.ok("git", "add", "-A")
    made.ok("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "a shorter life")
    answers = [{"text": TEXT.format(label), "label": label, "who": "Ana"} for label in CLASSES]
    (made.root / "new").mkdir()
    (made.root / "new" / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers), "utf-8")
    texts = [f"the hologram {n} on my desk flickers, number {n * n}" for n in range(40)]
    group = {"name": "hologram", "description": "A picture in the air.", "accept": True, "who": "Ben", "texts": texts}
    proposed = made.root / "new" / "proposed.yaml"
    proposed.write_text(json.dumps({"use_case": NAME, "proposed": [group]}), "utf-8")
    made.does("labels", NAME, "--from", str(proposed))
    left = made.root / ".run" / "retrain" / NAME / "checkout" / "build" / NAME
    left.mkdir(parents=True)
    (left / ".lock").write_text("process 1 (train, since 03:00:00)\nstarted by 1")
    return made.served(tmp_path_factory)


@pytest.fixture(scope="module")
def retrained(world: Checkout) -> str:
    """What it printed; somebody edits the checkout meanwhile, which stays as it is."""
    world.spec(retrain={"cooldown_days": 0})
    before = world.ok("git", "status", "--porcelain")
    assert before
    printed = world.ok("tailtune", "retrain", NAME, "--because", "labels")
    assert world.ok("git", "status", "--porcelain") == before
    assert not Paths(world.root).case(NAME).feedback.exists()
    return printed


def test_it_says_why_it_starts_and_what_came_of_it(retrained: str) -> None:
    for words in (
        "retrain starts: by labels, with 45 new labels",
        "missing                   value.error_usd",
        "median of 1 version in the ledger",
        "2 h a retraining × $75.00 an hour",
        "retrain v2: not promoted",
        "on the same rows, v1",
        "for machine and bought answers",
        "Next:  to keep its labels and reports: git merge retrain/inbox/",
    ):
        assert words in retrained, words


def test_it_comes_back_as_a_branch_that_the_version_names(world: Checkout, retrained: str) -> None:
    branch = retrained.rpartition("git merge ")[2].strip()
    changed = world.ok("git", "diff", "--name-only", f"HEAD...{branch}").split()
    labels = f"models/{NAME}/labels.yaml"
    assert {"data.dvc", "dvc.lock", f"reports/{NAME}/register.json"} <= set(changed)
    assert all(name.startswith(("data.dvc", "dvc.lock", "reports/", labels)) for name in changed)
    with closing(sqlite3.connect(world.root / "mlflow" / "store" / "mlflow.db")) as store:
        tags = dict(store.execute("SELECT key, value FROM model_version_tags WHERE version = 2").fetchall())
    assert tags["git_commit"] in world.ok("git", "log", "--format=%H", branch)
    assert tags["git_dirty"] == "false"
    pinned = versions.pinned_files(Paths(world.root), tags["data_hash"], NAME)
    assert pinned is not None
    content = versions.pinned_bytes(Paths(world.root), pinned["feedback.jsonl"])
    assert content is not None and all(TEXT.format(label).encode() in content for label in CLASSES)


def test_it_learns_a_class_that_a_person_accepted_before_anybody_committed_it(world: Checkout, retrained: str) -> None:
    branch = retrained.rpartition("git merge ")[2].strip()
    declared = (world.root / "models" / NAME / "labels.yaml").read_text()
    assert declared.endswith('hologram: "A picture in the air."\n')
    assert world.ok("git", "show", f"{branch}:models/{NAME}/labels.yaml") == declared
    curated = json.loads(world.ok("git", "show", f"{branch}:reports/{NAME}/curate.json"))
    assert curated["labels"]["hologram"] == curated["proposed_rows"] > 30


def test_what_it_has_learnt_from_starts_no_second(world: Checkout, retrained: str) -> None:
    """Although nobody has merged its branch."""
    assert retrained
    again = world.inside("retrain", NAME, "--because", "labels", "--dry-run")
    assert again.code == 0 and "would not start: 0 new labels, and 3 start a retrain" in again.out


def test_the_cool_down_holds_by_itself_and_not_by_hand(world: Checkout, retrained: str) -> None:
    assert retrained
    world.spec(retrain={"cooldown_days": 6})
    for way, starts in (("schedule", False), ("drift", False), ("hand", True)):
        printed = world.inside("retrain", NAME, "--because", way, "--dry-run").out
        assert ("retrain would start" in printed) == starts, printed
    assert "ended 0.0 days ago" in world.inside("retrain", NAME, "--because", "schedule", "--dry-run").out


def test_two_at_once_do_not_meet(world: Checkout, retrained: str) -> None:
    assert retrained
    with (world.root / ".run" / "retrain" / NAME / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = world.inside("retrain", NAME)
    assert second.code == 1 and f"another retrain of {NAME} is at work" in second.err


def test_an_unknown_way_in_is_named(world: Checkout) -> None:
    ended = world.inside("retrain", NAME, "--because", "luck")
    assert ended.code == 2 and "expected one of schedule, drift, labels, hand" in ended.err
