"""The ledger: which version each cost belongs to, what labels cost, how long a change took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tailtune.core.figures import counted, usd
from tailtune.core.ledger import CATEGORIES, Amount, Bill, Category, Curated, Entry, Facts, Ledger, Line, Made
from tailtune.core.money import Usd
from tailtune.judge.economics import MONTH_DAYS

_HOUR_MS = 3_600_000
_GB = 1_000_000_000
_PRICED = "rows × label price"


def priced(amount: Amount, person_hour_usd: Usd | None, label_usd: Usd | None) -> float | None:
    """US dollars of what a person added; None when a price that is needed is not declared."""
    if amount.hours and person_hour_usd is None:
        return None
    if amount.hours or amount.usd or not amount.rows:
        return amount.usd + amount.hours * (person_hour_usd or 0.0)
    return None if label_usd is None else amount.rows * label_usd


def storage(kept_bytes: int, days: int, gb_month_usd: Usd | None, at_ms: int) -> Entry:
    """What keeping files cost until now.

    Args:
        kept_bytes: Bytes there are now.
        days: Whole days since the first of them; none where a clock that was ahead has dated it into the future.
        gb_month_usd: Price of 10⁹ bytes for a month; None leaves the dollars unknown.
        at_ms: Now.

    Limit: today's size is taken for the whole time, which is too much while files grow.
    """
    usd = None if gb_month_usd is None else kept_bytes / _GB * gb_month_usd * max(0, days) / MONTH_DAYS
    return Entry(at_ms=at_ms, category="storage", what="kept files", usd=usd)


def reckon(use_case: str, metric: str, facts: Facts, label_usd: Usd | None, is_default: bool = False) -> Ledger:
    """The bill of every version.

    A cost belongs to the first version registered after it; what came after the last version belongs to the next. No
    row is paid for twice: labelled rows cost the label price, save those that a person has entered. Hours or dollars
    entered for labelling without a number of rows come on top, and a note says so.

    Args:
        use_case: Its name.
        metric: The measure of every quality.
        facts: What is recorded.
        label_usd: Price of a labelled row; None leaves labels that nobody entered unknown.
        is_default: Whether nobody declared it, which is noted where rows are priced with it.

    Returns:
        A bill per version, oldest first, and one for the next. Dollars that are not known are counted, never guessed.
    """
    versions = sorted(facts.versions, key=lambda version: version.made_ms)
    windows = _windows(facts.entries, versions)
    labels = _labels(facts.curated, versions, windows, label_usd)
    for window, entry in zip(windows, labels, strict=True):
        if entry is not None:
            window.append(entry)
    bills = [_bill(version, window, versions, facts) for version, window in zip(versions, windows, strict=False)]
    bills.append(Bill(version=None, lines=_lines(windows[-1]), total=_line(windows[-1])))
    everything = [entry for window in windows for entry in window]
    return Ledger(
        use_case=use_case,
        metric=metric,
        bills=tuple(bills),
        lines=_lines(everything),
        total=_line(everything),
        unknown=_unknown(everything),
        notes=(*_notes(facts.entries, everything), *_default_note(everything, label_usd if is_default else None)),
        unmeasured=() if "monitor" in facts.stages else ("drift checks: none has run yet",),
    )


def _windows(entries: Iterable[Entry], versions: Sequence[Made]) -> list[list[Entry]]:
    """Entries by the version they belong to; the last list is for the next one."""
    places = {version.version: place for place, version in enumerate(versions)}
    windows: list[list[Entry]] = [[] for _ in range(len(versions) + 1)]
    for entry in sorted(entries, key=lambda entry: entry.at_ms):
        after = sum(version.made_ms < entry.at_ms for version in versions)
        windows[places.get(entry.version or "", after)].append(entry)
    return windows


def _labels(
    curated: Sequence[Curated], versions: Sequence[Made], windows: Sequence[Sequence[Entry]], label_usd: Usd | None
) -> list[Entry | None]:
    """Rows that each version read beyond all that are paid already: by earlier versions, or as a person entered."""
    bought_labels: list[Entry | None] = []
    paid = 0
    for version, window in zip((*versions, None), windows, strict=True):
        paid += sum(entry.rows for entry in window)
        read = _read(curated, version, versions)
        bought = 0 if read is None else read.rows_read - paid
        if read is None or bought <= 0:
            bought_labels.append(None)
            continue
        paid += bought
        usd = None if label_usd is None else bought * label_usd
        bought_labels.append(Entry(at_ms=read.at_ms, category="labelling", what=_PRICED, usd=usd, rows=bought))
    return bought_labels


def _notes(entered: Iterable[Entry], everything: Iterable[Entry]) -> tuple[str, ...]:
    """Hours or dollars that may have paid for rows which are priced as well: the person who entered them knows."""
    times = sum(entry.category == "labelling" and not entry.rows for entry in entered)
    rows = sum(entry.rows for entry in everything if entry.what == _PRICED)
    if not times or not rows:
        return ()
    many = counted(times, "entry", "entries")
    return (
        f"labelling: {many} without --rows on top of {counted(rows, 'row')} × label price; if that work labelled rows, "
        "enter it with --rows so that they are not paid twice",
    )


def _default_note(everything: Iterable[Entry], default_usd: Usd | None) -> tuple[str, ...]:
    rows = sum(entry.rows for entry in everything if entry.what == _PRICED)
    if not rows or default_usd is None:
        return ()
    return (
        f"labelling: {counted(rows, 'row')} at the default price of {usd(default_usd)} a label; declare label_usd in "
        "models/prices.yaml, or value.label_usd of this use case (0 for public labels)",
    )


def _read(curated: Sequence[Curated], version: Made | None, versions: Sequence[Made]) -> Curated | None:
    """The curation a version was made from: the newest of its rows before it. The next one's: the newest after all."""
    if version is None:
        last = versions[-1].made_ms if versions else -1
        fitting = [read for read in curated if read.at_ms > last]
    else:
        fitting = [
            read for read in curated if read.rows_digest == version.rows_digest and read.at_ms <= version.made_ms
        ]
    return max(fitting, key=lambda read: read.at_ms, default=None)


