"""Groups of texts unlike any known one: a new topic is found whole, and known ones are left alone."""

from __future__ import annotations

import numpy as np

from predictors.test_novelty import around
from tailtune.predictors.unseen import unlike_groups


def topics(random: np.random.Generator, count: int) -> np.ndarray:
    made = random.normal(size=(count, 64))
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def known_rows(random: np.random.Generator, centres: np.ndarray) -> tuple[np.ndarray, list[str]]:
    vectors = [around(random, centres[place : place + 1], 40) for place in range(len(centres))]
    return np.concatenate(vectors), [f"class {place}" for place in range(len(centres)) for _ in range(40)]


def test_each_new_topic_is_a_group_of_its_own_and_known_ones_are_none() -> None:
    random = np.random.default_rng(1)
    centres = topics(random, 12)
    known, labels = known_rows(random, centres[:10])
    now = np.concatenate(
        [around(random, centres[:10], 300), around(random, centres[10:11], 40), around(random, centres[11:], 25)]
    )
    groups = unlike_groups(known, labels, now)
    first, second = (set(group.tolist()) for group in groups)
    assert first <= set(range(300, 340)) and len(first) > 36
    assert second <= set(range(340, 365)) and len(second) > 22
    assert unlike_groups(known, labels, now[:300]) == []


def test_a_topic_that_lies_between_known_ones_is_found_and_one_that_grew_is_not() -> None:
    random = np.random.default_rng(2)
    centres = topics(random, 8)
    known, labels = known_rows(random, centres)
    between = centres[:4].sum(axis=0, keepdims=True)
    now = np.concatenate([around(random, centres[:1], 200), around(random, centres, 200),
                          around(random, between / np.linalg.norm(between), 30)])  # fmt: skip
    (group,) = unlike_groups(known, labels, now)
    assert set(group.tolist()) <= set(range(400, 430)) and group.size > 24


def test_the_most_typical_stand_first() -> None:
    random = np.random.default_rng(3)
    centres = topics(random, 6)
    known, labels = known_rows(random, centres[:5])
    now = np.concatenate([around(random, centres[:5], 100), around(random, centres[5:], 30)])
    (group,) = unlike_groups(known, labels, now)
    near = now[group] @ now[group].mean(axis=0)
    assert list(near) == sorted(near, reverse=True)


def test_little_or_nothing_known_proposes_nothing() -> None:
    random = np.random.default_rng(4)
    centres = topics(random, 2)
    known, labels = known_rows(random, centres[:1])
    assert unlike_groups(known[:0], [], around(random, centres[1:], 40)) == []
    assert unlike_groups(known, labels, around(random, centres[1:], 5)) == []
    assert unlike_groups(known, ["a", "b"] * 20, around(random, centres[:1], 5)) == []
