"""References of many shapes."""

from __future__ import annotations

import numpy as np
import pytest

from judge.drift.days import counted, sample
from tailtune.core.monitored import STRANGENESS, Sample
from tailtune.judge.drift import Limit, Reference, count, look, strangeness


def test_weights_of_all_statistics_add_up_to_less_than_one() -> None:
    reference = Reference.of(sample(np.random.default_rng(1), 1000), limits=(Limit("answer", 0.01),))
    fixed = sum(statistic.weight for statistic in reference.statistics)
    learned = reference.learned_weight("answer") + reference.learned_weight("embedding")
    assert fixed + learned == pytest.approx(1)


def test_made_again_it_is_the_same() -> None:
    rows = sample(np.random.default_rng(2), 600)
    first, second = Reference.of(rows), Reference.of(rows)
    assert repr(first.statistics) == repr(second.statistics), "limits may be NaN, which equals nothing"
    assert first.space is not None
    assert second.space is not None
    assert np.array_equal(first.space.centres, second.space.centres)


def test_labels_that_are_numbers_count_as_their_text() -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 5, size=400)
    seen = []
    for values in ([int(each) for each in labels], [str(each) for each in labels], labels):
        reference = Reference.of(Sample(400, {}, {"answer": values}))
        days = counted(reference, [Sample(400, {}, {"answer": [*values[:200], *values[:200]]})])
        seen.append(look(reference, days))
    assert seen[0].findings == seen[1].findings == seen[2].findings


@pytest.mark.parametrize("rows", [0, 1, 20])
def test_too_few_rows_are_not_measured(rows: int) -> None:
    reference = Reference.of(sample(np.random.default_rng(4), rows))
    assert not reference.statistics
    assert set(reference.not_measured) == {
        f"{measure}: the reference has it in {rows} rows, fewer than 50"
        for measure in ("answer", "embedding", "length")
    }
    seen = look(reference, counted(reference, [sample(np.random.default_rng(5), 100)]))
    assert np.isnan(seen.evidence)
    assert not seen.alarm


def test_without_embeddings_or_labels_the_rest_is_measured() -> None:
    rows = sample(np.random.default_rng(6), 100)
    reference = Reference.of(Sample(100, rows.numbers, {}))
    assert reference.not_measured == ("embedding: the reference has it in 0 rows, fewer than 50",)
    assert {statistic.measure for statistic in reference.statistics} == {"length"}


def test_rows_without_a_number_are_counted_apart() -> None:
    values = np.where(np.arange(200) % 4 == 0, np.nan, np.arange(200.0))
    reference = Reference.of(Sample(200, {"confidence": values}, {}))
    measured, *cuts = reference.statistics
    assert (measured.hits, measured.rows) == (150, 200)
    assert all(statistic.rows == 150 for statistic in cuts)


def test_a_number_that_never_changes_has_two_bounds() -> None:
    reference = Reference.of(Sample(200, {"unknown_share": np.zeros(200)}, {}))
    assert [(each.part, each.hits) for each in reference.statistics] == [
        ("measured", 200), ("below 0", 0), ("above 0", 0),
    ]  # fmt: skip
    days = counted(reference, [Sample(100, {"unknown_share": np.where(np.arange(100) < 20, 0.3, 0.0)}, {})])
    named = look(reference, days).findings[0]
    assert (named.part, named.more, named.alarm) == ("above 0", True, True)


def test_thousands_of_rare_categories_are_no_drift() -> None:
    random = np.random.default_rng(8)

    def draw(rows: int) -> Sample:
        return Sample(rows, {}, {"answer": [str(value) for value in random.zipf(1.3, size=rows) % 50_000]})

    reference = Reference.of(draw(3000))
    assert len(reference.statistics) < 5_010
    assert not look(reference, counted(reference, [draw(500) for _ in range(20)])).alarm


@pytest.mark.parametrize("tolerance", [-0.01, 0.6])
def test_a_tolerance_out_of_range_is_refused(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        Reference.of(sample(np.random.default_rng(1), 100), tolerance=tolerance)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="limit of latency_ms"):
        Reference.of(sample(np.random.default_rng(1), 100), limits=(Limit("latency_ms", 0.0, above=10.0),))


def test_strangeness_has_a_weight_of_its_own_and_only_more_of_it_counts() -> None:
    random = np.random.default_rng(11)

    def rows(count_: int, off: float) -> Sample:
        novelty, confidence = random.uniform(0.1, 0.5, count_) + off, random.uniform(0.6, 1.0, count_) - off
        made = sample(random, count_)
        numbers = {**made.numbers, "novelty": novelty, STRANGENESS: strangeness(novelty, confidence)}
        return Sample(count_, numbers, made.categories, made.embeddings)

    reference = Reference.of(rows(2000, 0.0))
    weights = {each.measure: 0.0 for each in reference.statistics}
    for each in reference.statistics:
        weights[each.measure] += each.weight
    assert weights[STRANGENESS] == pytest.approx(1 / 4), "as much as all other numbers, categories, the embedding"
    assert sum(weights.values()) + sum(map(reference.learned_weight, ("answer", "embedding"))) == pytest.approx(1)
    stranger, nearer = (look(reference, [count(reference, rows(500, off), 0, [])]) for off in (0.1, -0.1))
    by = [{each.part: each for each in seen.findings if each.measure == STRANGENESS} for seen in (stranger, nearer)]
    assert max(each.evidence for each in by[0].values()) > 1 and max(each.evidence for each in by[1].values()) == 0
