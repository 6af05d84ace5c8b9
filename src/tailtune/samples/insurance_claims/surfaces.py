"""How values are written: dates, times, amounts, phone numbers and numbers of things, read back to the same value."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from tailtune.samples.dice import Dice
from tailtune.samples.insurance_claims.people import Region

DateStyle = Literal["iso", "month_first", "day_first", "us"]

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_HUNDREDS = ("", "eleven hundred", "twelve hundred", "fifteen hundred", "eighteen hundred")
_HUNDRED_AMOUNTS: Mapping[float, str] = {1100: _HUNDREDS[1], 1200: _HUNDREDS[2], 1500: _HUNDREDS[3], 1800: _HUNDREDS[4]}
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
_WORDS = {"USD": "dollars", "EUR": "euros", "GBP": "pounds"}


def date_style(region: Region, dice: Dice) -> DateStyle:
    """Draws how one writer writes dates."""
    styles: tuple[DateStyle, ...] = ("iso", "month_first", "day_first", "us")
    return dice.weighted(styles, (20, 40, 12, 28) if region == "us" else (25, 5, 70, 0))


def written_date(day: date, style: DateStyle, dice: Dice, year: bool = True) -> str:
    """Writes a day; without its year only in words."""
    if style == "iso" and year:
        return day.isoformat()
    if style == "us" and year:
        return f"{day.month:02}/{day.day:02}/{day.year}"
    weekday = f"{WEEKDAYS[day.weekday()]}, " if year and dice.chance(0.06) else ""
    month = MONTHS[day.month - 1]
    short = month[:3] if len(month) > 4 and dice.chance(0.3) else month
    if style == "day_first":
        return f"{weekday}{day.day}{_ordinal(day.day, dice)} {short}" + (f" {day.year}" if year else "")
    return f"{weekday}{short} {day.day}{_ordinal(day.day, dice)}" + (f", {day.year}" if year else "")


def _ordinal(day: int, dice: Dice) -> str:
    if not dice.chance(0.15):
        return ""
    return "th" if 10 < day % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def days_before(day: date, anchor: date, hour: int, dice: Dice) -> str | None:
    """Says a day and its hour as counted back from another day, or None where nobody would."""
    gap = (anchor - day).days
    last = f"last {WEEKDAYS[day.weekday()]}"
    if gap == 0:
        return dice.pick(("today", "today", "this morning" if hour < 12 else "earlier today"))
    if gap == 1:
        return dice.pick(("yesterday", "yesterday", "last night" if hour > 19 else "yesterday"))
    if gap == 2:
        contact = dice.pick(("the call", "this message"))
        return dice.pick(("the day before yesterday", "two days ago", "2 days ago", f"two days before {contact}"))
    if 3 <= gap <= 6:
        return dice.pick((last, f"{COUNTS[gap]} days ago", f"{gap} days ago"))
    if gap in (7, 14, 21):
        weeks = gap // 7
        return dice.pick((f"{COUNTS[weeks]} weeks ago", f"{weeks} weeks ago")) if weeks > 1 else "a week ago"
    return f"{gap} days ago" if gap <= 10 else None


def written_time(time: str, dice: Dice) -> str:
    """Writes a time of day given as 24 hours `HH:MM`."""
    hour, minute = int(time[:2]), time[3:]
    if time in ("00:00", "12:00") and dice.chance(0.6):
        return "midnight" if time == "00:00" else dice.pick(("noon", "midday"))
    half, twelve = ("am" if hour < 12 else "pm"), (hour + 11) % 12 + 1
    clock = f"{twelve}:{minute}" if minute != "00" else str(twelve)
    dotted = clock.replace(":", ".")
    forms = (time, f"{clock} {half}", f"{clock}{half}", f"{hour}h{minute}", f"{dotted} {half}")
    return dice.weighted(forms, (45, 30, 13, 6, 6))


def currency_of(region: Region) -> str:
    """The money of a region, as ISO 4217."""
    return {"us": "USD", "uk": "GBP", "de": "EUR"}[region]


def written_money(money: Mapping[str, Any], dice: Dice) -> str:
    """Writes an amount with its currency; it is read back exactly."""
    amount, code = float(money["amount"]), str(money["currency"])
    symbol, word, whole = _SYMBOLS[code], _WORDS[code], amount == int(amount)
    if amount in _HUNDRED_AMOUNTS and dice.chance(0.15):
        return f"{_HUNDRED_AMOUNTS[amount]} {word}"
    if amount >= 1000 and amount % 100 == 0 and dice.chance(0.3):
        short = f"{amount / 1000:g}k"
        return dice.pick((f"{symbol}{short}", f"{symbol}{short}", f"{short} {code}", f"{short} {word}"))
    plain = f"{int(amount)}" if whole and dice.chance(0.7) else f"{amount:.2f}"
    grouped = f"{int(amount):,}" if whole and dice.chance(0.7) else f"{amount:,.2f}"
    if code == "EUR" and dice.chance(0.5):
        local = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
        return dice.pick((f"EUR {local}", f"{local} €", f"{local} EUR"))
    return dice.pick(
        (f"{symbol}{plain}", f"{symbol}{grouped}", f"{symbol}{grouped}", f"{code} {grouped}", f"{grouped} {code}")
        + ((f"{plain} {word}",) if whole else ())
    )


def written_phone(number: str, dice: Dice) -> str:
    """Writes an E.164 number; without its country only for North America."""
    if number.startswith("+1"):
        area, mid, rest = number[2:5], number[5:8], number[8:]
        forms = (f"({area}) {mid}-{rest}", f"{area}-{mid}-{rest}", f"{area}.{mid}.{rest}", f"+1 {area} {mid} {rest}")
        return dice.weighted(forms, (4, 4, 2, 2))
    if number.startswith("+44"):
        rest = number[3:]
        cut = 2 if rest.startswith("2") else 3
        tail = f"{rest[cut : cut + 4] if cut == 2 else rest[cut : cut + 3]} {rest[cut + 4 :] if cut == 2 else rest[6:]}"
        return dice.pick((f"+44 {rest[:cut]} {tail}", f"+44 (0){rest[:cut]} {tail}", number))
    rest = number[3:]
    cut = 3 if rest.startswith(("221", "341")) else 2
    return dice.pick(
        (f"+49 {rest[:cut]} {rest[cut:]}", f"+49 {rest[:cut]}/{rest[cut:]}", f"+49-{rest[:cut]}-{rest[cut:]}", number)
    )


def written_id(value: str, field: str, dice: Dice) -> str:
    """Writes an identifier with the blanks, dashes and case that people use."""
    if field == "policy_number":
        forms = (value, value, f"{value[:2]} {value[2:]}", f"{value[:2]}-{value[2:]}", value.lower())
        return dice.pick(forms)
    if field == "vehicle_plate" and value[:2].isalpha() and value[2:4].isdigit() and value[4:].isalpha():
        return dice.pick((value, f"{value[:4]} {value[4:]}", f"{value[:4]} {value[4:]}"))
    if field == "vehicle_plate" and value[:4].isalpha():
        return dice.pick((f"{value[:2]}-{value[2:4]} {value[4:]}", f"{value[:2]} {value[2:4]} {value[4:]}"))
    if field == "vehicle_plate" and value[:3].isalpha():
        return dice.pick((value, f"{value[:3]}-{value[3:]}", f"{value[:3]} {value[3:]}"))
    return value.lower() if dice.chance(0.05) else value


def written_count(value: int, dice: Dice) -> str:
    """Writes a small number as word or digits."""
    return COUNTS[value] if value < len(COUNTS) and dice.chance(0.6) else str(value)


def written_mileage(value: int, dice: Dice) -> str:
    """Writes a large number, grouped or not, round ones also in thousands."""
    if value % 1000 == 0 and dice.chance(0.6):
        return f"{value // 1000}k"
    return f"{value:,}" if dice.chance(0.6) else str(value)
