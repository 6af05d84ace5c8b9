"""`tailtune feedback`: right answers become train rows, from a file or as people sent them to the server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cli.checkout import Cli, tree, write
from tailtune.config.settings import Settings
from tailtune.services import versions
from tailtune.services.prediction_log import LoggedFeedback, LoggedPrediction, Spool

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")
NOW_US = time.time_ns() // 1000


def served(cli: Cli, *sent: LoggedFeedback) -> None:
    """A server answered one request and was told what would have been right."""
    spool = Spool(Settings().spool_folder(cli.paths) / "first")
    row = LoggedPrediction(NOW_US, "first", "3", "model", "r1", 1.5, text="the bank charged me a fee", answer="login")
    assert spool.append([row])
    assert all(spool.append_feedback(feedback) for feedback in sent)
    spool.close()


def test_a_file_of_right_answers_is_kept_and_pinned(cli: Cli, tmp_path: Path) -> None:
    served(cli)
    answers = write(
        tmp_path / "answers.csv",
        [
            {"request_id": "r1", "text": "", "label": "billing", "who": "Ana"},
            {"request_id": "", "text": "who may reset my password", "label": "login", "who": "Ben"},
        ],
    )
    ended = cli("feedback", "first", "--from", answers)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"{answers}  2 answers by Ana, Ben",
        "data/first/feedback.jsonl  2 rows in all, for train only; pinned by data.dvc",
        "Next:  tailtune run first",
    ]
    assert "the bank charged me a fee" in cli.paths.case("first").feedback.read_text()
    assert versions.data_is_pinned(cli.paths, "first")
    assert "data/first/feedback.jsonl  ok, 2 rows from feedback" in cli("check", "first").out
    assert "has all of" in cli("feedback", "first", "--from", answers).out


def test_a_file_with_faults_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    before = tree(cli.paths.root)
    answers = write(tmp_path / "answers.csv", [{"request_id": "r1", "label": "biling", "who": "Ana"}])
    ended = cli("feedback", "first", "--from", answers)
    assert ended.code == 1
    assert f"{answers}:2  label `biling` is not in models/first/labels.yaml; did you mean billing?" in ended.err
    assert tree(cli.paths.root) == before


def test_what_people_sent_is_taken_in_once(cli: Cli) -> None:
    served(
        cli,
        LoggedFeedback(NOW_US, "first", "billing", "Ana", request_id="r1"),
        LoggedFeedback(NOW_US, "first", "nonsense", "Ben", text="who may reset my password"),
        LoggedFeedback(NOW_US, "other", "billing", "Ana", text="of another use case"),
    )
    lines = cli("feedback", "first").out.splitlines()
    assert lines[:2] == [
        "1 answer that people sent to the server",
        "data/first/feedback.jsonl  1 row in all, for train only; pinned by data.dvc",
    ]
    assert "not usable: label `nonsense` is not in models/first/labels.yaml" in lines[2]
    again = cli("feedback", "first").out
    assert again.startswith("0 answers"), "what cannot be used is named until it is deleted by age"
    assert cli.paths.case("first").feedback.read_text().count("\n") == 1


def test_where_nobody_sent_any_nothing_is_done(cli: Cli) -> None:
    before = tree(cli.paths.root)
    assert "nobody has sent feedback" in cli("feedback", "first").out
    assert tree(cli.paths.root) == before
