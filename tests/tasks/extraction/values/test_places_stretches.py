from __future__ import annotations

import pytest

from tailtune.tasks.extraction.schema import Kind
from tailtune.tasks.extraction.values.places import stretches


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("date", "on Thursday, 4 May 2026 or 2026-05-04, last Tuesday; two days ago.", 4),
        ("date", "Date:05/04/2026. the day before yesterday, May 4th, 2026", 3),
        ("date", "version 1.2, room 12, 85,000 miles", 0),
        ("time", "at 2:05 p.m., 14h05, around noon, half past two, 1405 hrs or seven o'clock", 6),
        ("time", "$14.50 and 85,000", 0),
        ("phone", "tel 404.555.0168 / 8 days, +44 20 7946 0958", 2),
        ("phone", "2026, 12, AB1234567", 0),
        ("email", "Ann.Lee@x-y.example.org, not @home or a@b", 1),
        ("number", "85,000 and twenty-five but not AB12", 2),
        ("text", "anything 12", 0),
    ],
)
def test_shapes(kind: Kind, text: str, found: int) -> None:
    assert len(list(stretches(kind, text))) == found


@pytest.mark.parametrize(
    "amount", ["$2.5k", "USD  1,250.00", "1.250,00 EUR", "£400", "twelve hundred dollars", "2,500 euros"]
)
def test_amounts_come_with_their_currency(amount: str) -> None:
    text = f"pay {amount}, please."
    assert text[slice(*next(iter(stretches("money", text))))] == amount


def test_ends_have_no_punctuation_but_that_of_pm() -> None:
    text = "at 2:05 p.m. or 3:05 pm."
    assert [text[slice(*at)] for at in stretches("time", text)] == ["2:05 p.m.", "3:05 pm"]
