from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.progress import Silent
from tailtune.core.records import SPLITS, Row
from tailtune.lifecycle.validate.expectations import expectations
from tailtune.lifecycle.validate.tables import _splits, forms, near, same
from tailtune.tasks.extraction.annotations import Annotation

from ..helpers import project

LONG = "why does my transfer to another bank take more than three days"


def test_a_key_counts_only_when_it_stands_in_an_earlier_split() -> None:
    keys = ["a", "a", "b", "a", "c", "b", None, None]
    splits = ["train", "train", "train", "dev", "dev", "test", "train", "test"]
    assert same(keys, splits, list("12345678")) == [None, None, None, "1", None, "3", None, None]


def test_near_duplicates_count_over_splits_and_not_within() -> None:
    texts = [LONG, LONG + " ok", "something else that was asked", LONG + " ??", LONG + " so"]
    splits = ["train", "train", "dev", "dev", "test"]
    found = near(texts, splits, list("12345"), 0.85, Silent())
    assert found[:3] == [None, None, None]
    assert found[3] == "1"
    assert found[4] in {"1", "2", "4"}


def test_forms_are_equal_for_exact_repeats() -> None:
    one, other, third = forms(["Charged twice!", "charged  twice", "charged once"])
    assert one == other != third


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0, 1, 2])), max_size=20))
def test_something_is_found_exactly_when_a_key_stands_in_two_splits(pairs: list[tuple[str, int]]) -> None:
    pairs.sort(key=lambda pair: pair[1])
    splits = [["train", "dev", "test"][place] for _, place in pairs]
    found = same([key for key, _ in pairs], splits, [str(i) for i in range(len(pairs))])
    over = {key for key, _ in pairs if len({split for other, split in pairs if other == key}) > 1}
    assert {pairs[i][0] for i, origin in enumerate(found) if origin is not None} == over


def test_a_split_of_objects_without_a_value_has_nothing_to_be_measured_by(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}
    case = project(tmp_path, {"r.jsonl": b""}, schema=schema, data={"fields": "fields"}).case
    labels = {"train": Annotation({"name": "Ada"}), "dev": Annotation({}), "test": Annotation({"name": "Bob"})}
    rows = [Row(split, "a text", labels[split], f"r.jsonl:{split}", split) for split in SPLITS]
    assert _splits(case, rows)[["split", "rows"]].values.tolist() == [["train", 1], ["dev", 0], ["test", 1]]
    assert any(each.subject == "rows" and "rows with a field" in each.meaning for each in expectations(case))
