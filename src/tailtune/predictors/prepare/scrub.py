"""Personal data by pattern, replaced by a token such as `<email>`.

Checksums and known shapes come before reach: an order number, a year or a price must stay. So a phone number
in bare digits is only taken where a word says that it is one, and names and addresses are not looked for.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from tailtune.predictors.prepare.moves import Edit, Moves, apply

if TYPE_CHECKING:  # a served model carries this file, and no spec
    from tailtune.config.model import Pii

_DIGIT = re.compile(r"\d")
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}(?![\w-])")

# Length of the IBAN by country (ISO 13616 registry).
_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 "
        "EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 "
        "JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 "
        "NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 "
        "TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 ",
    )
}
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")

_CARD = re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
# Prefix and length of the issuers: a 16-digit order number that passes Luhn by chance is seldom among them.
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3})?(?:\d{3})?|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|62\d{14,17}|(?:50|5[6-8]|6[37])\d{14,17}"
)

_IPV4 = re.compile(r"(?<![\w.])(?<!version )(?<!release )(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)", re.IGNORECASE)
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")

_PHONE = re.compile(
    r"(?<![\w.,+#/-])(?:\+|(?<!\d[ -])(?=[\d(]))(?:"  # bare digits must not go on from other digits
    r"(?:(?<=\+)|00)[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ ./-]?\d){5,12}"  # +49 (0)30 1234567
    r"|(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}"  # (555) 867-5309
    r"|\(0\d{1,4}\)[ -]?\d(?:[ -]?\d){4,8}"  # (020) 7946 0958
    r"|0[1-9]\d{0,3}[ /-]\d{3,4}[ -]?\d{3,5}"  # 07911 123456
    r")(?![\w-]|[.,]\d)"
)
# Each step of the cue's tail can be read in one way only (`no.` is `no` and `.`); with two, time would double a step.
_CUED = re.compile(
    r"\b(?P<cue>(?:phone|telephone|tel|mobile|cell(?:phone)?|handy|whatsapp|fax|(?:call|ring|text|reach) (?:me|us)"
    r"(?: back)?(?: (?:at|on|under))?)(?:[.:]| number| n[or]| is)* ?)"
    r"(?P<number>\+?\(?\d(?:[ ./()-]{0,2}\d){6,14})(?![\w-]|[.,]\d)",
    re.IGNORECASE,
)
# What says that the digits after it are not a phone number.
_OTHER_NUMBER = re.compile(
    r"(?:\b(?:order|invoice|ticket|case|ref|reference|tracking|serial|account|booking|transaction|customer|policy|claim)"
    r"(?: (?:number|no|nr|id|code))?|#|\bid)[\s:.#-]*(?:is )?$",
    re.IGNORECASE,
)


def scrub(text: str, kinds: Iterable[Pii]) -> tuple[str, tuple[Pii, ...]]:
    """Replace personal data by tokens. Time grows linearly with the text.

    Returns:
        The text, and the kinds that were found in it.
    """
    scrubbed, found, _ = scrub_mapped(text, kinds)
    return scrubbed, found


def scrub_mapped(text: str, kinds: Iterable[Pii]) -> tuple[str, tuple[Pii, ...], tuple[Moves, ...]]:
    """As `scrub`, and where every character went.

    Returns:
        The text, the kinds that were found in it, and the moves of spans, to be made in this order.
    """
    found: list[Pii] = []
    moves = []
    chosen = set(kinds)
    digits = len(_DIGIT.findall(text))
    for kind, (least, passes) in _SCRUBBERS.items():
        if kind not in chosen or digits < least:
            continue
        for find in passes:
            edits = list(find(text))
            if edits:
                text = apply(text, edits)
                moves.append(Moves(edits))
                found += [kind] if kind not in found else []
    return text, tuple(found), tuple(moves)


def luhn(digits: str) -> bool:
    """Whether the check digit of a card number is right (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban_ok(iban: str) -> bool:
    """Whether an IBAN without spaces has its country's length and the right checksum (ISO 7064, mod 97-10)."""
    if _IBAN_LENGTHS.get(iban[:2].upper()) != len(iban) or not (iban.isascii() and iban.isalnum()):
        return False
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1


def _emails(text: str) -> Iterator[Edit]:
    for match in _EMAIL.finditer(text) if "@" in text else ():
        yield Edit(*match.span(), "<email>")


def _ibans(text: str) -> Iterator[Edit]:
    for match in _IBAN.finditer(text):
        # The pattern may have run into the next word; the country says where the number ends.
        given = match.group()
        length = _IBAN_LENGTHS.get(given[:2].upper(), 0)
        taken = "".join(char for char in given if char not in " -")[:length]
        end, seen = 0, 0
        while seen < len(taken):
            seen += given[end] not in " -"
            end += 1
        if iban_ok(taken) and not given[end : end + 1].isalnum():
            yield Edit(match.start(), match.start() + end, "<iban>")


def _cards(text: str) -> Iterator[Edit]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if _ISSUERS.fullmatch(digits) and luhn(digits):
            yield Edit(*match.span(), "<card>")


def _ipv4s(text: str) -> Iterator[Edit]:
    return _addresses(_IPV4, text) if text.count(".") >= 3 else iter(())


def _ipv6s(text: str) -> Iterator[Edit]:
    return _addresses(_IPV6, text) if text.count(":") >= 2 else iter(())


def _addresses(pattern: re.Pattern[str], text: str) -> Iterator[Edit]:
    for match in pattern.finditer(text):
        given = match.group()
        try:
            ipaddress.ip_address(given)
        except ValueError:
            continue
        # `::` and `a::b` are more often code than addresses.
        if "." in given or sum(map(str.isdigit, given)) > 0:
            yield Edit(*match.span(), "<ip>")


def _phones(text: str) -> Iterator[Edit]:
    for match in _PHONE.finditer(text):
        digits = sum(map(str.isdigit, match.group()))
        before = text[max(0, match.start() - 40) : match.start()]
        if 8 <= digits <= 15 and not _OTHER_NUMBER.search(before):
            yield Edit(*match.span(), "<phone>")


def _cued_phones(text: str) -> Iterator[Edit]:
    for match in _CUED.finditer(text):
        yield Edit(*match.span("number"), "<phone>")


# Kind → digits without which it cannot be there, and the passes that find it. In this order: the longest and surest
# shapes first, so that a phone number is never cut out of a card.
_SCRUBBERS: dict[Pii, tuple[int, tuple[Callable[[str], Iterator[Edit]], ...]]] = {
    "email": (0, (_emails,)),
    "iban": (5, (_ibans,)),
    "card": (13, (_cards,)),
    "ip": (1, (_ipv4s, _ipv6s)),
    "phone": (7, (_phones, _cued_phones)),
}
KINDS: frozenset[Pii] = frozenset(_SCRUBBERS)
