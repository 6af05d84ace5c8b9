"""What fills a {slot}: names, dates, amounts and PII-like strings, all invented."""

from collections.abc import Callable

from ..dice import Dice
from .bank import load

PLANS = ("Starter", "Team", "Business")
PLANS_AFTER_LAUNCH = ("Spark", "Grow", "Fleet")

Slot = Callable[[Dice], str]


def _word(kind: str, dice: Dice) -> str:
    """Draws one of the listed words of a kind."""
    return dice.pick(load().words[kind])


def _listed(kind: str) -> Slot:
    """Makes a slot that draws a listed word."""
    return lambda dice: _word(kind, dice)


def _digits(dice: Dice, count: int) -> str:
    return "".join(str(dice.below(10)) for _ in range(count))


def _ascii(name: str) -> str:
    return "".join(char for char in name.lower() if char.isascii() and char.isalpha()) or "info"


def _amount(dice: Dice) -> str:
    whole, cents = dice.between(9, 890), dice.pick(("", "", ".00", ".50", ".90", f".{dice.between(10, 99)}"))
    return dice.pick(
        (f"${whole}{cents}", f"€{whole}{cents}", f"£{whole}{cents}", f"{whole}{cents} EUR", f"{whole} euros")
    )


def _date(dice: Dice) -> str:
    months = load().words["month"]
    day, month = dice.between(1, 28), dice.below(12)
    numeric = f"{day:02}.{month + 1:02}.2025"
    return dice.pick((f"{day} {months[month]}", f"{months[month]} {day}", f"{day:02}/{month + 1:02}", numeric))


def _email(dice: Dice) -> str:
    first, last = _ascii(_word("person", dice)), _ascii(_word("surname", dice))
    return (
        dice.pick((f"{first}.{last}", f"{first}{dice.between(1, 99)}", "office", f"{first[0]}{last}"))
        + "@"
        + _word("domain", dice)
    )


def _phone(dice: Dice) -> str:
    return dice.pick(
        (
            f"+44 20 7946 0{_digits(dice, 3)}",
            f"+1 (202) 555-01{_digits(dice, 2)}",
            f"+49 30 {_digits(dice, 7)}",
            f"0{dice.between(10, 99)} {_digits(dice, 3)} {_digits(dice, 4)}",
        )
    )


def _card(dice: Dice) -> str:
    """A card-like number: 16 digits that pass the Luhn check, as a scrubber expects."""
    digits = "4" + _digits(dice, 14)
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(digits)]
    digits += str(-sum(number // 10 + number % 10 for number in doubled) % 10)
    return dice.pick((" ", "-", "")).join(digits[at : at + 4] for at in range(0, 16, 4))


def _iban(dice: Dice) -> str:
    """An IBAN of an invented bank, with its country's length and right check digits (ISO 7064, mod 97-10)."""
    country, bank, count = dice.pick((("DE", "", 18), ("NL", "HALW", 10)))
    account = bank + _digits(dice, count)
    check = 98 - int("".join(str(int(char, 36)) for char in f"{account}{country}00")) % 97
    iban = f"{country}{check:02}{account}"
    return dice.pick((iban, " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))))


SLOTS: dict[str, Slot] = {
    "amount": _amount,
    "date": _date,
    "month": _listed("month"),
    "n": lambda dice: str(dice.between(2, 9)),
    "m": lambda dice: str(dice.between(10, 48)),
    "order": lambda dice: dice.pick(("INV-", "HW-", "#", "ORD-2026-")) + _digits(dice, 5),
    "ref": lambda dice: dice.pick("ABCKRT") + "-" + _digits(dice, 4),
    "err": lambda dice: dice.pick(("E", "ERR_", "0x", "#")) + _digits(dice, 3),
    "person": _listed("person"),
    "surname": _listed("surname"),
    "company": _listed("company"),
    "email": _email,
    "phone": _phone,
    "card": _card,
    "card4": lambda dice: _digits(dice, 4),
    "iban": _iban,
    "app": _listed("app"),
    "cal": _listed("cal"),
    "device": _listed("device"),
    "team": _listed("team"),
    "file": _listed("file"),
    "period": lambda dice: dice.pick(("yearly", "annual", "quarterly")),
}


def plan_pair(dice: Dice, launched: bool) -> tuple[str, str]:
    """Draws a smaller and a bigger plan; most customers use the new plan names after the launch."""
    plans = PLANS_AFTER_LAUNCH if launched and dice.chance(0.75) else PLANS
    small = dice.below(2)
    return plans[small], plans[dice.between(small + 1, 2)]
