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


def test_no_query_has_no_neighbours() -> None:
    empty = np.zeros((0, 8), dtype=np.float32)
    positions, cosines = nearest.nearest(empty, np.ones((3, 8), dtype=np.float32), 2)
    assert positions.shape == cosines.shape == (0, 2)
