from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.tasks.extraction.values.numbers import read_money
from tailtune.tasks.extraction.values.texts import Refusal

CODES = ("USD", "EUR", "GBP")


@pytest.mark.parametrize(
    ("surface", "amount", "code"),
    [
        ("$2.5k", 2500, "USD"), ("EUR 1.250,00", 1250, "EUR"), ("£400", 400, "GBP"),
        ("twelve hundred dollars", 1200, "USD"),
        ("USD1,250.00", 1250, "USD"), ("1,250.00 USD", 1250, "USD"), ("€1.250", 1250, "EUR"),
        ("about $3,400", 3400, "USD"),
        ("2,500 euros", 2500, "EUR"), ("1.2k dollars", 1200, "USD"), ("four hundred and fifty pounds", 450, "GBP"),
        ("$ 12 thousand", 12000, "USD"), ("1 250,50 EUR", 1250.5, "EUR"), ("$0", 0, "USD"), ("$400.-", 400, "USD"),
        ("US$3,400", 3400, "USD"), ("$15,00", 15, "USD"), ("two and a half thousand dollars", 2500, "USD"),
        ("1,5k €", 1500, "EUR"),
        ("three grand in dollars", 3000, "USD"), ("$1.2m", 1_200_000, "USD"), ("$2,500.00.", 2500, "USD"),
        ("-$5", -5, "USD"), ("$-5", -5, "USD"), ("-5 USD", -5, "USD"), ("−5,50 €", -5.5, "EUR"), ("USD -5", -5, "USD"),
        ("-2k USD", -2000, "USD"), ("EUR-500", 500, "EUR"), ("USD-5k", 5000, "USD"), ("+5 USD", 5, "USD"),
        ("5 dollarſ", 5, "USD"), ("5 tſd EUR", 5000, "EUR"), ("5 MİO EUR", 5e6, "EUR"), ("5 mıllıon $", 5e6, "USD"),
        ("$0.125", 0.125, "USD"), ("$.125", 0.125, "USD"), ("0,125 €", 0.125, "EUR"), ("1234.567 USD", 1234.567, "USD"),
        ("1.250,125 EUR", 1250.125, "EUR"), ("1,250.125 USD", 1250.125, "USD"), ("1e5 USD", 100_000, "USD"),
        ("CHF 1'250.00", 1250, None), ("JPY 3000", 3000, None), ("C$ 400", 400, None), ("$5 or €5", 5, None),
    ],
)  # fmt: skip
def test_amounts(surface: str, amount: float, code: str | None) -> None:
    read = read_money(surface, CODES, None)
    if code is None:
        assert isinstance(read, Refusal) and "none of USD, EUR, GBP" in read.reason
    else:
        assert read == {"amount": amount, "currency": code}


@pytest.mark.parametrize("surface", ["2.5k", "two grand", "400"])
def test_an_amount_without_currency_needs_the_usual_one(surface: str) -> None:
    assert isinstance(read_money(surface, CODES, None), Refusal)
    assert read_money(surface, CODES, "EUR") == {
        "amount": {"2.5k": 2500, "two grand": 2000, "400": 400}[surface],
        "currency": "EUR",
    }


def test_signs_of_several_currencies_mean_the_likeliest_that_is_valid() -> None:
    assert read_money("$5", ("CAD", "USD"), None) == {"amount": 5, "currency": "USD"}
    assert read_money("$5", ("CAD", "AUD"), None) == {"amount": 5, "currency": "CAD"}
    assert read_money("50 kr", ("DKK",), None) == {"amount": 50, "currency": "DKK"}


@pytest.mark.parametrize("surface", ["$1,200-1,500", "dollars", "", "$", "lots of $", "$a"])
def test_what_is_no_single_amount(surface: str) -> None:
    assert isinstance(read_money(surface, CODES, "USD"), Refusal)


@given(st.integers(0, 10**9), st.sampled_from(["$", "€", "£"]))
def test_cents_are_read_back(cents: int, sign: str) -> None:
    amount = cents / 100
    for surface in (f"{sign}{amount:,.2f}", f"{amount:,.2f} {sign}", f"{sign}{amount:.2f}"):
        assert read_money(surface, CODES, None) == {
            "amount": amount,
            "currency": {"$": "USD", "€": "EUR", "£": "GBP"}[sign],
        }
