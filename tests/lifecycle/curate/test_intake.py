from __future__ import annotations

from pathlib import Path
from typing import Any

from tailtune.config.paths import Paths
from tailtune.lifecycle.curate import Drops, row_id, tidy_test_rows, tidy_train_rows
from tailtune.services.sources import RawRow
from tailtune.tasks.base import Files
from tailtune.tasks.classification.config import ClassificationSpec, LabelSet
from tailtune.tasks.classification.task import Classification
from tailtune.tasks.use_case import UseCase

EMPTY: dict[str, Any] = {
    name: {} for name in ("split", "validate", "ladder", "prompt", "targets", "value", "train", "evaluate", "register")
}


def spec(**curate: Any) -> UseCase:
    data = {"file": "r.csv", "test_file": "t.csv"}
    spec = ClassificationSpec.model_validate({"task": "classification", "data": data, "curate": curate, **EMPTY})
    paths = Paths(Path()).case("x")
    return UseCase("x", paths, Classification(spec, LabelSet({"a": ""}), Files.of(paths, "labels.yaml")))


def raw(*texts: str) -> list[RawRow]:
    return [RawRow(text, "a", f"r:{number}") for number, text in enumerate(texts, 1)]


def test_empty_short_and_long_rows_are_dropped_with_their_length() -> None:
    drops = Drops()
    kept = list(tidy_train_rows(raw(" \u200b\n", "ab", "a" * 21, "just right"), spec(max_chars=20), drops))
    assert [tidy.row.text for tidy in kept] == ["just right"]
    assert [(row.origin, row.reason, row.detail) for row in drops.rows] == [
        ("r:1", "empty", ""),
        ("r:2", "too_short", "2 characters; expected at least 3"),
        ("r:3", "too_long", "21 characters; expected at most 20"),
    ]


def test_the_length_rule_holds_after_scrubbing_too() -> None:
    drops = Drops()
    assert list(tidy_train_rows(raw("10.10.10.10"), spec(min_chars=6), drops)) == []
    assert list(tidy_train_rows(raw("a@b.de c@d.de"), spec(max_chars=13), drops)) == []
    assert drops.counts() == {"too_short": 1, "too_long": 1}


def test_changes_are_noted_and_the_id_is_of_the_raw_row() -> None:
    (tidy,) = tidy_train_rows(raw(" mail  a@b.de"), spec(), Drops())
    assert tidy.row.text == "mail <email>"
    assert tidy.changes == ("whitespace", "email")
    assert tidy.row.id == row_id(RawRow(" mail  a@b.de", "a", "elsewhere:1"))
    assert tidy.row.id != row_id(RawRow("mail a@b.de", "a", "r:1"))
    assert len(tidy.row.id) == 16


def test_half_a_surrogate_pair_has_an_id() -> None:
    (tidy,) = tidy_train_rows([RawRow("cut off \ud83d", "a", "r:1")], spec(), Drops())
    assert tidy.row.text == "cut off \ufffd"


def test_rows_of_one_group_go_one_way() -> None:
    rows = [RawRow(f"text number {i}", "a", f"r:{i}", "customer 7") for i in range(50)]
    assert len({tidy.row.split for tidy in tidy_train_rows(rows, spec(), Drops())}) == 1


def test_test_rows_stay_unless_empty_and_have_ids_of_their_own() -> None:
    drops = Drops()
    kept = list(tidy_test_rows(raw("same", "same", "x", "long " * 500, " "), spec(), drops))
    assert [tidy.row.split for tidy in kept] == ["test"] * 4
    assert len({tidy.row.id for tidy in kept}) == 4
    assert kept[1].row.id == kept[0].row.id + "-2"
    assert [(row.reason, row.split) for row in drops.rows] == [("empty", "test")]
