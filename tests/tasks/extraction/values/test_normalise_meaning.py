from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.tasks.extraction.values import canonical, conform, equal, means
from tasks.extraction.values.schemas import EVERY

EUR = {"amount": 1250.0, "currency": "EUR"}


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("name", "Ana Díaz", ' ana  DÍAZ."', True),
        ("name", "Ana Díaz", "Ana Diaz", False),
        ("name", "Ana D\u00edaz", "Ana Di\u0301az", True),
        ("share", 0.1 + 0.2, 0.3, True),
        ("share", 0.3, 0.3001, False),
        ("mileage", 5, 5.0, True),
        ("claimed", EUR, {"currency": "EUR", "amount": 1250}, True),
        ("claimed", EUR, EUR | {"currency": "USD"}, False),
        ("claimed", EUR, EUR | {"amount": 1250.01}, False),
        ("peril", "fire", "Fire", False),
        ("injured", True, False, False),
        ("injured", False, None, False),
        ("items", ["Hood", "door"], ["door", "hood"], True),
        ("items", ["hood", "hood"], ["hood"], False),
        ("name", "...", ",", False),
    ],
)
def test_equal(name: str, one: Any, other: Any, same: bool) -> None:
    field = EVERY[name]
    assert equal(field, one, other) is equal(field, other, one) is same
    assert (canonical(field, one) == canonical(field, other)) is same
    hash(canonical(field, one))


@pytest.mark.parametrize(
    ("name", "answered", "expected", "same"),
    [
        ("report_date", "03/12/2026", "2026-03-12", True),
        ("report_date", "12 March 2026", "2026-03-12", True),
        ("report_date", "2026-03-13", "2026-03-12", False),
        ("loss_date", "yesterday", "2026-05-11", False),
        ("loss_time", "2:05 pm", "14:05", True),
        ("claimed", "€1.250,00", EUR, True),
        ("claimed", {"amount": "1,250", "currency": "€"}, EUR, True),
        ("claimed", 1250, EUR, False),
        ("paid", 1250, {"amount": 1250, "currency": "EUR"}, True),
        ("mileage", "85,000", 85000, True),
        ("phone", "(415) 555-0123", "+14155550123", True),
        ("email", "A@B.org", "a@b.org", True),
        ("peril", "Total Loss", "total_loss", True),
        ("injured", "yes", True, True),
        ("injured", 0, False, True),
        ("items", ["Door", " hood "], ["hood", "door"], True),
        ("items", ["door"], ["hood", "door"], False),
        ("items", "hood", "Hood", True),
        ("visits", ["11 May 2026"], ["2026-05-11"], True),
        ("name", None, "Ana", False),
        ("name", "Ana", None, False),
        ("name", None, None, True),
        ("name", ["Ana"], "Ana", False),
        ("mileage", {}, 5, False),
        ("mileage", float("nan"), 5, False),
    ],
)
def test_badly_written_answers_mean_what_they_say(name: str, answered: Any, expected: Any, same: bool) -> None:
    assert means(EVERY[name], answered, expected) is same


def test_lists_conform_item_by_item_and_tell_the_first_that_does_not() -> None:
    assert conform(EVERY["visits"], ["4 May 2026", "2026-05-05"]).value == ["2026-05-04", "2026-05-05"]
    assert "nonsense" in conform(EVERY["visits"], ["4 May 2026", "nonsense"]).reason
    assert conform(EVERY["visits"], []).value == []


def test_lists_conform_as_a_whole_too() -> None:
    assert conform(EVERY["items"], ["hood", "Hood ", "door"]).value == ["hood", "Hood ", "door"]
    assert conform(EVERY["items"], ["hood", "door", "hood"]).value == ["hood", "door"]
    assert "too long" in conform(EVERY["items"], ["one", "two", "three", "four"]).reason


_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["fire", "4 May 2026"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["amount", "currency"]), inner),
    max_leaves=4,
)


@given(_ANY, st.sampled_from(EVERY.names))
def test_any_answer_can_be_compared(value: Any, name: str) -> None:
    field = EVERY[name]
    assert isinstance(means(field, value, "x"), bool)
    hash(canonical(field, value))
    made = conform(field, value)
    assert not made.ok or means(field, made.value, made.value)
