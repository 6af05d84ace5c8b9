from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.tasks.extraction.values.dates import read_date
from tailtune.tasks.extraction.values.texts import Refusal

TUESDAY = date(2026, 5, 12)


def iso(surface: str, anchor: date | None = None, day_first: bool = False, thorough: bool = True) -> str:
    read = read_date(surface, anchor, day_first, thorough)
    return read.isoformat() if isinstance(read, date) else f"?{' anchor' * read.needs_anchor}"


@pytest.mark.parametrize(
    "surface",
    [
        "2026-05-04", "2026/5/4", "2026.05.04", "20260504", "2026-05-04T09:12:00Z", "2026-05-04 14:05", "4 May 2026",
        "4th May 2026", "04 may, 2026", "the 4th of May 2026", "4-May-2026", "4.May.2026", "May 4, 2026",
        "May 4th 2026",
        "MAY 4 2026", "May. 4, 2026", "Mon, 4 May 2026", "Monday the 4th of May, 2026", "on 4 May 2026 at 5pm",
        "05/04/2026",
        "5/4/26", "5-4-2026", "04.05.2026", "4 May '26", "dated 4 May 2026.", "(4 May 2026)", "May the fourth, 2026",
        "fourth of May 2026", "4 Mav 2026", "4 May 2O26", "O4 May 2026", "4 May 2026, around 14:05",
    ],
)  # fmt: skip
def test_days_in_full(surface: str) -> None:
    assert iso(surface) == iso(surface, TUESDAY) == iso(surface, thorough=False) == "2026-05-04"


@pytest.mark.parametrize(
    ("surface", "day"),
    [
        ("today", "2026-05-12"),
        ("this morning", "2026-05-12"),
        ("earlier today", "2026-05-12"),
        ("yesterday", "2026-05-11"),
        ("yesterday evening", "2026-05-11"),
        ("last night", "2026-05-11"),
        ("the day before", "2026-05-11"),
        ("the day before yesterday", "2026-05-10"),
        ("tomorrow", "2026-05-13"),
        ("the day after tomorrow", "2026-05-14"),
        ("last Tuesday", "2026-05-05"),
        ("Tuesday", "2026-05-05"),
        ("on Monday", "2026-05-11"),
        ("Sunday night", "2026-05-10"),
        ("next Tuesday", "2026-05-19"),
        ("this coming Friday", "2026-05-15"),
        ("Friday last week", "2026-05-08"),
        ("Monday of next week", "2026-05-18"),
        ("two days ago", "2026-05-10"),
        ("2 days before I called", "2026-05-10"),
        ("a couple of days ago", "2026-05-10"),
        ("three weeks earlier", "2026-04-21"),
        ("a fortnight ago", "2026-04-28"),
        ("a month ago", "2026-04-12"),
        ("two years ago", "2024-05-12"),
        ("ten days ago", "2026-05-02"),
        ("in three days", "2026-05-15"),
        ("a week later", "2026-05-19"),
        ("4 May", "2026-05-04"),
        ("May 12", "2026-05-12"),
        ("12/28", "2025-12-28"),
        ("July 30th", "2025-07-30"),
        ("June 2", "2026-06-02"),  # three weeks ahead is likelier than a year ago
    ],
)
def test_days_that_count_from_another(surface: str, day: str) -> None:
    assert iso(surface, TUESDAY) == day
    assert iso(surface) == "? anchor"


@pytest.mark.parametrize(
    "surface",
    [
        "", "gibberish", "last week", "a few days ago", "recently", "may", "31 June 2026", "2026-02-29", "13/13/2026",
        "4 or 5 May", "between 4 May and 6 May 2026", "5", "2026", "May 2026", "14:05", "$400", "this year",
        "0000-01-01",
        "x" * 500,
    ],
)  # fmt: skip
def test_what_is_no_single_day(surface: str) -> None:
    assert iso(surface) == iso(surface, TUESDAY) == "?"


def test_days_come_first_where_that_is_said_or_nothing_else_fits() -> None:
    assert [iso("5/12/2026"), iso("5/12/2026", day_first=True), iso("5.12.2026")] == [
        "2026-05-12",
        "2026-12-05",
        "2026-12-05",
    ]
    assert iso("25/12/2026") == iso("12/25/2026", day_first=True) == "2026-12-25"


def test_dateparser_reads_the_rest_without_a_clock() -> None:
    assert iso("Tue May 12 14:05:00 2026") == "2026-05-12" == iso("Tue May 12 14:05:00 2026", date(1999, 1, 1))
    assert iso("Tue May 12 14:05:00 2026", thorough=False) == "?"
    assert iso("1 month 2 days ago", TUESDAY) == "2026-04-10"
    assert iso("1 month 2 days ago") == "? anchor"


def test_ends_of_months_and_leap_days() -> None:
    assert iso("a month ago", date(2026, 3, 31)) == "2026-02-28"
    assert iso("29 February", date(2026, 3, 1)) == "2024-02-29"
    assert iso("in 9999 years", TUESDAY) == "?"
    assert iso("yesterday", date.min) == "?"


def test_reasons_quote_the_surface() -> None:
    read = read_date("31 June 2026")
    assert isinstance(read, Refusal) and read.reason == "“31 june 2026” is no day of the calendar"


@given(st.dates(date(1970, 1, 1), date(2068, 12, 31)), st.dates(date(1990, 1, 1), date(2040, 1, 1)))
def test_every_day_is_read_back_from_every_common_form(day: date, anchor: date) -> None:
    for form in (
        "%Y-%m-%d",
        "%d %B %Y",
        "%B %d, %Y",
        "%m/%d/%Y",
        "%d.%m.%Y",
        "%d-%b-%Y",
        "%a %d %b %Y",
        "%A, %B %d %Y",
        "%m/%d/%y",
    ):
        assert read_date(day.strftime(form), thorough=False) == read_date(day.strftime(form), anchor) == day


@given(st.text(max_size=30), st.none() | st.dates())
def test_any_text_is_read_or_refused(text: str, anchor: date | None) -> None:
    read = read_date(text, anchor, thorough=False)
    assert isinstance(read, date | Refusal)


def test_common_forms_are_fast() -> None:
    forms = [
        "2026-05-04",
        "4 May 2026",
        "May 4th, 2026",
        "05/04/2026",
        "yesterday",
        "last Tuesday",
        "two days ago",
    ] * 100
    took = []
    for form in forms:
        began = time.perf_counter()
        read_date(form, TUESDAY)
        took.append(time.perf_counter() - began)
    assert sorted(took)[len(took) // 2] < 100e-6
