"""No labelled row is read: only the labels' own words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tailtune.tasks.classification.rungs import SHARPNESS, ZeroShot, described, unit
from tasks.classification.contract import Check, context, embed, keeps


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    if check.__name__ in ("a_class_without_rows_is_hardly_answered_and_shifts_nobody", "one_row_is_enough"):
        pytest.skip("reads no rows")
    check(ZeroShot, tmp_path / "rung")


def test_rows_make_no_difference() -> None:
    texts = ["money", "access"]
    assert np.array_equal(ZeroShot.fit(context()).probabilities(texts), ZeroShot.fit(context([])).probabilities(texts))
    assert ZeroShot.fit(context()).fit_rows == 0


def test_a_text_is_nearest_to_its_description() -> None:
    labels = {"billing": "money and invoices", "login": "access to the account"}
    rung = ZeroShot.fit(context([], labels))
    assert [a.value for a in rung.answer(["money and invoices", "access to account"])] == ["billing", "login"]
    sims = embed(["money"]) @ embed(["billing: money and invoices", "login: access to the account"]).T * SHARPNESS
    known = np.exp(sims) / np.exp(sims).sum()
    assert np.allclose(rung.probabilities(["money"]), known, atol=1e-5)


@pytest.mark.parametrize(
    ("label", "description", "read"),
    [
        ("refund_request", "Money back.", "refund request: Money back."),
        ("card-lost", "", "card lost"),
        ("card_lost", "Card lost", "card lost"),
    ],
)
def test_a_label_is_read_as_words(label: str, description: str, read: str) -> None:
    assert described(label, description) == read


def test_unit_rows_keep_a_zero_row() -> None:
    found = unit(np.array([[3, 4], [0, 0]], np.float32))
    assert np.allclose(found, [[0.6, 0.8], [0, 0]])
