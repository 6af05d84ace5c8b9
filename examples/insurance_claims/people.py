"""Who has a policy and what is insured: a customer is the same person in all of their claims."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

from ..dice import Dice
from .bank import load

CUSTOMERS = 9_000
Region = Literal["us", "uk", "de"]

_CUSTOMER_SEED = 4_711_000
_REGIONS: tuple[Region, ...] = ("us", "uk", "de")
_REGION_SHARES = (70, 18, 12)
_LETTERS = "ABCDEFGHJKLMNPRSTVWXYZ"
_VIN_CHARS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_US_AREAS = (205, 212, 303, 312, 404, 415, 503, 512, 602, 617, 702, 713, 801, 805, 913, 919)
_UK_AREAS = ("20 7946 0", "117 496 0", "121 496 0", "113 496 0", "161 496 0", "29 2018 0")
_DE_AREAS = ("30", "40", "89", "69", "221", "341")


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One per customer: their car."""

    make: str
    model: str
    year: int
    plate: str
    vin: str
    mileage: int


@dataclass(frozen=True, slots=True)
class Place:
    """One per customer: the building that is insured, or what is in it."""

    kind: str
    street: str
    city: str
    postcode: str


@dataclass(frozen=True, slots=True)
class Customer:
    """One per policyholder."""

    key: str
    region: Region
    name: str
    email: str
    phone: str
    """As E.164."""
    policy_number: str
    policy_start: date
    vehicle: Vehicle
    place: Place


def digits(dice: Dice, count: int) -> str:
    """Draws a run of digits."""
    return "".join(str(dice.below(10)) for _ in range(count))


def letters(dice: Dice, count: int) -> str:
    """Draws capitals that are not mistaken for digits."""
    return "".join(dice.pick(_LETTERS) for _ in range(count))


def full_name(dice: Dice) -> str:
    """Draws a first and a last name, sometimes with a middle initial or a double first name."""
    words = load().words
    first, last = dice.pick(words["first"]), dice.pick(words["last"])
    form = dice.below(100)
    if form < 5:
        return f"{first} {dice.pick(_LETTERS)}. {last}"
    if form < 8:
        return f"{first}-{dice.pick(words['first'])} {last}"
    second = dice.pick(words["last"])
    if form < 11 and second != last:
        return f"{first} {last}-{second}"
    return f"{first} {last}"


def email_of(name: str, dice: Dice) -> str:
    """Makes an address that mostly resembles the name."""
    parts = ["".join(char for char in word.lower() if char.isascii() and char.isalpha()) for word in name.split()]
    first, last = parts[0] or "mail", parts[-1] or "office"
    local = dice.pick(
        (f"{first}.{last}", f"{first}.{last}", f"{first[0]}{last}", f"{last}{digits(dice, 2)}", f"{first}_{last}")
    )
    return f"{local}@{dice.pick(load().words['domain'])}"


def phone_of(region: Region, dice: Dice) -> str:
    """Draws a number from ranges kept free for fiction, as E.164."""
    if region == "us":
        return f"+1{dice.pick(_US_AREAS)}55501{digits(dice, 2)}"
    if region == "uk":
        return f"+44{dice.pick(_UK_AREAS).replace(' ', '')}{digits(dice, 3)}"
    return f"+49{dice.pick(_DE_AREAS)}23125{digits(dice, 3)}"


def vehicle_of(region: Region, dice: Dice) -> Vehicle:
    """Draws a car with a plate of the region."""
    make, model = dice.pick(load().words["car"]).split("/")
    if region == "us":
        plate = dice.pick((f"{dice.below(10)}{letters(dice, 3)}{digits(dice, 3)}", letters(dice, 3) + digits(dice, 4)))
    elif region == "uk":
        plate = f"{letters(dice, 2)}{digits(dice, 2)}{letters(dice, 3)}"
    else:
        plate = f"{letters(dice, 2)}{letters(dice, 2)}{dice.between(100, 9999)}"
    vin = "".join(dice.pick(_VIN_CHARS) for _ in range(11)) + digits(dice, 6)
    return Vehicle(make, model, dice.between(2004, 2026), plate, vin, _mileage(dice))


def _mileage(dice: Dice) -> int:
    """Draws an odometer reading; some are told in round thousands."""
    thousands = dice.between(3, 160) * 1000
    return thousands if dice.chance(0.15) else thousands + dice.below(1000)


def place_of(region: Region, business: bool, dice: Dice) -> Place:
    """Draws an address in the way the region writes it."""
    words, number = load().words, dice.between(1, 240)
    kind = dice.pick(("shop", "office", "warehouse") if business else ("house", "house", "apartment"))
    street, city = dice.pick(words[f"{region}_street"]), dice.pick(words[f"{region}_city"])
    if region == "us":
        unit = dice.pick(("", "", "", f" Apt {dice.between(1, 40)}", f" Unit {dice.between(1, 20)}"))
        return Place(kind, f"{number * 7} {street}{unit}", city, f"{dice.between(10000, 99899)}")
    if region == "uk":
        area = dice.pick(words["uk_area"])
        postcode = f"{area}{dice.between(1, 19)} {dice.between(1, 9)}{letters(dice, 2)}"
        return Place(kind, f"{number} {street}", city, postcode)
    return Place(kind, f"{street} {number}", city, f"{dice.between(10115, 99998)}")


@lru_cache(maxsize=CUSTOMERS)
def customer(number: int) -> Customer:
    """The customer of a number, 0..CUSTOMERS-1: drawn from dice of their own, so always the same."""
    dice = Dice(_CUSTOMER_SEED + number)
    region = dice.weighted(_REGIONS, _REGION_SHARES)
    name = full_name(dice)
    return Customer(
        key=f"PH{number:05}",
        region=region,
        name=name,
        email=email_of(name, dice),
        phone=phone_of(region, dice),
        policy_number=letters(dice, 2) + digits(dice, 7),
        policy_start=date(2016, 1, 1) + timedelta(days=dice.below(3500)),
        vehicle=vehicle_of(region, dice),
        place=place_of(region, dice.chance(0.27), dice),
    )
