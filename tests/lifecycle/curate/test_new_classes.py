"""Rows of accepted classes: in every split by their texts, labelled by a person, and never in two places."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailtune.core.errors import DataError
from tailtune.core.records import SPLITS, Row
from tailtune.services import store
from tailtune.services.corrections import Correction, write_corrections

from ..helpers import NAME, perform, project, rows

CONTENT = [("why was i charged two times for one order", "login"), ("please give me back the money", "refund")]
NEW = [f"{word} says that the hologram of number {n} flickers" for n, word in enumerate(["Ana", "Ben", "Cy"] * 20)]


def accepted(texts: list[str], label: str = "billing") -> list[Correction]:
    return [Correction(str(n), text, label, "Ana", "2026-11-01") for n, text in enumerate(texts)]


def test_they_go_to_every_split_as_labels_of_a_person(tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)}, split={"dev_share": 0.2, "test_share": 0.3},
                      curate={"near_duplicate_similarity": 1.0})  # fmt: skip
    write_corrections(context.paths.proposed, accepted([*NEW, CONTENT[0][0]]))
    report = perform("curate", context)
    found = [row for split in SPLITS for row in store.read_rows(context.paths.rows(split), split, NAME)]
    new = [row for row in found if row.origin.startswith("proposed.jsonl:")]
    assert report.proposed_rows == len(new) == len(NEW)
    assert {row.split for row in new} == set(SPLITS)
    assert all(row.label == "billing" and row.reviewed for row in new)
    assert report.dropped == {"duplicate_other_label": 1}
    assert report.corrected_rows == report.feedback_rows == report.audited_rows == 0
    again = perform("curate", context)
    assert again.splits == report.splits


def test_feedback_on_such_a_text_does_not_make_it_stand_twice(tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)}, split={"dev_share": 1e-9, "test_share": 1e-9})
    write_corrections(context.paths.proposed, accepted(NEW[:1]))
    write_corrections(context.paths.feedback, [Correction("1", NEW[0], "refund", "Ben", "2026-11-02")])
    perform("curate", context)
    found: list[Row] = list(store.read_rows(context.paths.rows("train"), "train", NAME))
    assert [row.label for row in found if row.text == NEW[0]] == ["refund"]


def test_a_class_that_is_not_declared_any_more_is_named(tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)})
    write_corrections(context.paths.proposed, accepted(NEW[:2], "relay"))
    with pytest.raises(DataError, match=r"proposed\.jsonl:1.*relay"):
        perform("curate", context)
