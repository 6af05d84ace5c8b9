"""How figures are written: units, digits, and nothing unmeasured or unknown that looks like a zero."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core import figures
from tailtune.core.records import Estimate
from tailtune.report import numbers

NAN = math.nan


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.931, "93.1 %"), (0, "0.0 %"), (1, "100.0 %"), (0.9996, "99.96 %"), (0.999999, "99.9999 %"), (NAN, "n/a")],
)
def test_a_share_is_written_in_percent(value: float, written: str) -> None:
    assert numbers.share(value) == written


@given(st.floats(0, 1, exclude_max=True))
def test_only_a_whole_share_reads_as_all(value: float) -> None:
    assert float(numbers.percent(value)) < 100


def test_one_thing_is_not_many() -> None:
    assert (numbers.counted(1, "month"), numbers.counted(12, "month")) == ("1 month", "12 months")


def test_an_interval_follows_its_value() -> None:
    assert numbers.with_interval(Estimate(value=0.931, low=0.922, high=0.939, rows=3080)) == "93.1 % (92.2–93.9)"
    assert numbers.with_interval(Estimate(value=0.5, low=NAN, high=NAN, rows=3)) == "50.0 % (n/a)"
    assert numbers.with_interval(Estimate(value=NAN, low=NAN, high=NAN, rows=0)) == "n/a"


def test_a_difference_has_a_sign_and_a_unit() -> None:
    found = Estimate(value=0.019, low=-0.008, high=0.03, rows=9)
    assert numbers.points_with_interval(found) == "+1.9 points (−0.8 to +3.0)"
    assert numbers.points(0.0001) == numbers.points(-0.0001) == "±0.0"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "not known"),
        (NAN, "n/a"),
        (0, "$0"),
        (0.0012, "$0.0012"),
        (0.000004, "<$0.00001"),
        (0.034, "$0.034"),
        (0.0999, "$0.10"),
        (0.5, "$0.50"),
        (1.239, "$1.24"),
        (12345.6, "$12,346"),
    ],
)
def test_dollars(value: float | None, written: str) -> None:
    assert numbers.usd(value) == written


@given(st.floats(1e-12, 1e9))
def test_a_price_above_nothing_never_reads_as_nothing(value: float) -> None:
    assert any(digit in numbers.usd(value) for digit in "123456789")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.6, "1.6 ms"),
        (0.04, "0.04 ms"),
        (0, "under 0.001 ms"),
        (0.0004, "under 0.001 ms"),
        (99.6, "100 ms"),
        (NAN, "n/a"),
    ],
)
def test_milliseconds(value: float, written: str) -> None:
    assert numbers.ms(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.84, "0.8 s"),
        (9.97, "10 s"),
        (59.6, "1 min 00 s"),
        (134, "2 min 14 s"),
        (3599.9, "1 h 00 min"),
        (3780, "1 h 03 min"),
        (NAN, "n/a"),
    ],
)
def test_durations(value: float, written: str) -> None:
    assert numbers.duration(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.82, "p = 0.82"), (0.0123, "p = 0.012"), (0.0042, "p = 0.0042"), (0.0, "p < 0.0001"), (NAN, "p n/a")],
)
def test_p_values_are_never_zero(value: float, written: str) -> None:
    assert numbers.p_value(value) == written


def test_memory_counts_and_words() -> None:
    assert numbers.memory(812.4) == "812 MiB"
    assert numbers.memory(1433.6) == "1.4 GiB"
    assert (numbers.counted(1, "row"), numbers.counted(12000, "row")) == ("1 row", "12,000 rows")
    assert numbers.words("near_duplicate") == "near duplicate"
    assert numbers.plain(NAN) == "n/a"


def test_moments_are_shown_in_utc() -> None:
    assert numbers.when("2026-11-23T18:40:09+01:00") == "2026-11-23 17:40 UTC"
    assert numbers.when("") == "n/a"
    assert numbers.when("yesterday") == "yesterday"


def test_a_reason_becomes_a_sentence() -> None:
    assert numbers.sentence(" better than before ") == "Better than before."
    assert numbers.sentence("Done!") == "Done!"
    assert numbers.sentence("") == "No reason was given."


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12345.6, "$12,346"), (-3.2, "−$3.20"), (-1200.0, "−$1,200"), (0.0, "$0"), (None, "not known"), (math.nan, "n/a")],
)
def test_sums_have_a_sign_and_no_cents_where_they_are_large(value: float | None, expected: str) -> None:
    assert numbers.usd(value) == expected


def test_a_price_has_its_interval_where_that_says_more() -> None:
    assert numbers.priced(0.42, 0.40, 0.44) == "$0.42 (0.40–0.44)"
    assert numbers.priced(0.42, 0.42, 0.42) == "$0.42" == numbers.priced(0.42, None, None)
    assert numbers.priced(None, None, None) == "not known"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("network_ms", 212.0, "network 212 ms"),
        ("retrieval_hit_share", 0.94, "retrieval hit 94.0 %"),
        ("train_rows", 8123.0, "train 8,123 rows"),
        ("seen_days", 74.2, "seen 74 days"),
        ("token_price_usd", 0.3, "token price $0.30"),
        ("strange", 3.14159, "strange 3.142"),
        ("usable_share", math.nan, "usable n/a"),
        ("ms", 3.0, "ms 3"),
    ],
)
def test_a_figure_is_shown_in_the_unit_of_its_name(name: str, value: float, expected: str) -> None:
    assert numbers.figure(name, value) == expected


def test_never_is_no_volume() -> None:
    assert [numbers.volume(one) for one in (6000.4, math.inf, math.nan)] == ["6,000", "no volume", "no volume"]


@pytest.mark.parametrize(
    ("value", "written"),
    [(6000, "6,000 requests a day"), (1, "1 request a day"), (0.3, "0.3 requests a day"), (0, "0 requests a day")],
)
def test_a_small_volume_is_not_none(value: float, written: str) -> None:
    assert numbers.requests_a_day(value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(1, "every day"), (30, "every 30 days"), (0.25, "every 0.25 days"), (365, "every 365 days")]
)
def test_how_often_is_said_in_days(value: float, written: str) -> None:
    assert figures.every(value) == written


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [("train_rows", 1, "train 1 row"), ("seen_days", 1, "seen 1 day"), ("seen_days", 90, "seen 90 days")],
)
def test_a_figure_of_one_is_not_of_many(name: str, value: float, written: str) -> None:
    assert numbers.figure(name, value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(0.04, "4.0 points"), (0.0005, "0.1 points"), (0.0003, "under 0.1 points")]
)
def test_what_is_just_short_is_not_short_of_nothing(value: float, written: str) -> None:
    assert numbers.points_short(value) == written
