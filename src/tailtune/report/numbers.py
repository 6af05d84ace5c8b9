"""Numbers as people read them, one way in terminal and page. Unmeasured is "n/a", unknown is "not known", never 0."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tailtune.core.figures import NOT_KNOWN as NOT_KNOWN
from tailtune.core.figures import NOT_MEASURED as NOT_MEASURED
from tailtune.core.figures import bounds as bounds
from tailtune.core.figures import counted as counted
from tailtune.core.figures import days as days
from tailtune.core.figures import memory as memory
from tailtune.core.figures import milliseconds as milliseconds
from tailtune.core.figures import ms as ms
from tailtune.core.figures import p_value as p_value
from tailtune.core.figures import percent as percent
from tailtune.core.figures import points as points
from tailtune.core.figures import points_short as points_short
from tailtune.core.figures import points_with_interval as points_with_interval
from tailtune.core.figures import requests_a_day as requests_a_day
from tailtune.core.figures import share as share
from tailtune.core.figures import usd as usd
from tailtune.core.figures import volume as volume
from tailtune.core.figures import with_interval as with_interval
from tailtune.core.measures import Measure, measure_of
from tailtune.core.records import Estimate

_BEFORE_SIGN = re.compile(r"(?<=\d) (?=%)")


def unbroken(text: str, space: str = "\u00a0") -> str:
    """A text in which no line ends between a number and its sign: `96.7 %` has another space."""
    return _BEFORE_SIGN.sub(space, text)


def count(value: int) -> str:
    """A whole number with thousands parted: `12,000`."""
    return f"{value:,}"


def dollars_between(estimate: Estimate) -> str:
    """The 95 % interval of a sum of US dollars: `$5,020 to $11,930`."""
    return f"{usd(estimate.low)} to {usd(estimate.high)}"


def priced(value: float | None, low: float | None, high: float | None) -> str:
    """US dollars with their 95 % interval, where there is one that is wider than the figures: `$0.42 (0.40–0.44)`."""
    if value is None or low is None or high is None or usd(low) == usd(high):
        return usd(value)
    return f"{usd(value)} ({usd(low).removeprefix('$')}–{usd(high).removeprefix('$')})"


def figure(name: str, value: float) -> str:
    """A named figure in the unit that its name ends in: `network_ms`, 212 → `network 212 ms`."""
    what, _, unit = name.rpartition("_")
    shown = _UNITS.get(unit)
    if shown is None or not what:
        return f"{words(name)} {NOT_MEASURED if math.isnan(value) else f'{value:,.4g}'}"
    return f"{words(what)} {NOT_MEASURED if math.isnan(value) else shown(value)}"


def duration(seconds: float) -> str:
    """A span of time: `0.8 s`, `12 s`, `2 min 14 s`, `1 h 03 min`."""
    if math.isnan(seconds) or math.isinf(seconds):
        return NOT_MEASURED
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plain(value: float, digits: int = 3) -> str:
    """A bare figure such as a loss: `0.214`."""
    return NOT_MEASURED if math.isnan(value) else f"{value:,.{digits}f}"


def when(stamp: str) -> str:
    """An ISO 8601 stamp as people read it, in UTC: `2026-11-23 17:40 UTC`. What is no stamp is shown as it is."""
    if not stamp:
        return NOT_MEASURED
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    return f"{(moment.astimezone(UTC) if moment.tzinfo else moment):%Y-%m-%d %H:%M} UTC"


def moment(at_us: int) -> str:
    """Microseconds since 1970 as people read them: `2026-11-23 17:40 UTC`; not measured where a clock was far off."""
    try:
        return f"{datetime.fromtimestamp(at_us / 1e6, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return NOT_MEASURED


def words(name: str) -> str:
    """A code name as words: `near_duplicate` → `near duplicate`."""
    return name.replace("_", " ").replace("-", " ")


def sentence(text: str) -> str:
    """A reason as a sentence: a capital first and a full stop last. An empty one is named as such."""
    text = text.strip()
    if not text:
        return "No reason was given."
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


_UNITS: Mapping[str, Callable[[float], str]] = {
    "ms": ms,
    "s": duration,
    "usd": usd,
    "share": share,
    "points": lambda value: f"{points(value)} points",
    "rows": lambda value: counted(round(value), "row"),
    "days": days,
    "tokens": lambda value: counted(round(value), "token"),
}


WHOLE = "exact_match"
NEXT_TO = {"accuracy": "macro_f1", "field_f1": WHOLE}
OWNERS = (WHOLE, "schema_valid")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One per measure that plain words say better than its title.

    Attributes:
        reached: What a predictor does, `{}` for the share.
        figure: What the share is of, over or under a large figure.
        short: The same after a name and a comma.
    """

    reached: str
    figure: str
    short: str


