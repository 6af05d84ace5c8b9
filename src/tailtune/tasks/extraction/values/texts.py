"""Texts, ids, choices, yes / no, phone numbers and e-mail addresses; texts folded for searching.

A surface is the stretch of a text that names a value, as it is written there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from tailtune.config.formats import is_email


@dataclass(frozen=True, slots=True)
class Refusal:
    """One per surface that no value of the expected kind can be read from.

    Attributes:
        reason: A short sentence that quotes the surface.
        needs_anchor: A date to count from would help.
    """

    reason: str
    needs_anchor: bool = False


def shown(surface: str) -> str:
    """A surface as reasons quote it."""
    return f"“{surface if len(surface) <= 60 else surface[:57] + '…'}”"


def inside_word(text: str, at: int) -> bool:
    """Whether an offset lies between two letters or digits."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


OUTER = " \t\n.,;:!?()[]{}<>\"'“”‘’«»„#*|_-–—/\\"
_JOIN = re.compile(r"[\s\-_./\\:#–—]+")
_LONGEST_ID = 20
_LONGEST_LABELLED = 80  # an id and the words before it
_YES = frozenset(re.findall(r"\S+", "yes y true 1 ja affirmative yep yeah x ✓ ✔"))
_NO = frozenset(re.findall(r"\S+", "no n false 0 none nein not negative nope"))


def tidy(text: str) -> str:
    """White space collapsed, and NFC: one spelling for what looks the same."""
    single = " ".join(text.split())
    return single if single.isascii() else unicodedata.normalize("NFC", single)


def text_forms(surface: str, upper: bool, dashed: bool = False) -> Iterator[str]:
    """A text as it is, then in ever plainer forms, for the first that is valid.

    Args:
        surface: White space collapsed.
        upper: An id (`x-normal: upper`): upper case; blanks and dashes removed or put in where only that is valid.
        dashed: Whether the id may hold dashes: one or two are then tried in every place.
    """
    if not upper:
        yield surface
        yield surface.strip(OUTER)
        return
    text = surface.upper()
    plain = text.strip(OUTER)
    yield text
    yield plain
    if len(plain) > _LONGEST_LABELLED:
        return
    parts = [part for part in _JOIN.split(plain) if part]
    whole = "".join(parts)
    yield whole
    yield "-".join(parts)
    yield re.sub(r"\s+", "", plain)
    yield "-".join(re.findall(r"[^\W\d_]+|\d+", whole))
    # `PR 2026 4417`, whose label stands before it: what follows the first parts alone.
    for i in range(1, len(parts)):
        yield "-".join(parts[i:])
        yield "".join(parts[i:])
    if dashed and len(whole) <= _LONGEST_ID:
        for i in range(1, len(whole)):
            yield f"{whole[:i]}-{whole[i:]}"
        for i, j in combinations(range(1, len(whole)), 2):
            yield f"{whole[:i]}-{whole[i:j]}-{whole[j:]}"


def _comparable(text: str) -> str:
    """The text without what makes no difference: case, blanks and the signs that join words."""
    return _JOIN.sub(" ", text.casefold()).strip(OUTER)


def chosen(surface: str, choices: tuple[str, ...]) -> str | None:
    """The choice that a surface names; None when it names none, or may name several (`c.` of `C` and `C#`)."""
    if surface in choices:
        return surface
    for plain in (lambda text: tidy(text).casefold(), _comparable):
        sought = plain(surface)
        alike = [choice for choice in choices if sought and plain(choice) == sought]
        if len(alike) == 1:
            return alike[0]
    return None


def yes_or_no(surface: str) -> bool | None:
    """True for a word for yes, False for one for no, None for any other."""
    word = surface.casefold().strip(OUTER) or surface.strip()
    return True if word in _YES else False if word in _NO else None