def _bill(version: Made, window: Sequence[Entry], versions: Sequence[Made], facts: Facts) -> Bill:
    before = [other for other in versions if other.made_ms < version.made_ms]
    best = max((other.quality for other in before if other.quality is not None), default=None)
    gained = None if best is None or version.quality is None else version.quality - best
    total = _line(window)
    worth = gained is not None and gained > 0 and total.usd is not None
    return Bill(
        version=version.version,
        lines=_lines(window),
        total=total,
        quality=version.quality,
        gained=gained,
        usd_per_point=total.known_usd / (gained * 100) if worth and gained is not None else None,
        cycle_hours=_cycle_hours(version, before, facts) if version.promoted else None,
    )


def _cycle_hours(version: Made, before: Sequence[Made], facts: Facts) -> float | None:
    """From the first reading of rows that are new since the last champion, or an earlier complaint, to the version."""
    since = max((other.made_ms for other in before if other.promoted), default=-1)
    read = [each for each in facts.curated if each.rows_digest == version.rows_digest]
    # Rows that were read again later, as by `tailtune reproduce`, say nothing where the first reading is gone.
    first_read = min((each.began_ms for each in read if each.began_ms <= version.made_ms), default=None)
    starts = [] if first_read is None or first_read <= since else [first_read]
    latest = starts[0] if starts else version.made_ms
    starts += [at for at in facts.complaints_ms if since < at <= latest]
    return (version.made_ms - min(starts)) / _HOUR_MS if starts else None


def _lines(entries: Iterable[Entry]) -> dict[Category, Line]:
    parts: dict[Category, list[Entry]] = {}
    for entry in entries:
        parts.setdefault(entry.category, []).append(entry)
    return {category: _line(parts[category]) for category in CATEGORIES if category in parts}


def _line(entries: Sequence[Entry]) -> Line:
    return Line(
        known_usd=sum(entry.usd for entry in entries if entry.usd is not None),
        unknown=sum(entry.usd is None for entry in entries),
        hours=sum(entry.hours for entry in entries),
        rows=sum(entry.rows for entry in entries),
    )


def _unknown(entries: Iterable[Entry]) -> tuple[str, ...]:
    kinds = Counter(f"{entry.category}: {entry.what}" for entry in entries if entry.usd is None)
    return tuple(what if times == 1 else f"{what} ({times} times)" for what, times in kinds.items())
