"""The figures that progress lines and reports have in common, as people read them.

Unmeasured is "n/a", unknown is "not known", never 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailtune.core.records import Estimate

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


def milliseconds(value: float) -> str:
    """Milliseconds without unit: `0.04`, `1.6`, `210`; what is too short to be timed is not 0: `under 0.001`."""
    if math.isnan(value):
        return NOT_MEASURED
    if value >= 99.5:
        return f"{value:,.0f}"
    if 0 <= value < 0.0005:
        return "under 0.001"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"


def ms(value: float) -> str:
    """Milliseconds with unit: `1.6 ms`."""
    text = milliseconds(value)
    return text if text == NOT_MEASURED else f"{text} ms"


def share(value: float) -> str:
    """A share, 0 to 1, as people write it: `93.1 %`."""
    text = percent(value)
    return text if text == NOT_MEASURED else f"{text} %"


def bounds(estimate: Estimate) -> str:
    """The 95 % interval of a share: `92.2–93.9`."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return NOT_MEASURED
    return f"{percent(estimate.low)}–{percent(estimate.high)}"


def with_interval(estimate: Estimate) -> str:
    """A share with its 95 % interval: `93.1 % (92.2–93.9)`."""
    if math.isnan(estimate.value):
        return NOT_MEASURED
    return f"{share(estimate.value)} ({bounds(estimate)})"


def points(value: float) -> str:
    """A difference of shares in percentage points, signed, without unit: `+1.9`."""
    if math.isnan(value):
        return NOT_MEASURED
    text = f"{value * 100:+.1f}"
    return "±0.0" if float(text) == 0 else text.replace("-", "−")


def points_short(value: float) -> str:
    """How far a share lies below another, in percentage points: `4.0 points`; what would round to none is named so."""
    return f"{value * 100:.1f} points" if value >= 0.0005 else "under 0.1 points"


def short_of(value: float, limit: float, words: str = "short of") -> str:
    """That a share lies below another: `short of 96.0 %`; `under 0.1 points short of 96.0 %` where both look alike."""
    alike = percent(value) == percent(limit)
    return f"{'under 0.1 points ' if alike else ''}{words} {share(limit)}"


def points_with_interval(estimate: Estimate) -> str:
    """A difference of shares with its 95 % interval: `+1.9 points (+0.8 to +3.0)`."""
    if math.isnan(estimate.value):
        return NOT_MEASURED
    return f"{points(estimate.value)} points ({points(estimate.low)} to {points(estimate.high)})"


def p_value(value: float) -> str:
    """A p-value with its sign: `p = 0.012`, `p < 0.0001`."""
    if math.isnan(value):
        return f"p {NOT_MEASURED}"
    if value < 0.0001:
        return "p < 0.0001"
    return f"p = {value:.{4 if value < 0.01 else 3 if value < 0.1 else 2}f}"


def counted(value: int, thing: str, things: str = "") -> str:
    """A number of things: `1 row`, `12,000 rows`."""
    return f"{value:,} {thing if value == 1 else things or thing + 's'}"


def volume(per_day: float) -> str:
    """Requests a day: `6,000`, `0.3`; `no volume` for never, which is written as infinite or NaN."""
    if not math.isfinite(per_day):
        return "no volume"
    return f"{per_day:,.0f}" if per_day >= 9.5 or per_day == round(per_day) else f"{per_day:.2g}"


def requests_a_day(per_day: float) -> str:
    """A volume with what it is: `6,000 requests a day`, `1 request a day`."""
    shown = volume(per_day)
    return f"{shown} request{'' if shown == '1' else 's'} a day"


def days(value: float) -> str:
    """A number of days: `1 day`, `90 days`, `0.25 days`."""
    shown = f"{value:,.0f}" if value >= 9.5 else f"{value:.2g}"
    return f"{shown} day{'' if shown == '1' else 's'}"


def every(number: float) -> str:
    """How often something is, in days: `every 90 days`, `every day`."""
    shown = days(number)
    return "every day" if shown == "1 day" else f"every {shown}"


def usd(value: float | None) -> str:
    """US dollars, signed where they are lost: no cents from a hundred up, two significant digits below a dollar.

    Args:
        value: Dollars; None when nobody declared a price, NaN when not measured.

    Returns:
        `$12,346`, `−$3.20`, `$0.0012`, `<$0.00001`, `$0`, `not known` or `n/a`.
    """
    if value is None:
        return NOT_KNOWN
    if math.isnan(value):
        return NOT_MEASURED
    size = abs(value)
    if 0 < size < 0.00001:
        return "<$0.00001" if value > 0 else ">−$0.00001"
    return f"{'−' if value < 0 else ''}${_amount(size)}"


def _amount(size: float) -> str:
    if size == 0:
        return "0"
    if size >= 0.995:
        return f"{size:,.0f}" if size >= 99.5 else f"{size:.2f}"
    digits = 2 if size >= 0.095 else 1 - math.floor(math.log10(size))
    return f"{size:.{min(digits, 5)}f}"


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
