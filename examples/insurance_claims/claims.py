"""What happened: the facts of one claim, of which its text will say some."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..dice import Dice
from . import surfaces
from .bank import Bank, Event, load
from .people import Customer, digits, email_of, full_name, phone_of

MOTOR_SHARE = 0.58
NAMED_ITEMS = 5
DRIVEN = (
    "collision_by_other",
    "collision_by_own",
    "collision_single",
    "collision_shared",
    "collision_disputed",
    "animal_motor",
)
"""Events in which the insured vehicle is driven, so that its driver and the road matter."""

_PROPERTY_POLICIES = {"house": "homeowners", "apartment": "renters"}

SPREADING = ("water", "fire", "flood")
"""Events that go through rooms."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One per claim: everything that could be said about it.

    Attributes:
        values: Field → true value; a field without a fact is not in it. `damaged_items` and `witnesses` hold lists.
        style: How its writer writes dates.
        dated: Whether the text will tell the day of the report, so that other dates can count from it.
    """

    customer: Customer
    event: Event
    received_at: datetime
    motor: bool
    values: Mapping[str, Any]
    style: surfaces.DateStyle
    dated: bool


@dataclass(slots=True)
class _Facts:
    dice: Dice
    customer: Customer
    values: dict[str, Any] = field(default_factory=dict)


def claim_of(bank: Bank, customer: Customer, received_at: datetime, channel: str, dice: Dice) -> Claim:
    """Draws the facts of one claim of a customer."""
    motor = dice.chance(MOTOR_SHARE)
    events = [event for event in bank.events if event.insured == ("motor" if motor else "property")]
    event = dice.weighted(events, [event.share for event in events])
    facts = _Facts(dice, customer)
    _dates(facts, received_at, channel)
    _parties(facts, event)
    _amounts(facts)
    _insured(facts, motor, event)
    _circumstances(facts, motor, event)
    facts.values.update(event.says)
    items = list(bank.words[event.items])
    picked = [items.pop(dice.below(len(items))) for _ in range(dice.between(1, NAMED_ITEMS))]
    facts.values["damaged_items"] = [
        item for item in picked if not any(item in other for other in picked if other != item)
    ]
    style = surfaces.date_style(customer.region, dice)
    return Claim(customer, event, received_at, motor, facts.values, style, dice.chance(0.75))


def _dates(facts: _Facts, received: datetime, channel: str) -> None:
    dice, values = facts.dice, facts.values
    late = dice.between(4, 20) if channel == "report" else dice.weighted((0, 1, 3), (90, 7, 3))
    report = received.date() - timedelta(days=late)
    gap = dice.weighted(tuple(range(15)), (14, 20, 12, 9, 8, 7, 6, 6, 4, 3, 3, 2, 2, 1, 3))
    loss = report - timedelta(days=gap)
    inspection = report + timedelta(days=dice.weighted(tuple(range(1, 13)), (10, 9, 9, 8, 8, 7, 6, 4, 3, 2, 1, 1)))
    hour = dice.weighted(tuple(range(24)), (1, 1, 1, 1, 1, 1, 3, 6, 8, 6, 6, 6, 8, 6, 6, 6, 8, 9, 7, 5, 4, 3, 3, 2))
    if gap == 0 and hour >= received.hour:
        hour = dice.below(received.hour + 1)
    minute = dice.pick((0, 0, 10, 15, 20, 30, 30, 40, 45, dice.below(60)))
    if gap == 0 and hour == received.hour:
        minute = 0
    values["report_date"] = report.isoformat()
    values["loss_date"] = loss.isoformat()
    values["inspection_date"] = inspection.isoformat()
    values["policy_number"] = facts.customer.policy_number
    values["policy_start_date"] = facts.customer.policy_start.isoformat()
    values["loss_time"] = f"{hour:02}:{minute:02}"
    values["claim_number"] = f"CL-{received:%y}-{digits(dice, 5)}"
    values["police_report_number"] = f"PR-{received.year}-{digits(dice, 5)}"


def _parties(facts: _Facts, event: Event) -> None:
    dice, values, customer = facts.dice, facts.values, facts.customer
    own = dice.chance(0.8)
    values["claimant_name"] = customer.name if own else full_name(dice)
    values["policyholder_name"] = full_name(dice) if own and dice.chance(0.5) else customer.name
    values["claimant_phone"] = customer.phone if own else phone_of(customer.region, dice)
    values["claimant_email"] = customer.email if own else email_of(values["claimant_name"], dice)
    values["adjuster_name"] = full_name(dice)
    values["witnesses"] = [full_name(dice) for _ in range(dice.pick((1, 1, 2, 2, 3)))]
    if event.name in DRIVEN and dice.chance(0.6):
        values["driver_name"] = full_name(dice)
    if event.says.get("third_party_involved"):
        values["third_party_name"] = full_name(dice)
        values["third_party_phone"] = phone_of(customer.region, dice)
        values["third_party_insurer"] = dice.pick(load().words["insurer"])


def _money(facts: _Facts, low: int, high: int, step: int) -> dict[str, Any]:
    dice = facts.dice
    amount = float(dice.between(low // step, high // step) * step)
    if dice.chance(0.25):
        amount += dice.between(1, 99) / 100
    return {"amount": round(amount, 2), "currency": surfaces.currency_of(facts.customer.region)}


def _amounts(facts: _Facts) -> None:
    dice = facts.dice
    step = dice.pick((10, 50, 100, 100))
    facts.values["claimed_amount"] = _money(facts, 300, 18_000, step)
    facts.values["repair_estimate"] = _money(facts, 200, 16_000, dice.pick((1, 10, 50, 100)))
    facts.values["deductible"] = {
        "amount": float(dice.pick((100, 150, 200, 250, 300, 500, 750, 1000, 1500))),
        "currency": surfaces.currency_of(facts.customer.region),
    }


def _insured(facts: _Facts, motor: bool, event: Event) -> None:
    dice, values = facts.dice, facts.values
    if motor:
        car = facts.customer.vehicle
        values |= {
            "vehicle_make": car.make,
            "vehicle_model": car.model,
            "vehicle_year": car.year,
            "vehicle_plate": car.plate,
            "vin": car.vin,
            "mileage": car.mileage,
            "policy_type": dice.weighted(("motor_comprehensive", "motor_third_party"), (6, 4)),
        }
        return
    if event.name in SPREADING:
        values["rooms_affected"] = dice.weighted((2, 3, 4, 5, 6, 8, 11), (12, 9, 6, 4, 2, 2, 1))
    place = facts.customer.place
    values |= {
        "property_type": place.kind,
        "property_street": place.street,
        "property_city": place.city,
        "property_postcode": place.postcode.replace(" ", ""),
        "policy_type": _PROPERTY_POLICIES.get(place.kind, "commercial"),
    }


def _circumstances(facts: _Facts, motor: bool, event: Event) -> None:
    """Draws the classified fields; what the event itself says comes on top of it."""
    dice, values = facts.dice, facts.values
    severity = dice.weighted(("minor", "moderate", "severe", "total_loss"), (29, 32, 25, 14))
    if event.says["peril"] != "theft":
        values["severity"] = severity
    values["police_notified"] = dice.chance(0.6)
    values["injuries"] = dice.chance(0.3)
    values["emergency_services"] = dice.chance(0.5)
    values["photos_attached"] = dice.chance(0.6)
    values["prior_claims"] = dice.chance(0.35)
    values["third_party_involved"] = not motor and dice.chance(0.4)
    if not motor:
        return
    values["drivable"] = severity in ("minor", "moderate") and dice.chance(0.75)
    if event.name in DRIVEN:
        warm = values["loss_date"][5:7] in ("05", "06")
        values["weather"] = dice.pick(("clear", "rain", "rain", "fog", "wind", *(() if warm else ("snow", "ice"))))
