"""The best legal sequence against every sequence there is."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailtune.tasks.extraction.tag_reading import best_tags, is_legal


def legal(tags: tuple[int, ...]) -> bool:
    """The rule, word by word."""
    pairs = zip((0, *tags), tags, strict=False)
    return all(tag == 0 or tag % 2 == 1 or before in (tag, tag - 1) for before, tag in pairs)


@st.composite
def scored(draw: st.DrawFn) -> np.ndarray:
    fields, words = draw(st.integers(0, 2)), draw(st.integers(1, 5))
    tags = 1 + 2 * fields
    values = draw(st.lists(st.integers(-3, 3), min_size=words * tags, max_size=words * tags))
    return np.array(values, dtype=np.float32).reshape(words, tags)


@settings(deadline=None)
@given(scored())
def test_no_legal_sequence_scores_more(scores: np.ndarray) -> None:
    def total(tags: tuple[int, ...]) -> float:
        return float(sum(scores[at, tag] for at, tag in enumerate(tags)))

    found = tuple(best_tags(scores).tolist())
    assert legal(found) and is_legal(np.array(found))
    everything = product(range(scores.shape[1]), repeat=len(scores))
    assert total(found) == max(total(tags) for tags in everything if legal(tags))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ((0, 1, 2, 2, 0), True),
        ((1, 1, 3), True),
        ((0, 2), False),
        ((2,), False),
        ((1, 4), False),
        ((1, 2, 0, 2), False),
        ((), True),
    ],
)
def test_an_inner_tag_continues_its_own_field(tags: tuple[int, ...], expected: bool) -> None:
    assert is_legal(np.array(tags, dtype=np.int64)) is expected


def test_a_legal_best_of_each_word_is_the_answer() -> None:
    scores = np.eye(5, dtype=np.float32)[[0, 1, 2, 3]]
    assert best_tags(scores).tolist() == [0, 1, 2, 3]
