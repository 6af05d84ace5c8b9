"""What fills a {slot}: names, dates, amounts and PII-like strings, all invented."""

from collections.abc import Callable

from tailtune.samples.support_tickets.bank import load
from tailtune.samples.support_tickets.dice import Dice

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
    numeric = f"2026-{month + 1:02}-{day:02}"
    return dice.pick(
        (f"{day} {months[month]}", f"{months[month]} {day}", f"{day:02}/{month + 1:02}", numeric)
    )


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
    gap = dice.pick((" ", "-", ""))
    return gap.join((f"4{_digits(dice, 3)}", _digits(dice, 4), _digits(dice, 4), _digits(dice, 4)))


def _iban(dice: Dice) -> str:
    return dice.pick(
        (
            f"DE{_digits(dice, 20)}",
            f"NL{_digits(dice, 2)} HALW {_digits(dice, 4)} {_digits(dice, 4)} {_digits(dice, 2)}",
        )
    )


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
