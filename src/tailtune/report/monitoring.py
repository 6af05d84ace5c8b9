"""What the monitor found, in words: told once, and drawn by the terminal, the page, MLflow, Prefect and messages."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tailtune.core.days import shown
from tailtune.core.monitored import ANSWER, LATENCY, LOG, STRANGENESS, AccuracyNow, Finding, MonitorReport, MovedWord
from tailtune.report.numbers import count, counted, points_with_interval, share, title, with_interval

_CLEAR = 0.05
"""Evidence, as a share of what makes an alarm, from which on a finding is named beside an alarm."""
_SLIGHT = 0.01
_MOST_MOVED, _MOST_WORDS = 8, 5
CANNOT_SEE = (
    "Without labels nobody sees that a right answer has changed for the same texts (a new policy, a renamed class): "
    "an audit of fifty rows does."
)
BY = {"no labels": "estimated without labels", "feedback": "of rows that people sent an answer for", "audit": "audited"}


@dataclass(frozen=True)
class Headline:
    """One per report.

    Attributes:
        tone: `good`, `wait` or `bad`.
        title: A few words.
        why: A sentence.
    """

    tone: str
    title: str
    why: str


def window(report: MonitorReport) -> str:
    """`2026-05-04` or `2026-05-04 to 2026-05-10`."""
    first, last = shown(report.first_day), shown(report.last_day)
    return first if first == last else f"{first} to {last}"


def period(report: MonitorReport) -> str:
    """The window; of a day that was not over, `2026-05-04 until 13:05`."""
    return window(report) if report.is_over else f"{window(report)} until {report.made_at[11:16]}"


def headline(report: MonitorReport) -> Headline:
    """What an on-call engineer has to know first."""
    rows = f"{counted(report.rows_read, 'row')} of {period(report) if report.source == LOG else report.source}"
    if report.evidence is None:
        so_far = "" if report.is_over or report.rows else " No row of this day has come yet."
        return Headline("wait", "Nothing to compare", f"{report.model} v{report.version}: {rows}.{so_far}")
    rate = f"a false alarm in at most {share(report.false_alarms)} of months"
    if not report.drifted:
        weight = "well below" if report.evidence < 0.5 else "below"
        return Headline(
            "good",
            "No drift",
            f"{rows}: nothing moved by more than {tolerance(report)}, as far as {count(report.statistics)} shares of "
            f"rows show; the evidence is {weight} an alarm ({evidence(report.evidence)} of 1; {rate}).",
        )
    begun = "" if report.alarm_day is None else f" since {shown(report.alarm_day)}"
    return Headline("bad", f"Drift{begun}", f"{rows}: {moved(report)[0].rstrip('.')} ({rate}).")


def telling(report: MonitorReport) -> tuple[Finding, ...]:
    """The findings worth a sentence: where it is an alarm those that make it, one of each kind first."""
    clear = [each for each in report.findings if each.evidence >= _CLEAR]
    if not clear and report.drifted:
        clear = list(report.findings[:1])
    first: dict[str, Finding] = {}
    for finding in clear:
        first.setdefault(finding.measure, finding)
    rest = [each for each in clear if each not in first.values()]
    return (*first.values(), *rest)[:_MOST_MOVED]


def moved(report: MonitorReport) -> tuple[str, ...]:
    """What moved, a sentence each, the most telling first; after it the words that texts have more often.

    Of a measure's ranges, above this and above that, only the most telling is named: the others say the same.
    """
    of_range: dict[tuple[str, ...], Finding] = {}
    for finding in telling(report):
        way, _, limit = finding.part.partition(" ")
        is_range = bool(limit) and way in ("above", "below")
        of_range.setdefault((finding.measure, way if is_range else finding.part), finding)
    lines = [f"{_explained(each)}: {then_and_now(each)}." for each in of_range.values()]
    frequent = [word(each) for each in report.words if each.more][:_MOST_WORDS]
    if report.drifted and frequent:
        lines.insert(1, f"Words that texts have more often: {', '.join(frequent)} of texts.")
    return tuple(lines)


def listed(report: MonitorReport) -> tuple[Finding, ...]:
    """Findings of a table: those that say something, alone or over all days."""
    return tuple(each for each in report.findings if each.evidence >= _SLIGHT or each.p < _SLIGHT)


def then_and_now(finding: Finding) -> str:
    """`1.2 % of rows, 9.8 % now, +8.6 points (+6.1 to +11.1)`."""
    return f"{before(finding)} of rows, {share(finding.window.value)} now, {points_with_interval(finding.difference)}"


def before(finding: Finding) -> str:
    """The share it is compared with: the reference's, or the most that is allowed."""
    then = share(finding.reference.value)
    return f"at most {then}" if finding.is_limit else then


