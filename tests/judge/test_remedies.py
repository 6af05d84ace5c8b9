"""Remedies name what there is, and no more than a reader can take in."""

from __future__ import annotations

import pytest

from tailtune.judge.diagnose import FAULTS
from tailtune.judge.remedies import Places, remedy

PLACES = Places("toy", "p.md", "model.yaml", "labels.yaml", "data/toy", "failures.jsonl", lines={"a": 4})


def test_every_reason_has_a_remedy_that_names_a_file_or_a_command() -> None:
    assert FAULTS
    for reason in FAULTS:
        told = remedy(reason, [("a", "b")], ["a"], PLACES)
        assert any(place in told for place in ("p.md", "model.yaml", "labels.yaml", "data/toy", "stronger", "tailtune"))
    with pytest.raises(KeyError):
        remedy("bad luck", [], [], PLACES)


def test_a_line_that_is_not_known_is_not_made_up() -> None:
    told = remedy("ambiguous instructions", [("a", "b")], [], PLACES)
    assert "labels.yaml:4 and labels.yaml)" in told


def test_a_choice_is_found_at_its_fields_line() -> None:
    assert PLACES.line('a: "x"') == "labels.yaml:4"


def test_many_labels_are_counted_and_not_listed() -> None:
    told = remedy("retrieval missed", [], [f"label {n}" for n in range(10)], PLACES)
    assert "`label 2` and 7 more" in told
    assert "label 3" not in told


def test_who_has_no_stronger_model_is_told_to_declare_one() -> None:
    assert "role strong" in remedy("unexplained", [], [], PLACES)
