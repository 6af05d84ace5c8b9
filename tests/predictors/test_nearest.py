"""The nearest rows are those of a plain sort, whatever fits into a block."""

from __future__ import annotations

import numpy as np
import pytest

from tailtune.predictors import nearest


@pytest.mark.parametrize("block", [1, 7, 512])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_they_are_those_of_a_plain_sort(block: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_BLOCK_ROWS", block)
    generator = np.random.default_rng(0)
    queries, index = (generator.normal(size=(rows, 8)).astype(np.float32) for rows in (17, 40))
    positions, cosines = nearest.nearest(queries, index, count)
    similarity = queries @ index.T
    for query, row in enumerate(similarity):
        assert set(positions[query]) == set(np.argsort(-row)[:count])
        np.testing.assert_allclose(cosines[query], row[positions[query]], atol=1e-5)


def test_a_query_finds_among_others_what_it_finds_alone() -> None:
    """Rows that differ by less than a product's rounding: which are taken must not hang on what else is asked."""
    generator = np.random.default_rng(0)
    index = generator.normal(size=384) + 1e-4 * generator.normal(size=(40, 384))
    index = (index / np.linalg.norm(index, axis=1, keepdims=True)).astype(np.float32)
    positions, cosines = nearest.nearest(index[:11], index, 16)
    for query in range(11):
        alone = nearest.nearest(index[query : query + 1], index, 16)
        assert np.array_equal(alone[0][0], positions[query])
        assert np.array_equal(alone[1][0], cosines[query])


def test_of_equal_rows_the_first_are_taken() -> None:
    index = np.eye(4, dtype=np.float32)[[1, 0, 0, 2, 0, 0]]
    positions, cosines = nearest.nearest(index[1:2], index, 3)
    assert positions.tolist() == [[1, 2, 4]]
    assert cosines.tolist() == [[1.0, 1.0, 1.0]]


def test_no_query_has_no_neighbours() -> None:
    empty = np.zeros((0, 8), dtype=np.float32)
    positions, cosines = nearest.nearest(empty, np.ones((3, 8), dtype=np.float32), 2)
    assert positions.shape == cosines.shape == (0, 2)
