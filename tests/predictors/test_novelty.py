"""How far a text lies from those that a model learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tailtune.predictors.novelty import CENTRES, Novelty


def around(random: np.random.Generator, topics: np.ndarray, rows: int) -> np.ndarray:
    """Unit vectors, each near one of the topics."""
    vectors = topics[random.integers(len(topics), size=rows)] + random.normal(0, 0.05, size=(rows, topics.shape[1]))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_topic_that_was_never_learnt_lies_further_away_than_known_ones() -> None:
    random = np.random.default_rng(1)
    topics = random.normal(size=(90, 64))
    topics /= np.linalg.norm(topics, axis=1, keepdims=True)
    novelty = Novelty.fit(around(random, topics[:80], 2000))
    usual = novelty.usual[95]
    known = [novelty.score(vector) > usual for vector in around(random, topics[:80], 300)]
    unseen = [novelty.score(vector) > usual for vector in around(random, topics[80:], 300)]
    assert np.mean(known) < 0.1
    assert np.mean(unseen) > 0.95


def test_what_was_saved_with_any_number_of_centres_scores_as_before(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    centres = np.eye(64, dtype=np.float32)
    Novelty(centres, np.linspace(0, 1, 101, dtype=np.float32)).save(tmp_path)
    loaded = Novelty.load(tmp_path)
    assert loaded is not None
    assert len(loaded.centres) == 64 != CENTRES
    assert loaded.score(centres[3]) == 0
    fitted = Novelty.fit(around(random, np.eye(8, 16), 9))
    fitted.save(tmp_path)
    again = Novelty.load(tmp_path)
    assert again is not None
    assert np.array_equal(again.centres, fitted.centres)


def test_a_predictor_without_the_file_has_none(tmp_path: Path) -> None:
    assert Novelty.load(tmp_path) is None
