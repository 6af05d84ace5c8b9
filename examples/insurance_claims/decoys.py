"""What looks like a value and belongs to no field: other dates, amounts, people and numbers."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from ..dice import Dice
from . import surfaces
from .bank import load
from .claims import Claim
from .people import digits, full_name, letters, phone_of

Decoy = Callable[[Claim, Dice], str]


def _past(claim: Claim, dice: Dice) -> str:
    """A day long before the loss."""
    return surfaces.written_date(claim.received_at.date() - timedelta(days=dice.between(200, 1500)), claim.style, dice)


def _coming(claim: Claim, dice: Dice) -> str:
    """A day after the report."""
    return surfaces.written_date(claim.received_at.date() + timedelta(days=dice.between(15, 70)), claim.style, dice)


def _birth(claim: Claim, dice: Dice) -> str:
    return surfaces.written_date(date(1945, 1, 1) + timedelta(days=dice.below(20_000)), claim.style, dice)


def _near(claim: Claim, dice: Dice) -> str:
    """A day close to the loss that is not it: what is taken back later."""
    loss = date.fromisoformat(claim.values["loss_date"])
    return surfaces.written_date(loss - timedelta(days=dice.between(1, 3)), claim.style, dice)


def _spared(claim: Claim, dice: Dice) -> str:
    """A part or thing that is not damaged."""
    damaged = claim.values["damaged_items"]
    words = load().words["part" if claim.motor else "goods"]
    return dice.pick([word for word in words if not any(word in one or one in word for one in damaged)])


def _money(low: int, high: int) -> Decoy:
    def draw(claim: Claim, dice: Dice) -> str:
        amount = {"amount": float(dice.between(low, high)), "currency": surfaces.currency_of(claim.customer.region)}
        return surfaces.written_money(amount, dice)

    return draw


def _word(kind: str) -> Decoy:
    return lambda claim, dice: dice.pick(load().words[kind])


DECOYS: Mapping[str, Decoy] = {
    "d_past": _past,
    "d_coming": _coming,
    "d_birth": _birth,
    "d_near": _near,
    "d_fee": _money(40, 390),
    "d_price": _money(400, 9_000),
    "d_sum": _money(40_000, 400_000),
    "d_name": lambda claim, dice: full_name(dice),
    "d_last": _word("last"),
    "d_firm": lambda claim, dice: dice.pick(load().words["garage" if claim.motor else "builder"]),
    "d_insurer": _word("insurer"),
    "d_phone": lambda claim, dice: surfaces.written_phone(phone_of(claim.customer.region, dice), dice),
    "d_mail": lambda claim, dice: (
        f"{dice.pick(('office', 'info', 'claims', 'service', 'contact'))}@{dice.pick(load().words['domain'])}"
    ),
    "d_invoice": lambda claim, dice: f"{dice.pick(('INV', 'RE', 'Q', 'WO'))}-{digits(dice, 5)}",
    "d_policy": lambda claim, dice: letters(dice, 2) + digits(dice, 7),
    "d_part": _spared,
    "d_number": lambda claim, dice: str(dice.between(2, 9)),
}
"""Slot → how it is filled."""
