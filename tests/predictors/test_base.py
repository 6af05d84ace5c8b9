"""Remembered texts are not encoded again; while timing, everything is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tasks.classification.contract import embed

from tailtune.predictors.base import CachedEmbed, Floats


class Counting:
    """The stand-in encoder, counting the texts it is asked for."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> Floats:
        self.requests.append(list(texts))
        return embed(texts)


@pytest.fixture
def encoder() -> Counting:
    return Counting()


@pytest.fixture
def cached(encoder: Counting) -> CachedEmbed:
    made = CachedEmbed(encoder)
    made.remember(["a b", "c"], embed(["a b", "c"]))
    made.remember(["d", "c"], embed(["d", "c"]))
    return made


def test_remembered_texts_cost_no_encoding_and_keep_their_order(cached: CachedEmbed, encoder: Counting) -> None:
    assert np.array_equal(cached(["d", "a b", "c", "d"]), embed(["d", "a b", "c", "d"]))
    assert encoder.requests == []


def test_one_unknown_text_sends_the_batch_to_the_encoder(cached: CachedEmbed, encoder: Counting) -> None:
    assert np.array_equal(cached(["c", "new"]), embed(["c", "new"]))
    assert encoder.requests == [["c", "new"]]


def test_while_timing_the_encoder_does_the_work(cached: CachedEmbed, encoder: Counting) -> None:
    cached.timing = True
    cached(["c"])
    cached.timing = False
    cached(["c"])
    assert encoder.requests == [["c"]]


def test_nothing_asked_is_nothing_answered(cached: CachedEmbed) -> None:
    assert cached([]).shape == (0, 384)
