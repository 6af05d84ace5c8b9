"""Numbers and amounts of money as people write them: `85,000 miles`, `1.250,5`, `twenty-five`, `EUR 1.250,00`."""

from __future__ import annotations

import math
import re
import unicodedata

from tailtune.tasks.extraction.values.texts import Refusal, shown

_WORD = re.compile(r"[a-z]+")
_UNITS = _WORD.findall(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = _WORD.findall("twenty thirty forty fifty sixty seventy eighty ninety")
_SMALL: dict[str, float] = {word: i for i, word in enumerate(_UNITS)}
_SMALL |= {word: 10 * i for i, word in enumerate(_TENS, start=2)}
_SMALL |= {"a": 1, "an": 1, "no": 0, "fourty": 40}
_SCALES: dict[str, float] = {"thousand": 1e3, "grand": 1e3, "million": 1e6, "billion": 1e9}
MULTIPLIERS: dict[str, float] = {"hundred": 100.0, "k": 1e3, "tsd": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "bn": 1e9}
MULTIPLIERS |= _SCALES
"""What may stand after digits → what they are multiplied by."""
_LETTERS_ONLY = re.compile(r"[a-z\s-]+")
_FRACTIONS_AND_SETS = ("half", "quarter", "dozen", "couple")
NUMBER_WORDS = frozenset((*_SMALL, *_SCALES, *_FRACTIONS_AND_SETS, "hundred", "point"))


def in_words(text: str) -> float | None:
    """The number that is written in words, when the text holds nothing else: `twelve hundred`, `two and a half`.

    Args:
        text: Lower case.

    Returns:
        None when there is any other word, or the words make no number.
    """
    if not _LETTERS_ONLY.fullmatch(text):
        return None
    words = [word for word in _WORD.findall(text) if word not in ("and", "of")]
    if not words or (len(words) == 1 and words[0] in ("a", "an", "no")):
        return None
    if "point" in words:
        at = words.index("point")
        return _decimal_in_words(words[:at], words[at + 1 :])
    return _sum_of_words(words)


def _decimal_in_words(whole: list[str], digits: list[str]) -> float | None:
    scale = 1.0
    while digits and (digits[-1] in _SCALES or digits[-1] == "hundred"):
        scale *= MULTIPLIERS[digits.pop()]
    read = [_SMALL.get(word, 10) for word in digits]
    before = _sum_of_words(whole) if whole else 0.0
    if before is None or not read or max(read) > 9:
        return None
    return float(f"{int(before)}.{''.join(str(int(digit)) for digit in read)}") * scale


def _sum_of_words(words: list[str]) -> float | None:
    total = current = 0.0
    last = 1e12  # `two three` is no number: what is added must be smaller than what stands
    for i, word in enumerate(words):
        if word in _SMALL:
            value = _SMALL[word]
            if word in ("a", "an") and words[i + 1 : i + 2] and (current or words[i + 1] in _FRACTIONS_AND_SETS):
                continue
            if value and last < 100 and not (last >= 20 and value < 10):
                return None
            current, last = current + value, max(value, 1)
        elif word in ("half", "quarter"):
            current, last = current + (0.5 if word == "half" else 0.25), 1
        elif word in ("dozen", "couple"):
            current, last = (current or 1) * (12 if word == "dozen" else 2), 1
        elif word == "hundred":
            current, last = (current or 1) * 100, 100
        elif word in _SCALES:
            total, current, last = total + (current or 1) * _SCALES[word], 0.0, 1e12
        else:
            return None
    return total + current


_BLANK = " \u00a0\u202f"
DIGITS = rf"[-+−]?(?:\d{{1,3}}(?:[{_BLANK}'’]\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*|\.\d+)"
"""Digits with their separators, as a pattern."""
_TIMES = "|".join(sorted(MULTIPLIERS, key=len, reverse=True))
NUMBER = re.compile(rf"(?<!\w)(?<!\d[.,])(?P<digits>{DIGITS})(?:[{_BLANK}-]?(?P<times>{_TIMES})\b\.?)?", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}([.,])\d{3}(?:\1\d{3})*")
_SCIENTIFIC = re.compile(r"[-+]?\d+(?:\.\d+)?e[-+]?\d{1,3}", re.IGNORECASE)
_INDIAN = re.compile(r"\d{1,2}(?:,\d\d)+,\d{3}")


def read_number(surface: str, whole: bool) -> list[float] | Refusal:
    """The numbers that a surface may mean, the likeliest first.

    Args:
        surface: White space collapsed. Words around one number (`about`, `miles`) are passed over.
        whole: Whether only whole numbers count: `85.000` is then eighty-five thousand.
    """
    if _SCIENTIFIC.fullmatch(surface):
        return _scientific(surface)
    found = list(NUMBER.finditer(surface))
    if len(found) > 1:
        return Refusal(f"more than one number in {shown(surface)}")
    if found:
        times = MULTIPLIERS[_plain(found[0]["times"])] if found[0]["times"] else 1.0
        read = meanings(found[0]["digits"], whole and times == 1)
        before = surface[: found[0].start()].strip()
        sign = -1.0 if before[:1] in ("-", "−") and CURRENCY.fullmatch(before[1:].strip()) else 1.0  # -$5
        return [sign * round(value * times, 9) for value in read]
    number = words_in(surface)
    return [number] if number is not None else Refusal(f"no single number in {shown(surface)}")


def _scientific(surface: str) -> list[float] | Refusal:
    """A number as programs write it, `1e5`."""
    number = float(surface)
    return Refusal(f"{shown(surface)} is too large for a number") if math.isinf(number) else [number]


def meanings(digits: str, whole: bool) -> list[float]:
    """What digits with separators may mean, the likeliest first."""
    sign = -1.0 if digits[0] in "-−" else 1.0
    plain = re.sub(rf"[{_BLANK}'’]", "", digits.lstrip("-+−"))
    marks = [char for char in plain if char in ".,"]
    if not marks:
        return [sign * float(plain)]
    decimal = sign * _with_point(plain, marks[-1])
    if len(set(marks)) == 2 and marks.count(marks[-1]) == 1:
        return [decimal]
    if _INDIAN.fullmatch(plain) or len(marks) > 1:
        return [sign * float(re.sub("[.,]", "", plain))]
    if _GROUPED.fullmatch(plain) and plain[0] != "0":
        grouped = sign * float(re.sub("[.,]", "", plain))
        return [grouped, decimal] if marks[0] == "," or whole else [decimal, grouped]
    return [decimal]


def _plain(word: str) -> str:
    """A word that a pattern found whatever its case, as tables have it: patterns take ſ for s, and ı and İ for i."""
    folded = unicodedata.normalize("NFKD", word.casefold()).replace("ı", "i")
    return "".join(char for char in folded if not unicodedata.combining(char))


def words_in(surface: str) -> float | None:
    """The number in words that a surface holds; None for none or several."""
    lowered = surface.lower()
    words = [(match.group(), match.start(), match.end()) for match in _WORD.finditer(lowered)]
    runs: list[tuple[int, int]] = []
    for word, start, end in words:
        between = lowered[runs[-1][1] : start] if runs else "x"
        glue = between.strip(" -") in ("", "and", "of") and bool(between)
        if word in NUMBER_WORDS:
            if runs and glue:
                runs[-1] = (runs[-1][0], end)
            else:
                runs.append((start, end))
    read = [in_words(lowered[start:end]) for start, end in runs]
    numbers = [value for value in read if value is not None]
    return numbers[0] if len(numbers) == 1 else None


def _with_point(plain: str, mark: str) -> float:
    """Digits read with their last `mark` as the decimal point."""
    before, _, after = plain.rpartition(mark)
    return float(f"{re.sub('[.,]', '', before) or '0'}.{after or '0'}")


_DOLLARS = ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN")
_CROWNS = ("SEK", "NOK", "DKK", "ISK", "CZK")
# Sign or name of a currency → the codes it may mean, the likeliest first.
_CODES_OF: dict[str, tuple[str, ...]] = {
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
_KNOWN_CODES = re.findall(
    r"\w+",
    "USD EUR GBP CHF JPY CNY INR CAD AUD NZD SGD HKD MXN BRL SEK NOK DKK ISK CZK PLN HUF RON TRY ILS ZAR KRW RUB UAH "
    "AED SAR THB MYR IDR PHP VND PKR LKR EGP NGN KES ARS CLP COP PEN",
)
_CODES_OF |= {code.lower(): (code,) for code in _KNOWN_CODES}
CURRENCY = re.compile(
    "|".join(
        rf"(?<![a-z]){re.escape(way)}(?![a-z])" if way[-1].isalpha() else re.escape(way)
        for way in sorted(_CODES_OF, key=len, reverse=True)
    ),
    re.IGNORECASE,
)
"""Any sign, name or code of a currency; longer ones before those that they contain."""
_ENDING = re.compile(r"[.,](?:-{1,2}|–|—)(?!\w)")


def read_money(surface: str, codes: tuple[str, ...], usual: str | None) -> dict[str, float | str] | Refusal:
    """The amount and currency that a surface names.

    Args:
        surface: White space collapsed.
        codes: Currencies that are valid.
        usual: The currency of an amount that names none; None refuses it.
    """
    code = _currency(surface, codes, usual)
    if isinstance(code, Refusal):
        return code
    amount = read_amount(surface)
    return amount if isinstance(amount, Refusal) else {"amount": amount, "currency": code}


def read_amount(surface: str) -> float | Refusal:
    """The single amount that a surface names, whatever its currency. `1.250` is twelve hundred and fifty here."""
    plain = CURRENCY.sub(" ", _ENDING.sub("", surface))
    if _SCIENTIFIC.fullmatch(plain.strip()):
        read = _scientific(plain.strip())
        return read if isinstance(read, Refusal) else read[0]
    found = list(NUMBER.finditer(plain))
    if len(found) > 1:
        return Refusal(f"more than one amount in {shown(surface)}")
    if not found:
        number = words_in(plain)
        return number if number is not None else Refusal(f"no amount in {shown(surface)}")
    digits, times = found[0]["digits"], found[0]["times"]
    sign = -1.0 if surface[0] in "-−" else 1.0
    if digits[0] in "-−+":
        joins = re.search(rf"\w{re.escape(digits)}", surface)  # EUR-500
        sign, digits = -1.0 if digits[0] in "-−" and not joins else 1.0, digits[1:]
    if times:
        return sign * round(meanings(digits, False)[-1 if "," in digits else 0] * MULTIPLIERS[_plain(times)], 6)
    from price_parser import Price

    price = Price.fromstring(digits)
    if price.amount is None:
        return Refusal(f"no amount in {shown(surface)}")
    amount, possible = float(price.amount), meanings(digits, whole=True)
    return sign * (amount if amount in possible else possible[0])  # it takes three decimals for a group: 0.125


def _currency(surface: str, codes: tuple[str, ...], usual: str | None) -> str | Refusal:
    mentioned = {way: _CODES_OF[way] for way in (_plain(match.group()) for match in CURRENCY.finditer(surface))}
    if not mentioned:
        return usual if usual is not None else Refusal(f"no currency in {shown(surface)}")
    possible = [code for code in codes if all(code in meant for meant in mentioned.values())]
    if possible:
        return min(possible, key=lambda code: next(iter(mentioned.values())).index(code))
    return Refusal(f"the currency of {shown(surface)} is none of {', '.join(codes)}")
