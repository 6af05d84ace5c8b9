"""`tailtune labels`: labels that people corrected are kept beside the rows, pinned, or refused as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from lifecycle.helpers import Heard, NoTracker, perform

from cli.checkout import Cli, tree, write
from tailtune.config.settings import Settings
from tailtune.lifecycle.context import Context
from tailtune.services import versions
from tailtune.services.mlflow import Tracker
from tailtune.tasks.use_case import load_use_case

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


def curated(cli: Cli) -> Any:
    case = load_use_case(cli.paths, "first")
    return perform("curate", Context(case, Settings(), Heard(), cast(Tracker, NoTracker())))


def test_corrected_labels_are_kept_pinned_and_counted_by_the_next_curation(cli: Cli, tmp_path: Path) -> None:
    curated(cli)
    review = write(
        tmp_path / "review.csv",
        [
            {"text": "a text about billing, number 0", "label": "refund", "who": "Ana"},
            {"text": "a text about login, number 0", "label": "login", "who": "Ben"},
        ],
    )
    ended = cli("labels", "first", "--from", review)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [
        f"{review}  2 labels by Ana, Ben",
        "data/first/corrections.jsonl  2 labels in all, pinned by data.dvc",
        "Next:  tailtune run first",
    ]
    assert versions.data_is_pinned(cli.paths, "first")
    assert "data/first/corrections.jsonl  ok, 2 corrected labels" in cli("check", "first").out
    report = curated(cli)
    assert (report.corrected_rows, report.confirmed_rows) == (1, 1)
    assert "has all of" in cli("labels", "first", "--from", review).out


def test_a_file_with_faults_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    curated(cli)
    before = tree(cli.paths.root)
    review = write(
        tmp_path / "review.csv", [{"text": "a text about billing, number 0", "label": "refun", "who": "Ana"}]
    )
    ended = cli("labels", "first", "--from", review)
    assert ended.code == 1
    assert f"{review}:2  label `refun` is not in models/first/labels.yaml; did you mean refund?" in ended.err
    assert tree(cli.paths.root) == before


def test_before_curation_there_are_no_rows_to_correct(cli: Cli, tmp_path: Path) -> None:
    review = write(tmp_path / "review.csv", [{"id": "0123456789abcdef", "label": "refund", "who": "Ana"}])
    ended = cli("labels", "first", "--from", review)
    assert ended.code == 1
    assert "Next:  tailtune curate first" in ended.err