_PLAIN = {
    "accuracy": Phrase("answers {} right", "answered right", "right"),
    WHOLE: Phrase("answers {} of rows wholly right", "answered wholly right", "wholly right"),
    "schema_valid": Phrase("answers {} with a valid object", "valid against the schema", "valid"),
}


def measure(name: str) -> Measure:
    """What is known of a measure; of a strange one, its name as words."""
    return measure_of(name) or Measure(name, words(name), words(name), f"{capital(words(name))}.")


def title(name: str) -> str:
    """A measure as a column's heading or an axis: `accuracy`, `field F1`."""
    return measure(name).title


def meaning(name: str) -> str:
    """What a measure is a share of, as a caption: `Share of rows answered right`."""
    return measure(name).meaning.removesuffix(".")


def phrase(name: str) -> Phrase:
    """A measure in plain words; in its title where there are none."""
    named = title(name)
    article = "an" if named[:1].lower() in "aeiou" else "a"
    return _PLAIN.get(name) or Phrase(f"reaches {article} {named} of {{}}", named, named)


def reached(name: str, value: float) -> str:
    """What a predictor does, after its name: `answers 92.4 % right`, `reaches a field F1 of 97.3 %`."""
    return phrase(name).reached.format(share(value))


def of(name: str) -> str:
    """What points are points of, after a difference: ` of field F1`; nothing where they are of rows answered right."""
    return "" if name == "accuracy" else f" of {title(name)}"


def next_to(metrics: Mapping[str, Estimate]) -> str | None:
    """The measure that deserves a column of its own next to the first; None when there is only one."""
    first = next(iter(metrics), "")
    partner = NEXT_TO.get(first, "")
    return partner if partner in metrics else next((name for name in metrics if name != first), None)


def further(metrics: Mapping[str, Estimate]) -> tuple[str, ...]:
    """Measures for a table of their own: all but the first, if there are more than the two that have a column."""
    rest = tuple(metrics)[1:]
    return rest if len(rest) > 1 else ()


def right(metrics: Mapping[str, Estimate]) -> str:
    """What a row is whose answer has no fault: `right`; `wholly right` where an answer can be right in part."""
    return "wholly right" if WHOLE in metrics else "right"


def capital(text: str) -> str:
    """A text that begins a sentence: its first letter large."""
    return text[:1].upper() + text[1:]


def inline(text: str) -> str:
    """A title inside a sentence: its first letter small, unless it is an abbreviation."""
    first = text.partition(" ")[0]
    return text if any(letter.isupper() for letter in first[1:]) else text[:1].lower() + text[1:]


def called(text: str) -> str:
    """A predictor's title inside a sentence: `the prompt with retrieved examples`, `frozen encoder + linear probe`."""
    inside = inline(text)
    return f"the {inside}" if inside.startswith(("prompt", "best prompt")) else inside


FAR = 0.45
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Scale:
    """One per picture: the shares at its left and right end."""

    low: float
    high: float

    @classmethod
    def around(cls, estimates: Iterable[Estimate], target: float | None = None) -> Scale:
        """A stretch that holds the intervals and the target.

        Rungs that are 45 points or more under the best (a majority class) do not stretch it; they fall off its left.

        Args:
            estimates: Shares with intervals; NaN is passed over.
            target: A share that must be in view.

        Returns:
            Ends on whole steps of 5 points, or of 1 point where all lies within 10; 0 to 1 when there is nothing.
        """
        measured = [e for e in estimates if not math.isnan(e.value)]
        if not measured:
            return cls(0.0, 1.0)
        best = max(e.value for e in measured)
        near = [e for e in measured if e.value > best - FAR]
        ends = [target] if target is not None else []
        ends += [end for e in near for end in (e.low, e.value, e.high) if not math.isnan(end)]
        step = 0.01 if max(ends) - min(ends) < 0.1 else 0.05
        low = max(math.floor(min(ends) / step + _SLACK) * step, 0.0)
        high = min(math.ceil(max(ends) / step - _SLACK) * step, 1.0)
        return cls(low, high) if high > low else cls(max(low - step, 0.0), min(high + step, 1.0))

    def place(self, value: float) -> float:
        """Where a share lies: 0 at the left end, 1 at the right; outside of that when it is off the picture."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 6) -> tuple[float, ...]:
        """Round shares to label, both ends within, at most so many."""
        span = self.high - self.low
        step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if span / s <= most - 1 + _SLACK)
        first = math.ceil(self.low / step - _SLACK)
        return tuple(round(n * step, 4) for n in range(first, math.floor(self.high / step + _SLACK) + 1))
