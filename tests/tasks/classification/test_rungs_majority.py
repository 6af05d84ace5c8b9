"""The floor: the shares of the labels, whatever the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailtune.tasks.classification.rungs import Majority
from tasks.classification.contract import Check, context, embed, keeps, rows


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    check(Majority, tmp_path / "rung")


def test_it_answers_the_most_frequent_label_with_its_share(tmp_path: Path) -> None:
    rung = Majority.fit(context([*rows(2, ["billing"]), *rows(6, ["export"])]))
    answer = rung.answer(["invoice"])[0]
    assert (answer.value, answer.confidence) == ("export", pytest.approx(0.75))
    assert rung.probabilities(["x"])[0].tolist() == pytest.approx([0.25, 0, 0.75])
    assert rung.fit_rows == 8


def test_a_tie_goes_to_the_first_label_of_the_set() -> None:
    assert Majority.fit(context(rows(3)[::-1])).answer(["x"])[0].value == "billing"


def test_it_never_asks_the_encoder(tmp_path: Path) -> None:
    def forbidden(_: object) -> None:
        raise AssertionError("asked")

    Majority.fit(context()).save(tmp_path)
    assert Majority.load(tmp_path, forbidden).answer(["x"])  # type: ignore[arg-type]
    assert embed(["x"]).shape == (1, 384)
