"""Amounts with a currency: `$2.5k`, `EUR 1.250,00`, `£400`, `twelve hundred dollars`."""

from __future__ import annotations

import re

from tailtune.tasks.extraction.values.numbers import NUMBER, meanings, words_in
from tailtune.tasks.extraction.values.outcome import Refusal, shown
from tailtune.tasks.extraction.values.words import MULTIPLIERS

_DOLLARS = ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN")
_CROWNS = ("SEK", "NOK", "DKK", "ISK", "CZK")
# How a currency is said → the codes it may mean, the likeliest first. Longer ways stand before what they contain.
_SAID: dict[str, tuple[str, ...]] = {
    "us$": ("USD",),
    "ca$": ("CAD",),
    "c$": ("CAD",),
    "au$": ("AUD",),
    "a$": ("AUD",),
    "nz$": ("NZD",),
    "hk$": ("HKD",),
    "s$": ("SGD",),
    "r$": ("BRL",),
    "$": _DOLLARS,
    "dollars": _DOLLARS,
    "dollar": _DOLLARS,
    "bucks": _DOLLARS,
    "€": ("EUR",),
    "euros": ("EUR",),
    "euro": ("EUR",),
    "£": ("GBP",),
    "pounds": ("GBP",),
    "pound": ("GBP",),
    "sterling": ("GBP",),
    "quid": ("GBP",),
    "¥": ("JPY", "CNY"),
    "yen": ("JPY",),
    "yuan": ("CNY",),
    "rmb": ("CNY",),
    "₹": ("INR",),
    "rupees": ("INR", "PKR", "LKR"),
    "rs": ("INR", "PKR", "LKR"),
    "francs": ("CHF",),
    "sfr": ("CHF",),
    "kr": _CROWNS,
    "kronor": ("SEK",),
    "kroner": ("NOK", "DKK"),
    "zł": ("PLN",),
    "₩": ("KRW",),
    "₽": ("RUB",),
    "₺": ("TRY",),
    "₪": ("ILS",),
}
_CODES = re.findall(
    r"\w+",
    "USD EUR GBP CHF JPY CNY INR CAD AUD NZD SGD HKD MXN BRL SEK NOK DKK ISK CZK PLN HUF RON TRY ILS ZAR KRW RUB UAH "
    "AED SAR THB MYR IDR PHP VND PKR LKR EGP NGN KES ARS CLP COP PEN",
)
_SAID |= {code.lower(): (code,) for code in _CODES}
CURRENCY = re.compile(
    "|".join(
        rf"(?<![a-z]){re.escape(way)}(?![a-z])" if way[-1].isalpha() else re.escape(way)
        for way in sorted(_SAID, key=len, reverse=True)
    ),
    re.IGNORECASE,
)
"""Any way in which a currency is said."""
_ENDING = re.compile(r"[.,](?:-{1,2}|–|—)(?!\w)")


def read_money(surface: str, codes: tuple[str, ...], usual: str | None) -> dict[str, float | str] | Refusal:
    """The amount and currency that a surface says.

    Args:
        surface: White space collapsed.
        codes: Currencies that are valid.
        usual: The currency of an amount that says none; None refuses it.
    """
    code = _currency(surface, codes, usual)
    if isinstance(code, Refusal):
        return code
    amount = read_amount(surface)
    return amount if isinstance(amount, Refusal) else {"amount": amount, "currency": code}


def read_amount(surface: str) -> float | Refusal:
    """The one amount that a surface says, whatever its currency. `1.250` is twelve hundred and fifty here."""
    plain = CURRENCY.sub(" ", _ENDING.sub("", surface))
    found = list(NUMBER.finditer(plain))
    if len(found) > 1:
        return Refusal(f"more than one amount in {shown(surface)}")
    if not found:
        said = words_in(plain)
        return said if said is not None else Refusal(f"no amount in {shown(surface)}")
    digits, times = found[0]["digits"], found[0]["times"]
    sign = -1.0 if surface[0] in "-−" and digits[0] not in "-−" else 1.0
    if times:
        return sign * round(meanings(digits, False)[-1 if "," in digits else 0] * MULTIPLIERS[times.lower()], 6)
    from price_parser import Price

    price = Price.fromstring(digits)
    return Refusal(f"no amount in {shown(surface)}") if price.amount is None else sign * float(price.amount)


def _currency(surface: str, codes: tuple[str, ...], usual: str | None) -> str | Refusal:
    said = {way: _SAID[way] for way in (match.group().lower() for match in CURRENCY.finditer(surface))}
    if not said:
        return usual if usual is not None else Refusal(f"no currency in {shown(surface)}")
    possible = [code for code in codes if all(code in meant for meant in said.values())]
    if possible:
        return min(possible, key=lambda code: next(iter(said.values())).index(code))
    return Refusal(f"the currency of {shown(surface)} is none of {', '.join(codes)}")
