"""What is learnt from earlier days, and tested on later ones."""

from __future__ import annotations

import numpy as np
import pytest

from judge.drift.days import FIRST, LABELS, counted, sample
from tailtune.judge.drift import Reference, count
from tailtune.judge.drift.learned import births, directions, grown, is_learned, learned_weight


def test_weights_of_a_day_add_up_to_one_at_most() -> None:
    random = np.random.default_rng(1)
    reference = Reference.of(sample(random, 400))
    days = counted(reference, [sample(random, 100) for _ in range(40)])
    for measure in ("embedding", "answer"):
        sums = [
            sum(learned_weight(key) for key in day.counts if is_learned(key) and key.startswith(f"{measure}\t"))
            for day in days
        ]
        assert max(sums) == pytest.approx(1)
        assert sums[-1] == pytest.approx(1)


def test_what_is_tested_on_a_day_was_learnt_before_it() -> None:
    for schedule, birth in births(FIRST):
        assert FIRST - schedule.life < birth <= FIRST


def test_a_direction_is_learnt_from_earlier_days_alone() -> None:
    random = np.random.default_rng(2)
    reference = Reference.of(sample(random, 1000))
    days = counted(reference, [sample(random, 200, turned=1.0) for _ in range(8)])
    assert reference.space is not None
    learnt = list(directions(reference.space, FIRST + 7, days[:7]))
    assert learnt
    assert [each.key for each in learnt] == [each.key for each in directions(reference.space, FIRST + 7, days)]
    steepest = learnt[-1].axis / np.linalg.norm(learnt[-1].axis)
    assert steepest[0] > 0.9


def test_the_first_night_is_learnt_from_one_half_and_tested_on_the_other() -> None:
    random = np.random.default_rng(3)
    reference = Reference.of(sample(random, 1000))
    (day,) = counted(reference, [sample(random, 300, turned=1.0)])
    tested = {key: pair for key, pair in day.counts.items() if is_learned(key)}
    assert {rows for _, rows in tested.values()} == {150}
    highest = max(hits / rows - day.sums[key][0] / day.sums[key][1] for key, (hits, rows) in tested.items())
    assert highest > 0.15


def test_the_reference_is_tested_with_rows_that_it_was_not_learnt_from() -> None:
    random = np.random.default_rng(4)
    reference = Reference.of(sample(random, 2000))
    gaps = []
    for _ in range(20):
        days = counted(reference, [sample(random, 300) for _ in range(2)])
        gaps += [
            pair[0] / pair[1] - days[1].sums[key][0] / days[1].sums[key][1]
            for key, pair in days[1].counts.items()
            if is_learned(key) and key.startswith("answer\t")
        ]
    assert abs(np.mean(gaps)) < 0.02  # from the rows that it was learnt from, it would be several points


def test_categories_that_grew_are_gathered() -> None:
    random = np.random.default_rng(5)
    reference = Reference.of(sample(random, 1000))
    days = counted(reference, [sample(random, 300, grown=0.2) for _ in range(7)])
    categories = reference.categories["answer"]
    place = 2 + categories.names.index(LABELS[0])
    sure = [each for each in grown("answer", categories, FIRST + 7, days) if each.key.endswith(" 1")]
    assert sure
    assert all(each.chosen[place] for each in sure)


def test_too_few_rows_teach_nothing() -> None:
    random = np.random.default_rng(6)
    reference = Reference.of(sample(random, 400))
    days = counted(reference, [sample(random, 10), sample(random, 10)])
    assert not any(is_learned(key) for day in days for key in day.counts)


def test_nothing_is_learnt_from_a_day_that_is_not_over() -> None:
    random = np.random.default_rng(5)
    reference = Reference.of(sample(random, 1000))
    rows = sample(random, 300, turned=1.0)
    so_far = count(reference, rows, FIRST, [], is_over=False)
    whole = count(reference, rows, FIRST, [])
    assert not any(map(is_learned, so_far.counts))
    assert {key: pair for key, pair in whole.counts.items() if not is_learned(key)} == dict(so_far.counts)
    later = [count(reference, rows, FIRST + 1, [whole], is_over=is_over) for is_over in (False, True)]
    assert later[0] == later[1], "what earlier days taught is tested on it"