_BEFORE_NUMBER = re.compile(
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
    """A phone number as E.164 (`+14155550123`), by the rules of libphonenumber; an extension is left out.

    Args:
        surface: As it stands in the text.
        region: Country of numbers without a country code, `US`.
    """
    plain = _BEFORE_NUMBER.sub("", surface)
    tries = [plain, _LIKE_DIGITS.sub(lambda found: found.group().translate(_LIKE_ZERO), plain)]
    tries += ["+" + plain[2:]] if plain.startswith("00") else []
    for attempt in dict.fromkeys(tries):
        made = _e164(attempt, region)
        if made is not None:
            return made
    return Refusal(f"no phone number in {shown(surface)}")


def _e164(text: str, region: str) -> str | None:
    from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_possible_number, parse

    try:
        number = parse(text, region)
    except NumberParseException:
        return None
    if not is_possible_number(number):
        return None
    number.extension = None
    return str(format_number(number, PhoneNumberFormat.E164))


def is_country(region: object) -> bool:
    """Whether numbers without a country code can be read as those of a region: GB is one, UK is none."""
    from phonenumbers import SUPPORTED_REGIONS

    return isinstance(region, str) and region in SUPPORTED_REGIONS


def read_email(surface: str) -> str | Refusal:
    """An e-mail address in lower case; `jane (at) example dot org` is read too."""
    plain = surface.strip(_AROUND_MAIL).lower().removeprefix("mailto:").strip(_AROUND_MAIL)
    spelt = plain
    if "@" not in plain:
        for pattern, mark in _SPELT:
            spelt = pattern.sub(mark, spelt)
    for attempt in (spelt, re.sub(r"\s+", "", spelt)):
        if is_email(attempt):
            return attempt
    return Refusal(f"no e-mail address in {shown(surface)}")


_CONFUSED = re.compile("rn|vv|[01|5]")
_CONFUSED_WITH = {"rn": "m", "vv": "w", "0": "o", "1": "l", "|": "l", "5": "s"}


@dataclass(frozen=True, slots=True)
class Folded:
    """One per text and way of folding.

    Attributes:
        text: The folded text, to be searched.
        places: For each of its characters, the offset in the original that it comes from; ascending.
    """

    text: str
    places: Sequence[int]

    def back(self, start: int, end: int, original: str) -> tuple[int, int]:
        """Start and end in the original of a stretch of this text, combining marks after it included (start < end)."""
        last = self.places[end - 1] + 1
        while last < len(original) and unicodedata.combining(original[last]):
            last += 1
        return self.places[start], last


def fold(text: str) -> Folded:
    """Lower case, without accents, every white space a blank."""
    if text.isascii():
        return Folded(re.sub(r"\s", " ", text.lower()), range(len(text)))
    chars: list[str] = []
    places: list[int] = []
    for i, char in enumerate(text):
        for part in _plain(char):
            chars.append(part)
            places.append(i)
    return Folded("".join(chars), places)


def squeezed(folded: Folded) -> Folded:
    """Letters and digits only: ids are written with and without the signs that join their parts."""
    kept = [i for i, char in enumerate(folded.text) if char.isalnum()]
    return Folded("".join(folded.text[i] for i in kept), [folded.places[i] for i in kept])


def scanned(folded: Folded) -> Folded:
    """With characters that scanners confuse made the same: `rn` and `m`, `0` and `o`, `1` and `l`."""
    parts: list[str] = []
    places: list[int] = []
    reached = 0
    for match in _CONFUSED.finditer(folded.text):
        parts += [folded.text[reached : match.start()], _CONFUSED_WITH[match.group()]]
        places += [*folded.places[reached : match.start()], folded.places[match.start()]]
        reached = match.end()
    if not parts:
        return folded
    return Folded("".join([*parts, folded.text[reached:]]), [*places, *folded.places[reached:]])


def _plain(char: str) -> Iterator[str]:
    if char.isspace():
        yield " "
        return
    for part in unicodedata.normalize("NFKD", char):
        if not unicodedata.combining(part):
            yield from part.casefold()
