"""The figures that progress lines and reports have in common, as people read them.

Unmeasured is "n/a", unknown is "not known", never 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

NOT_MEASURED = "n/a"
NOT_KNOWN = "not known"


def percent(value: float) -> str:
    """A share, 0 to 1, in percent without the sign: `93.1`. Just below 1 gets digits instead of a false 100.0.

    Args:
        value: The share; NaN is not measured.

    Returns:
        One decimal, or two to four where one would round up to 100.0.
    """
    if math.isnan(value):
        return NOT_MEASURED
    if 0.9995 <= value < 1:
        return f"{min(value * 100, 99.9999):.{2 if value < 0.99995 else 4}f}"
    return f"{value * 100:.1f}"


def share(value: float) -> str:
    """A share, 0 to 1, as people write it: `93.1 %`."""
    text = percent(value)
    return text if text == NOT_MEASURED else f"{text} %"


def counted(value: int, thing: str, things: str = "") -> str:
    """A number of things: `1 row`, `12,000 rows`."""
    return f"{value:,} {thing if value == 1 else things or thing + 's'}"


def usd(value: float | None) -> str:
    """US dollars: cents from a dollar up, two significant digits below. None is not known.

    Args:
        value: Dollars; None when nobody declared a price.

    Returns:
        `$1.24`, `$0.0012`, `<$0.00001`, `$0` or `not known`.
    """
    if value is None:
        return NOT_KNOWN
    if math.isnan(value):
        return NOT_MEASURED
    if value == 0:
        return "$0"
    if value >= 1:
        return f"${value:,.2f}"
    if value < 0.00001:
        return "<$0.00001"
    digits = 2 if value >= 0.095 else 1 - math.floor(math.log10(value))
    return f"${value:.{min(digits, 5)}f}"


def two_digits(value: float, round_: Callable[[float], int], least: float = 0.0) -> float:
    """A figure rounded to two significant digits; 0 where it is none.

    Args:
        value: At least 0.
        round_: round, math.floor or math.ceil.
        least: The finest step of the result, as 1 for what is counted.
    """
    if value <= 0:
        return 0.0
    unit = max(least, 10.0 ** (math.floor(math.log10(value)) - 1))
    return round_(value / unit) * unit


def memory(mebibytes: float) -> str:
    """Memory: `812 MiB`, `1.4 GiB`."""
    return f"{mebibytes:,.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:,.1f} GiB"