def evidence(value: float | None) -> str:
    """Evidence as a multiple of what makes an alarm: beyond a hundred nobody needs the digits."""
    if value is None or math.isnan(value):
        return "n/a"
    return "> 100" if value > 100 else f"{value:.2g}" if value >= 0.001 else "0"


def what(finding: Finding) -> str:
    """Which rows a finding is about, as the beginning of a sentence."""
    measure, part = finding.measure, finding.part
    if measure == "embedding":
        return f"Texts in region {part.removeprefix('cluster ')} of meanings" if part else "Texts of a new kind"
    if measure == ANSWER:
        if part in ("none", "no answer"):
            return "Rows without an answer"
        return f"Answers {part}" if part else "Answers that have become frequent"
    if measure.endswith(" filled") and part in ("yes", "no"):
        return f"Objects {'with' if part == 'yes' else 'without'} {measure.removesuffix(' filled')}"
    if measure == LATENCY:
        return f"Answers slower than {part.removeprefix('above ')} ms"
    subject = "Share of words that the model lacks" if measure == "unknown words" else measure[:1].upper() + measure[1:]
    return f"{subject} {part}".strip()


def _explained(finding: Finding) -> str:
    """The same for a message, whose readers need not know the measures."""
    measure, part = finding.measure, finding.part
    if measure in ("novelty", STRANGENESS) and part.startswith("above "):
        answered = "" if measure == "novelty" else ", answered unsurely"
        return f"Texts far from all that was learnt{answered} ({measure} {part})"
    return what(finding)


def word(moved_word: MovedWord) -> str:
    """`fleet: 0.1 → 4.2 % of texts`."""
    before, now = share(moved_word.before).removesuffix(" %"), share(moved_word.now)
    return f"{moved_word.word} {before} → {now}"


def accuracy(now: AccuracyNow) -> str:
    """`91.2 % (89.9–92.4) estimated without labels`, or why there is none."""
    if now.accuracy is None:
        return f"{now.by}: {now.note}"
    return f"{now.by}: {with_interval(now.accuracy)}, {now.note}"


def measured_then(report: MonitorReport) -> str:
    """What it was on the reference's rows."""
    measure = title(report.measure)
    if report.then is None:
        return f"{measure} was not measured on the reference"
    return f"{measure} {with_interval(report.then)} on {counted(report.reference_rows, 'held-out row')}"


def not_seen(report: MonitorReport) -> tuple[str, ...]:
    """What this look could not see, and why."""
    lines = [f"{line[:1].upper()}{line[1:]}." for line in report.not_measured]
    if report.traffic_rows:
        lines.append(
            f"Rows are compared with {counted(report.traffic_rows, 'row')} of the week before this version answered: "
            "what had moved by then is no drift of it."
        )
    lines += _strangers(report)
    if report.rows > report.rows_read:
        lines.append(
            f"{count(report.rows_read)} of {count(report.rows)} rows were looked at, drawn by chance; that is enough "
            "for shares, and not for single rows."
        )
    if report.not_logged:
        lines.append(f"{counted(report.not_logged, 'row was', 'rows were')} answered and could not be logged.")
    if report.other_rows:
        others = counted(report.other_rows, "row of the window was", "rows of the window were")
        lines.append(f"{others} answered by another version or by none.")
    return (*lines, CANNOT_SEE)


def _strangers(report: MonitorReport) -> list[str]:
    """How right the version would be if all texts were answered wrongly that lie further off than nearly all did."""
    estimated = next((each.accuracy for each in report.now if each.by == "no labels" and each.accuracy), None)
    far = [
        each for each in report.findings if each.measure == "novelty" and each.part.startswith("above") and each.more
    ]
    if estimated is None or not far:
        return []
    most = max(far, key=lambda each: each.difference.low)
    if most.difference.low <= report.tolerance:
        return []
    more, least = most.difference.value, max(0.0, estimated.value - most.difference.value)
    return [
        f"{share(more)} more rows than before are unlike nearly all that was learnt; the estimate without labels takes "
        f"them for rows that it knows. Were all of them answered wrongly, {share(least)} would be right."
    ]


def tolerance(report: MonitorReport) -> str:
    """So much may move without an alarm: `1 point`."""
    value = report.tolerance * 100
    return f"{value:g} {'point' if value == 1 else 'points'}"
