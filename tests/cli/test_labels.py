"""`tailtune labels`: labels that people corrected are kept beside the rows, pinned, or refused as a whole."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path
from typing import Any, cast

import pytest
from lifecycle.helpers import Heard, NoTracker, perform

from cli.checkout import Cli, tree, write
from tailtune.config.settings import Settings
from tailtune.core.records import SPLITS, Row
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.review_file import _cells
from tailtune.lifecycle.suspect_labels import FILE
from tailtune.services import store, versions
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


def suspect(cli: Cli, row: Row) -> None:
    """As the check of labels leaves a row whose label looks wrong."""
    file = cli.paths.case("first").stage("ladder") / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    line = {"id": row.id, "split": row.split, "text": row.text, "label": row.label, "likely_label": "refund"}
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps({**line, "origin": row.origin, "confidence": 0.91}) + "\n")


def test_rows_that_look_wrong_go_out_are_filled_in_and_come_back(cli: Cli, tmp_path: Path) -> None:
    curated(cli)
    case = cli.paths.case("first")
    some = [row for split in SPLITS for row in store.read_rows(case.rows(split), split, "first")][:3]
    for row in some:
        suspect(cli, row)
    review = tmp_path / "review.csv"
    ended = cli("labels", "first", "--out", review)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == f"{review}  3 rows whose label looks wrong, those of test and dev first"
    assert ended.out.splitlines()[-1] == f"Next:  tailtune labels first --from {review}"
    assert stat.S_IMODE(review.stat().st_mode) == 0o600
    assert "there already" in cli("labels", "first", "--out", review).err

    with review.open(encoding="utf-8-sig", newline="") as lines:
        filled = list(csv.DictReader(lines))
    assert [row["text"] for row in filled] == [row.text for row in some] and {
        row["label"] + row["who"] for row in filled
    } == {""}
    assert f"{review}:2  no line has a label and a name" in cli("labels", "first", "--from", review).err
    filled[0] |= {"label": "refund", "who": "Ana"}
    filled[1] |= {"label": filled[1]["label_now"], "who": "Ana", "id": "1.23457E+15"}  # as a spreadsheet may leave it
    write(review, filled)
    ended = cli("labels", "first", "--from", review)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == f"{review}  2 labels by Ana"
    assert cli("labels", "first", "--out", tmp_path / "rest.csv").out.startswith(f"{tmp_path / 'rest.csv'}  1 row ")


def test_a_spreadsheet_computes_nothing_that_a_customer_wrote() -> None:
    line = {"id": "0", "split": "test", "text": "=HYPERLINK(1)", "label": "-1", "likely_label": "ok", "confidence": 0.9}
    assert _cells(line)[2:5] == ["'=HYPERLINK(1)", "'-1", "ok"]


def test_one_of_out_and_from_is_expected(cli: Cli, tmp_path: Path) -> None:
    for options in ((), ("--out", "a.csv", "--from", "b.csv")):
        ended = cli("labels", "first", *options)
        assert ended.code == 2 and "expected one of --out FILE, --propose and --from FILE" in ended.err
    assert "no labels were checked yet" in cli("labels", "first", "--out", tmp_path / "a.csv").err
    assert "ends in .csv" in cli("labels", "first", "--out", tmp_path / "a.xlsx").err


def test_before_curation_there_are_no_rows_to_correct(cli: Cli, tmp_path: Path) -> None:
    review = write(tmp_path / "review.csv", [{"id": "0123456789abcdef", "label": "refund", "who": "Ana"}])
    ended = cli("labels", "first", "--from", review)
    assert ended.code == 1
    assert "Next:  tailtune curate first" in ended.err


PROPOSED = """\
use_case: first
proposed:
  - name: hologram
    description: A picture in the air.
    accept: yes
    who: Ana
    texts:
"""


def test_an_accepted_class_is_a_label_with_rows_of_every_split(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "proposed.yaml"
    texts = [f"the hologram on my desk, number {n} of {n * n}, flickers" for n in range(40)]
    file.write_text(PROPOSED + "".join(f"      - {json.dumps(text)}\n" for text in texts))
    ended = cli("labels", "first", "--from", file)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [
        f"{file}  hologram: 40 rows; by Ana",
        "models/first/labels.yaml  hologram: a new label",
        "data/first/proposed.jsonl  40 rows in all, for every split; pinned by data.dvc",
        "Next:  tailtune retrain first",
    ]
    assert versions.data_is_pinned(cli.paths, "first")
    assert "data/first/proposed.jsonl  ok, 40 rows of proposed classes" in cli("check", "first").out
    kept = [json.loads(line) for line in cli.paths.case("first").proposed.read_text().splitlines()]
    assert {row["who"] for row in kept} == {"Ana"} and all(row["at"] for row in kept)
    assert curated(cli).proposed_rows > 0
    assert "has all of" in cli("labels", "first", "--from", file).out


def test_a_class_with_too_few_texts_is_left_for_later(cli: Cli, tmp_path: Path) -> None:
    before, file = tree(cli.paths.root), tmp_path / "proposed.yaml"
    file.write_text(PROPOSED + "      - the hologram flickers\n")
    ended = cli("labels", "first", "--from", file)
    assert ended.code == 2 and "validate.min_rows_per_class is 8" in ended.err and "--days 56" in ended.err
    assert tree(cli.paths.root) == before


def test_nothing_is_proposed_before_anything_is_served(cli: Cli) -> None:
    ended = cli("labels", "first", "--propose")
    assert ended.code == 2 and not (cli.paths.root / "proposed-first.yaml").exists()
