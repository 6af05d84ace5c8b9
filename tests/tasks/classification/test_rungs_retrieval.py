"""The nearest labelled rows vote, exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tailtune.tasks.classification.rungs import SHARPNESS, Retrieval
from tasks.classification.contract import TEXTS, Check, accuracy, context, embed, keeps, rows


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    check(Retrieval, tmp_path / "rung")


@pytest.mark.parametrize("k", [1, 3, 10])
def test_votes_are_those_of_a_full_search(k: int) -> None:
    train = rows()
    rung = Retrieval.fit(context(train, neighbours=k))
    similarity = embed(TEXTS) @ embed([row.text for row in train]).T
    owner = [list(rung.labels).index(row.label) for row in train]
    for i, found in enumerate(rung.probabilities(TEXTS)):
        edge = np.sort(similarity[i])[-k]
        if (np.isclose(similarity[i], edge, atol=1e-6)).sum() > 1 and k < 10:
            continue  # a tie at the edge may go either way
        votes = np.zeros(3)
        for j in np.argsort(-similarity[i])[:k]:
            votes[owner[j]] += np.exp(similarity[i, j] * SHARPNESS)
        if not np.isclose(np.sort(-similarity[i])[k - 1], np.sort(-similarity[i])[k], atol=1e-6):
            assert found == pytest.approx(votes / votes.sum(), abs=1e-4)


def test_a_known_row_finds_itself() -> None:
    train = rows()
    rung = Retrieval.fit(context(train, neighbours=1))
    assert [a.value for a in rung.answer([row.text for row in train])] == [row.label for row in train]
    assert accuracy(rung) == 1


@pytest.mark.parametrize("k", [24, 25, 1000])
def test_more_neighbours_than_rows_ask_every_row(k: int, tmp_path: Path) -> None:
    rung = Retrieval.fit(context(neighbours=k))
    known = Retrieval.fit(context(neighbours=24)).probabilities(TEXTS)
    assert np.allclose(rung.probabilities(TEXTS), known, atol=1e-6)
    rung.save(tmp_path)
    assert np.allclose(Retrieval.load(tmp_path, embed).probabilities(TEXTS), known, atol=1e-6)


def test_blocks_of_queries_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    rung = Retrieval.fit(context())
    whole = rung.probabilities(TEXTS)
    monkeypatch.setattr("tailtune.predictors.nearest._BLOCK_ROWS", 2)
    assert np.allclose(rung.probabilities(TEXTS), whole, atol=1e-6)


def test_every_row_is_needed_to_answer() -> None:
    assert Retrieval.fit(context()).fit_rows == 24
