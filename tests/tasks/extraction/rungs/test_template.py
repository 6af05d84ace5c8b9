"""The nearest labelled example, laid over the query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tailtune.tasks.extraction.rungs.template import Template
from tasks.extraction.rungs.claims import ROWS, UNSEEN, context, labelled, share
from tasks.extraction.rungs.contract import Check, fitted, keeps


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    check(Template, tmp_path / "rung")


def test_set_phrases_are_read_from_examples() -> None:
    rung = fitted(Template)
    answers = rung.answer([row.text for row in UNSEEN])
    assert share(answers, UNSEEN, lambda name: name in ("name", "loss_date", "amount")) > 0.9
    assert share(answers, UNSEEN, lambda name: name in ("kind", "peril", "towed")) > 0.6
    assert rung.fit_rows == 84


def test_neighbours_vote_on_choices_and_on_what_is_absent() -> None:
    rows = [labelled(f"hail broke the roof {i}", {"kind": "call", "peril": "hail"}) for i in range(4)]
    rows.append(labelled("hail broke the roof on [loss_date|4 May 2026]", {"kind": "mail", "loss_date": "2026-05-04"}))
    (answer,) = Template.fit(context(rows)).answer(["hail broke the roof"])
    assert answer.values["kind"] == "call"
    assert answer.values["peril"] == "hail"
    assert 0.5 < answer.confidences["peril"] < 1
    assert answer.values["loss_date"] is None
    assert answer.confidences["loss_date"] == pytest.approx(answer.confidences["peril"], abs=1e-5)


def test_vectors_of_its_rows_are_kept_in_their_order(tmp_path: Path) -> None:
    """Prompts that look for near examples take them from here."""
    fitting = context(ROWS)
    Template.fit(fitting).save(tmp_path / "rung")
    kept = Template.load(tmp_path / "rung", fitting.embed).index
    assert np.array_equal(kept, fitting.embed([row.text for row in ROWS]))
