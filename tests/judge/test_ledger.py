"""Which version a cost belongs to, what labels cost, how long a change took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.ledger import CATEGORIES, Amount, Category, Curated, Entry, Facts, Ledger, Made
from tailtune.judge.ledger import priced, reckon, storage

HOUR = 3_600_000


def entry(at_h: float, usd: float | None = 1.0, category: Category = "training", **more: object) -> Entry:
    return Entry.model_validate({"at_ms": round(at_h * HOUR), "category": category, "what": "w", "usd": usd} | more)


def made(version: int, at_h: float, digest: str = "", quality: float | None = 0.9, promoted: bool = True) -> Made:
    return Made(
        version=str(version), made_ms=round(at_h * HOUR), rows_digest=digest, quality=quality, promoted=promoted
    )


def curated(at_h: float, digest: str, rows: int) -> Curated:
    ends = round(at_h * HOUR)
    return Curated(began_ms=ends - HOUR // 10, at_ms=ends, rows_digest=digest, rows_read=rows)


def bills(label_usd: float | None = 0.1, **facts: object) -> Ledger:
    return reckon("toy", "accuracy", Facts.model_validate(facts), label_usd)


def spent(ledger: Ledger) -> list[float]:
    return [bill.total.known_usd for bill in ledger.bills]


def test_a_cost_belongs_to_the_first_version_after_it() -> None:
    found = bills(
        entries=(entry(1, 1), entry(2, 2), entry(2.5, 4), entry(5, 8), entry(9, 16)),
        versions=(made(2, 6), made(1, 2)),
    )
    assert [bill.version for bill in found.bills] == ["1", "2", None]
    assert spent(found) == [3, 12, 16]
    assert found.total.known_usd == 31


def test_the_run_that_made_a_version_is_its_own_although_it_ended_later() -> None:
    found = bills(entries=(entry(2.1, 1, version="1"), entry(2.2, 2)), versions=(made(1, 2),))
    assert spent(found) == [1, 2]


def test_without_a_version_all_is_for_the_next() -> None:
    found = bills(entries=(entry(1, 1, "drift"),))
    assert [bill.version for bill in found.bills] == [None]
    assert found.bills[0].lines["drift"].usd == 1 and set(found.lines) == {"drift"}


def test_dollars_that_are_not_known_are_counted_and_make_the_sum_unknown() -> None:
    found = bills(
        entries=(entry(1, 1), entry(1, None), entry(1, None), entry(1, 3, "drift")),
        versions=(made(1, 2, quality=0.8), made(2, 3)),
    )
    training, total = found.bills[0].lines["training"], found.bills[0].total
    assert (training.known_usd, training.unknown, training.usd) == (1, 2, None)
    assert (total.known_usd, total.unknown, total.usd) == (4, 2, None)
    assert found.lines["drift"].usd == 3
    assert found.unknown == ("training: w (2 times)",)


def test_labels_are_the_rows_a_version_read_beyond_those_before_it() -> None:
    found = bills(
        curated=(curated(1, "a", 1000), curated(3, "wrong file", 9000), curated(4, "b", 1500), curated(7, "c", 1600)),
        versions=(made(1, 2, "a"), made(2, 5, "b"), made(3, 6, "b")),
    )
    assert [bill.lines["labelling"].rows if bill.lines else 0 for bill in found.bills] == [1000, 500, 0, 100]
    assert found.total.rows == 1600 and found.total.usd == pytest.approx(160)


def test_fewer_rows_give_no_labels_back() -> None:
    found = bills(
        curated=(curated(1, "a", 1000), curated(3, "b", 400), curated(5, "c", 1100)),
        versions=(made(1, 2, "a"), made(2, 4, "b"), made(3, 6, "c")),
    )
    assert [bill.total.rows for bill in found.bills] == [1000, 0, 100, 0]


def test_rows_whose_cost_a_person_entered_are_not_paid_twice() -> None:
    bought = entry(1, 50, "labelling", rows=600)
    found = bills(entries=(bought,), curated=(curated(1, "a", 1000),), versions=(made(1, 2, "a"),))
    assert found.bills[0].lines["labelling"].rows == 1000
    assert found.bills[0].total.usd == pytest.approx(50 + 400 * 0.1)


def test_hours_without_rows_come_on_top_and_are_told() -> None:
    named, hours = entry(1, 50, "labelling", rows=600), entry(3.5, 225, "labelling", hours=3)
    read = (curated(1, "a", 1000), curated(3, "b", 1500), curated(5, "c", 1600))
    versions = (made(1, 2, "a"), made(2, 4, "b"), made(3, 6, "c"))
    found = bills(entries=(named, hours), curated=read, versions=versions)
    assert [bill.total.rows for bill in found.bills] == [1000, 500, 100, 0], "rows are told, whoever paid"
    assert [bill.total.usd for bill in found.bills] == [pytest.approx(90), pytest.approx(275), pytest.approx(10), 0]
    (note,) = found.notes
    assert note.startswith("labelling: 1 entry without --rows on top of 1,000 rows × label price")
    assert bills(entries=(named,), curated=read, versions=versions).notes == ()
    assert bills(entries=(hours,)).notes == (), "there are no rows that it could pay twice"


def test_hours_for_something_else_stand_for_no_rows() -> None:
    found = bills(entries=(entry(1, 75, "curation", hours=1),), curated=(curated(1, "a", 1000),))
    assert found.total.usd == pytest.approx(175)


def test_rows_entered_before_their_data_came_are_not_paid_twice() -> None:
    found = bills(
        entries=(entry(1.5, 50, "labelling", rows=600),),
        curated=(curated(1, "a", 1000), curated(3, "b", 1900)),
        versions=(made(1, 2, "a"), made(2, 4, "b")),
    )
    assert [bill.total.rows for bill in found.bills] == [1000, 900, 0]
    assert found.bills[1].total.usd == pytest.approx(90)


def test_labels_without_a_price_are_not_known() -> None:
    found = bills(None, curated=(curated(1, "a", 1000),))
    assert found.total.usd is None and found.total.rows == 1000
    assert found.unknown == ("labelling: rows × label price",)


def test_what_a_version_gained_is_over_the_best_before_it() -> None:
    found = bills(
        entries=(entry(1, 10), entry(3, 10), entry(5, 30), entry(7, None)),
        versions=(
            made(1, 2, quality=0.9),
            made(2, 4, quality=0.88),
            made(3, 6, quality=0.93),
            made(4, 8, quality=0.95),
        ),
    )
    first, worse, better, unpriced, following = found.bills
    assert (first.gained, first.usd_per_point) == (None, None)
    assert worse.gained == pytest.approx(-0.02) and worse.usd_per_point is None
    assert better.gained == pytest.approx(0.03) and better.usd_per_point == pytest.approx(10)
    assert unpriced.gained == pytest.approx(0.02) and unpriced.usd_per_point is None
    assert (following.quality, following.gained) == (None, None)


def test_a_version_of_unknown_quality_gained_nothing_that_is_known() -> None:
    found = bills(versions=(made(1, 2, quality=0.9), made(2, 4, quality=None), made(3, 6, quality=0.91)))
    assert [bill.gained for bill in found.bills] == [None, None, pytest.approx(0.01), None]


def test_a_cycle_runs_from_new_rows_to_the_champion() -> None:
    found = bills(
        curated=(curated(1, "a", 10), curated(10, "b", 20), curated(11, "b", 20)),
        versions=(made(1, 2, "a"), made(2, 12, "b")),
    )
    assert [bill.cycle_hours for bill in found.bills] == [pytest.approx(1.1), pytest.approx(2.1), None]


def test_a_complaint_before_the_rows_starts_the_cycle_and_an_old_one_does_not() -> None:
    found = bills(
        curated=(curated(1, "a", 10), curated(10, "b", 20)),
        complaints_ms=(round(1.5 * HOUR), 5 * HOUR, 7 * HOUR, 11 * HOUR),
        versions=(made(1, 2, "a"), made(2, 12, "b")),
    )
    assert [bill.cycle_hours for bill in found.bills[:2]] == [pytest.approx(1.1), pytest.approx(7)]


def test_rows_that_the_last_champion_had_already_start_no_cycle() -> None:
    rows = (curated(1, "a", 10),)
    found = bills(curated=rows, versions=(made(1, 2, "a"), made(2, 12, "a")))
    assert found.bills[1].cycle_hours is None
    complained = bills(curated=rows, complaints_ms=(8 * HOUR,), versions=(made(1, 2, "a"), made(2, 12, "a")))
    assert complained.bills[1].cycle_hours == pytest.approx(4)


def test_who_did_not_become_champion_ends_no_cycle() -> None:
    found = bills(
        curated=(curated(1, "a", 10), curated(3, "b", 20)),
        versions=(made(1, 2, "a"), made(2, 4, "b", promoted=False), made(3, 6, "b")),
    )
    assert [bill.cycle_hours for bill in found.bills[:3]] == [pytest.approx(1.1), None, pytest.approx(3.1)]


def test_drift_checks_that_never_ran_are_said_to_be_missing() -> None:
    assert bills(entries=(entry(1),)).unmeasured == ("drift checks: none has run yet",)
    assert bills(entries=(entry(1),), stages=("monitor",)).unmeasured == ()


@given(
    st.lists(
        st.builds(
            lambda at, usd, category: entry(at, usd, category),
            st.integers(0, 100),
            st.none() | st.integers(0, 1000).map(float),
            st.sampled_from(list(CATEGORIES)),
        )
    ),
    st.lists(st.integers(1, 100), unique=True, max_size=6),
)
def test_nothing_vanishes_and_nothing_is_counted_twice(entries: list[Entry], times: list[int]) -> None:
    versions = tuple(made(number, at) for number, at in enumerate(sorted(times), 1))
    found = bills(entries=tuple(entries), versions=versions)
    assert len(found.bills) == len(versions) + 1
    assert sum(spent(found)) == found.total.known_usd == sum(one.usd or 0 for one in entries)
    assert sum(bill.total.unknown for bill in found.bills) == sum(one.usd is None for one in entries)
    for bill in found.bills:
        assert sum(line.known_usd for line in bill.lines.values()) == bill.total.known_usd
    assert sum(line.known_usd for line in found.lines.values()) == found.total.known_usd


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 300)), max_size=5),
    st.lists(st.integers(0, 100), max_size=3),
    st.lists(st.integers(1, 3000), min_size=1, max_size=4),
)
def test_entries_without_rows_change_no_row_and_no_price(
    named: list[tuple[int, int]], unnamed: list[int], read: list[int]
) -> None:
    """Entries cost nothing here, so that every dollar is one of the label price."""
    rowed = tuple(entry(at, 0.0, "labelling", rows=rows) for at, rows in named)
    hours = tuple(entry(at, 0.0, "labelling", hours=1) for at in unnamed)
    known = {
        "curated": tuple(curated(25 * n - 1, f"d{n}", rows) for n, rows in enumerate(read, 1)),
        "versions": tuple(made(n, 25 * n, f"d{n}") for n in range(1, len(read) + 1)),
    }
    alone, found = bills(entries=rowed, **known), bills(entries=(*rowed, *hours), **known)
    for before, after in zip(alone.bills, found.bills, strict=True):
        assert after.total.known_usd == before.total.known_usd
        assert after.total.rows == before.total.rows
    assert bool(found.notes) == (bool(unnamed) and alone.total.known_usd > 0)


@pytest.mark.parametrize(
    ("amount", "person", "label", "usd"),
    [
        (Amount(hours=3), 75.0, None, 225.0),
        (Amount(hours=3), None, 0.1, None),
        (Amount(usd=40), None, None, 40.0),
        (Amount(hours=2, usd=40), 50.0, None, 140.0),
        (Amount(hours=2, usd=40), None, None, None),
        (Amount(rows=500), None, 0.1, 50.0),
        (Amount(rows=500), 75.0, None, None),
        (Amount(hours=1, rows=500), 75.0, 0.1, 75.0),
        (Amount(usd=20, rows=500), 75.0, 0.1, 20.0),
        (Amount(), None, None, 0.0),
    ],
)
def test_what_a_person_added_has_a_price_or_none(
    amount: Amount, person: float | None, label: float | None, usd: float | None
) -> None:
    found = priced(amount, person, label)
    assert found == (None if usd is None else pytest.approx(usd))


def test_storage_is_todays_size_for_the_whole_time() -> None:
    found = storage(2_000_000_000, 365, 0.023, 7)
    assert (found.category, found.what, found.at_ms) == ("storage", "kept files", 7)
    assert found.usd == pytest.approx(2 * 0.023 * 12, rel=1e-3)
    assert storage(2_000_000_000, 365, None, 7).usd is None
    assert storage(2_000_000_000, -365, 0.023, 7).usd == 0, "begun while a clock was ahead"


def test_the_newest_curation_before_a_version_says_what_it_read() -> None:
    """Rows that are dropped, or go to test, change how many are read and not the digest of train and dev."""
    found = bills(
        curated=(curated(1, "a", 1000), curated(1.5, "a", 1100), curated(3, "a", 1300), curated(4, "a", 1450)),
        versions=(made(1, 2, "a"),),
    )
    assert [bill.total.rows for bill in found.bills] == [1100, 350]


def test_labels_at_a_default_price_are_noted() -> None:
    facts = Facts.model_validate({"curated": (curated(1, "a", 100),)})
    assert reckon("toy", "accuracy", facts, 0.08).notes == ()
    (note,) = reckon("toy", "accuracy", facts, 0.08, is_default=True).notes
    assert note.startswith("labelling: 100 rows at the default price of $0.080 a label; declare label_usd")


def test_rows_that_were_read_again_after_a_version_was_made_start_none_of_its_cycle() -> None:
    found = bills(curated=(curated(5, "a", 10),), versions=(made(1, 2, "a"),))
    assert found.bills[0].cycle_hours is None


def test_one_row_is_said_of_one_row() -> None:
    facts = Facts(curated=(curated(1, "a", 1),), versions=(made(1, 2, "a"),))
    (note,) = reckon("toy", "accuracy", facts, 0.1, is_default=True).notes
    assert note.startswith("labelling: 1 row at the default price")
