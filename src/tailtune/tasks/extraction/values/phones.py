"""Phone numbers to E.164, by the rules of libphonenumber; and mailboxes."""

from __future__ import annotations

import re

from tailtune.config.formats import is_email
from tailtune.tasks.extraction.values.outcome import Refusal, shown

_BESIDE = re.compile(
    r"^[^\w+(]*(?:tel|telephone|phone|mobile|cell|fax|ph|no|nr|number)?[.:\s#]*(?=[+(\dOo])", re.IGNORECASE
)
_LIKE_ZERO = str.maketrans("OolI|", "00111")
_LIKE_DIGITS = re.compile(r"(?<=[\d\s().+-])[OolI|]+(?=[\d\s().-]|$)")
_AROUND_MAIL = " \t\n<>()[]\"'“”‘’,;:.!?"
_SPELT = (
    (re.compile(r"\s*[(\[]\s*at\s*[)\]]\s*|\s+at\s+"), "@"),
    (re.compile(r"\s*[(\[]\s*dot\s*[)\]]\s*|\s+dot\s+"), "."),
)


def read_phone(surface: str, region: str) -> str | Refusal:
    """A phone number as `+14155550123`; an extension is left out.

    Args:
        surface: As it stands in the text.
        region: Country of numbers without a country code, `US`.
    """
    plain = _BESIDE.sub("", surface)
    tries = [plain, _LIKE_DIGITS.sub(lambda found: found.group().translate(_LIKE_ZERO), plain)]
    tries += ["+" + plain[2:]] if plain.startswith("00") else []
    for attempt in dict.fromkeys(tries):
        made = _parsed(attempt, region)
        if made is not None:
            return made
    return Refusal(f"no phone number in {shown(surface)}")


def _parsed(text: str, region: str) -> str | None:
    from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_possible_number, parse

    try:
        number = parse(text, region)
    except NumberParseException:
        return None
    if not is_possible_number(number):
        return None
    number.extension = None
    return str(format_number(number, PhoneNumberFormat.E164))


def read_email(surface: str) -> str | Refusal:
    """A mailbox in lower case; `jane (at) example dot org` is read too."""
    plain = surface.strip(_AROUND_MAIL).lower().removeprefix("mailto:").strip(_AROUND_MAIL)
    spelt = plain
    if "@" not in plain:
        for pattern, mark in _SPELT:
            spelt = pattern.sub(mark, spelt)
    for attempt in (spelt, re.sub(r"\s+", "", spelt)):
        if is_email(attempt):
            return attempt
    return Refusal(f"no e-mail address in {shown(surface)}")
