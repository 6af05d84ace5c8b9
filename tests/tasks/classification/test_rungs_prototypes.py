"""A few examples per class, chosen so that other rows do not change the choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tailtune.core.records import Row
from tailtune.tasks.classification.rungs import Prototypes, few_per_class
from tasks.classification.contract import Check, accuracy, context, embed, keeps, rows


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    check(Prototypes, tmp_path / "rung")


def test_few_examples_tell_easy_classes_apart() -> None:
    rung = Prototypes.fit(context(shots=4))
    assert accuracy(rung) >= 0.8
    assert rung.fit_rows == 12


def test_a_prototype_is_the_unit_mean_of_the_chosen_rows() -> None:
    train = rows(8)
    rung = Prototypes.fit(context(train, shots=3))
    for j, label in enumerate(rung.labels):
        chosen = sorted((row for row in train if row.label == label), key=lambda row: row.id)[:3]
        mean = embed([row.text for row in chosen]).mean(axis=0)
        assert np.allclose(rung.vectors[j], mean / np.linalg.norm(mean), atol=1e-5)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 999), st.sampled_from("ab")), unique_by=lambda item: item[0]), st.integers(1, 4)
)
def test_examples_are_chosen_by_id_not_by_place(items: list[tuple[int, str]], shots: int) -> None:
    made = [Row(f"{i:03}", "t", label, "f:1") for i, label in items]
    found = few_per_class(made, shots)
    assert set(found) == set(few_per_class(made[::-1], shots))
    for label in "ab":
        ids = sorted(row.id for row in made if row.label == label)
        assert sorted(row.id for row in found if row.label == label) == ids[:shots]
