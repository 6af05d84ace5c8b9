"""The whole life of a tiny use case, as a user lives it: one run, then everything that must hold afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from worlds import lives
from worlds.checkout import NAME, Checkout

from tailtune.lifecycle.table import STAGES

NAMES = [stage.name for stage in STAGES]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    return lives.classification(tmp_path_factory)


@pytest.fixture
def mine(lived: tuple[Checkout, str], tmp_path: Path) -> Checkout:
    """A copy of the finished life, to be changed."""
    return lived[0].copy(tmp_path / "checkout")


def test_every_stage_reports_and_the_summary_tells(lived: tuple[Checkout, str]) -> None:
    checkout, printed = lived
    assert [name for name in NAMES if (checkout.reports / f"{name}.json").is_file()] == NAMES
    registered = checkout.report("register")
    assert registered["aliases"] == ["champion"] and registered["promotion"]["yes"]
    for words in ("Ladder", "Decision", "provisional", "Registered", "make ui", "decision.html", "tailtune serve"):
        assert words in printed, words
    page = checkout.root / registered["page"]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html") or page.stat().st_size > 10_000


def test_counts_add_up_through_the_stages(lived: tuple[Checkout, str]) -> None:
    checkout, _ = lived
    curated, ladder, evaluated = (checkout.report(name) for name in ("curate", "ladder", "evaluate"))
    assert curated["rows_read"] == curated["rows_kept"] + sum(curated["dropped"].values())
    assert curated["splits"] == {
        "train": ladder["train_rows"], "dev": ladder["dev_rows"], "test": evaluated["test_rows"],
    }  # fmt: skip
    dropped = (checkout.build / "curate" / "dropped.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(dropped) == sum(curated["dropped"].values())
    failures = (checkout.build / "evaluate" / "failures.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(failures) == evaluated["failures"]
    assert all(json.loads(line)["origin"].startswith("checkout.jsonl:") for line in failures)


def test_the_second_run_does_nothing(mine: Checkout) -> None:
    before = mine.stamps(NAMES)
    done = mine.run("tailtune", "run", NAME)
    assert done.returncode == 0
    assert mine.stamps(NAMES) == before
    assert done.stderr.count("fresh") == len(NAMES)


def test_dvc_sees_nothing_to_do(mine: Checkout) -> None:
    assert "up to date" in mine.ok("dvc", "status")
    before = mine.stamps(NAMES)
    mine.ok("dvc", "repro")
    assert mine.stamps(NAMES) == before


def test_push_and_pull_bring_everything_back(mine: Checkout, tmp_path: Path) -> None:
    mine.ok("dvc", "remote", "add", "-q", "-d", "--force", "local", str(tmp_path / "remote"))
    mine.ok("dvc", "push", "-q")
    for gone in (mine.build, mine.root / "data", mine.root / ".dvc" / "cache"):
        shutil.rmtree(gone)
    mine.ok("dvc", "pull", "-q")
    assert "up to date" in mine.ok("dvc", "status")


def test_a_changed_section_reruns_only_who_reads_it(mine: Checkout) -> None:
    """By `dvc repro` alone; a run finds nothing left to do then."""
    before = mine.stamps(NAMES)
    mine.spec(evaluate={"resamples": 300})
    mine.ok("dvc", "repro")
    after = mine.stamps(NAMES)
    assert {name for name in NAMES if after[name] != before[name]} == {"evaluate", "register"}
    assert mine.report("register")["version"] == "1", "the same model is not registered twice"
    done = mine.run("tailtune", "run", NAME)
    assert done.stderr.count("fresh") == len(NAMES)
    assert mine.stamps(NAMES) == after


@pytest.mark.servers
def test_a_closed_gate_stops_the_run(mine: Checkout, tmp_path_factory: pytest.TempPathFactory) -> None:
    shutil.rmtree(mine.reports)
    mine.spec(validate={"min_rows_per_class": 500})
    done = mine.served(tmp_path_factory).run("tailtune", "run", NAME)
    assert done.returncode == 3
    assert "500" in done.stderr and "refund" in done.stderr and "Next:" in done.stderr
    assert mine.report("validate")["passed"] is False
    assert not (mine.reports / "ladder.json").exists()
