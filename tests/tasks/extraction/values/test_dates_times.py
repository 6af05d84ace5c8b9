from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.tasks.extraction.values.dates import read_time
from tailtune.tasks.extraction.values.texts import Refusal


@pytest.mark.parametrize(
    ("surface", "value"),
    [
        ("14:05", "14:05"), ("14:05:30", "14:05"), ("14h05", "14:05"), ("14.05", "14:05"), ("1405 hrs", "14:05"),
        ("1405", "14:05"), ("2:05 pm", "14:05"), ("2:05PM", "14:05"), ("2.05 p.m.", "14:05"),
        ("at 2:05 in the afternoon", "14:05"),
        ("2 pm", "14:00"), ("12 pm", "12:00"), ("12 am", "00:00"), ("12:30 a.m.", "00:30"), ("9 am", "09:00"),
        ("17h", "17:00"),
        ("around noon", "12:00"), ("midnight", "00:00"), ("about 9 in the evening", "21:00"), ("11 at night", "23:00"),
        ("2 at night", "02:00"), ("just after 7 a.m.", "07:00"), ("approx. 8:15", "08:15"), ("~ 8:15", "08:15"),
        ("8 o'clock in the morning", "08:00"), ("seven o’clock", "07:00"), ("seven pm", "19:00"),
        ("two thirty pm", "14:30"),
        ("seven fifteen in the evening", "19:15"), ("half past two", "02:30"),
        ("quarter to five in the afternoon", "16:45"),
        ("ten past two", "02:10"), ("twenty minutes to 3 pm", "14:40"), ("quarter past noon", "12:15"),
        ("2:05", "02:05"),
    ],
)  # fmt: skip
def test_times_of_day(surface: str, value: str) -> None:
    assert read_time(surface) == value


@pytest.mark.parametrize(
    "surface", ["", "5", "25:00", "14:60", "6ish", "noonish", "between 2 and 3 pm", "later", "13 past", "x" * 99]
)
def test_what_is_no_time(surface: str) -> None:
    assert isinstance(read_time(surface), Refusal)


@given(st.times())
def test_every_minute_is_read_back(given_: object) -> None:
    for form in ("%H:%M", "%I:%M %p", "%Hh%M", "%H%M hrs"):
        assert read_time(given_.strftime(form)) == given_.strftime("%H:%M")  # type: ignore[attr-defined]
