"""The gate before champion: pure, and with its reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from tailtune.core.figures import counted, p_value, points, points_with_interval, two_digits
from tailtune.core.records import Decision, Estimate, Look
from tailtune.core.reports import CandidateResult, Paired, SliceChange
from tailtune.judge.constraints import above, no_better, usd_between

Rule = Literal["better", "not-worse"]
_POWER = 0.8


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One per version at the gate where there is a champion: both on the same test rows.

    Attributes:
        champion: Version that is champion now.
        paired: Candidate (first) against the champion (second), with its 95 % interval.
        look: How often this test set has been looked at, and what this look may spend.
        least: How far the candidate may be behind, −1 to 1: the low end of the difference at the error of the look.
        net: Net value of the candidate over the champion, US dollars over the horizon; None when not known.
        months: Of the horizon.
        slices: The same slice by slice.
    """

    champion: str
    paired: Paired
    look: Look
    least: float
    net: Estimate | None = None
    months: int = 12
    slices: tuple[SliceChange, ...] = ()


def promote(compared: Compared | None, rule: Rule, margin: float, newest: Compared | None = None) -> Decision:
    """Whether the evaluation's winner becomes champion.

    `better`: the paired interval lies above 0, and the one-sided p is below the error that this look may spend.
    `not-worse`: at that error the candidate is at most `margin` behind; where the net value is known, it is not
    negative either. So any number of looks at one test set promote by luck in at most 5 % of cases (`looks.py`).

    After drift most test rows are of before, and hide what a version has learnt since: so it may also be better on the
    newest audited rows, which are what is asked now, unless it is worse on all rows together.

    Args:
        compared: The comparison with the present champion; None when there is none.
        rule: As declared.
        margin: What a candidate may be worse and still count as not worse, 0 to 1.
        newest: The comparison on the newest audited rows alone, for the rule `better`; None where these are few.
    """
    if compared is None:
        return Decision(yes=True, reason="first version: there is no champion to beat")
    if rule == "not-worse":
        return _not_worse(compared, margin)
    decision = _better(compared)
    if decision.yes or newest is None:
        return decision
    of_newest, lately = _better(newest), f"on the newest audited rows {_shown(newest)}"
    if of_newest.yes and compared.paired.difference.high >= 0:
        return Decision(yes=True, reason=f"better on what is asked now: {lately}; on all {_shown(compared)}")
    return Decision(yes=False, reason=f"{decision.reason}; {lately}")


def _shown(compared: Compared) -> str:
    """`+2.0 points against champion v3 (+0.4 to +3.6) on 1,000 test rows, p = 0.002, look 1 of this test set`."""
    gap = compared.paired.difference
    return (
        f"{points(gap.value)} points against champion v{compared.champion} "
        f"({points(gap.low)} to {points(gap.high)}) on {counted(gap.rows, 'test row')}, "
        f"{p_value(compared.paired.p)}, {compared.look.words}"
    )


def _better(compared: Compared) -> Decision:
    level = 2 * compared.look.error  # p is two-sided
    if compared.paired.difference.low > 0 and compared.paired.p < level:
        return Decision(yes=True, reason=f"better: {_shown(compared)}")
    return Decision(
        yes=False,
        reason=f"not promoted: {_shown(compared)}; the rule `better` wants the low end above 0 and, at this look, "
        f"p < {level:.2g}",
    )


def _not_worse(compared: Compared, margin: float) -> Decision:
    gap, shown, dearer = compared.paired.difference, _shown(compared), _dearer(compared)
    behind = f"at this look it may be {_behind(compared.least)}"
    wants = f"the rule `not-worse` allows {margin * 100:.1f} (targets.margin)"
    if math.isnan(compared.least):
        return Decision(yes=False, reason=f"not promoted: {shown}; nothing in these rows can be compared")
    if compared.least > -margin:
        if compared.net is None or compared.net.value >= 0:
            return Decision(yes=True, reason=f"not worse: {shown}; {behind}, {wants}{dearer}")
        blocked = "; its net value blocks it"
    elif gap.high < 0:
        blocked = "; it is worse"
    else:
        rows = rows_to_show(compared, margin)
        blocked = f"; {gap.rows:,} test rows cannot show it, about {rows:,} would if both are equally good"
    return Decision(yes=False, reason=f"not promoted: {shown}; {behind}, {wants}{blocked}{dearer}")


def _behind(least: float) -> str:
    """`up to 0.8 points worse`; a candidate that is surely ahead may not be worse at all."""
    return f"up to {-least * 100:.1f} points worse" if least < 0 else "no worse at all"


def _dearer(compared: Compared) -> str:
    """Which of the two is dearer, wrong answers included, as the end of a sentence; empty where it is not known."""
    net = compared.net
    if net is None:
        return ""
    who = f"champion v{compared.champion}" if net.value > 0 else "the candidate" if net.value < 0 else "neither"
    return (
        f"; {who} is the dearer over {counted(compared.months, 'month')}, wrong answers included: the candidate's net "
        f"value is {usd_between(net)}"
    )


def rows_to_show(compared: Compared, margin: float) -> int:
    """About how many test rows would show that two that are equally good are not `margin` apart, in 80 % of cases.

    Two digits. Rows that stand in groups count with the groups they have now: more rows means more groups.
    """
    gap, normal = compared.paired.difference, NormalDist()
    spread = (gap.value - compared.least) / normal.inv_cdf(1 - compared.look.error)
    reach = normal.inv_cdf(1 - compared.look.error) + normal.inv_cdf(_POWER)
    rows = gap.rows * (spread * reach / margin) ** 2
    return max(gap.rows + 1, int(two_digits(rows, math.ceil, least=1.0)))


def not_above(winner: CandidateResult, line: CandidateResult | None) -> Decision | None:
    """The refusal when the winner answers no better than what ignores the text: nobody should be served by it.

    Args:
        winner: Of the evaluation, on test.
        line: The best of what ignores the text, on the same rows; None when none was measured.

    Returns:
        None when the winner is above the line.
    """
    if line is None or above(winner, line):
        return None
    return Decision(
        yes=False,
        reason=f"not promoted: {no_better(winner, line)}; to promote it by hand, move the alias `champion` to it in "
        "MLflow (make ui)",
    )


def worse_in_a_slice(found: Sequence[SliceChange]) -> Decision | None:
    """The refusal of what is clearly worse than the champion in a slice; None where it is nowhere."""
    words = "; ".join(in_words(change) for change in found if change.is_worse)
    if not words:
        return None
    return Decision(yes=False, reason=f"not promoted: clearly worse than the champion in a slice: {words}")


def in_words(change: SliceChange) -> str:
    """`channel phone: −12.0 points (−18.1 to −6.0) on 200 test rows`."""
    gap = change.comparison.difference
    where = f"{change.name} {change.value or '(empty)'}"
    return f"{where}: {points_with_interval(gap)} on {counted(gap.rows, 'test row')}"


def not_answered(champion: str, why: str, use_case: str) -> Decision:
    """The refusal when a prompted model that must be compared could not answer: endpoint, weights or money are gone.

    Args:
        champion: Version that is champion.
        why: Which model could not answer, and its error; one sentence without full stop.
        use_case: Whose version it is.

    Returns:
        Never yes: a version that was not compared does not become champion by itself.
    """
    return Decision(
        yes=False,
        reason=f"not promoted: it could not be compared with champion v{champion}: {why}; put the endpoint or the "
        f"weights back, or raise prompt.max_cost_usd, then run `tailtune register {use_case}` again; or, to promote "
        "this version by hand, move the alias `champion` to it in MLflow (make ui)",
    )


def not_asked(champion: str, why: str, remedy: str) -> Decision:
    """The refusal when the champion's files name an address or a key that is not declared on this side.

    Args:
        champion: Version that is champion.
        why: Where it would have sent the texts; one sentence without full stop.
        remedy: What to do if the address is trusted.

    Returns:
        Never yes: a version that was not compared does not become champion by itself.
    """
    return Decision(
        yes=False,
        reason=f"not promoted: champion v{champion} was not asked, so nothing could be compared: {why}; {remedy}; or, "
        "to promote this version by hand, move the alias `champion` to it in MLflow (make ui)",
    )


def not_comparable(champion: str, alike: bool | None) -> Decision | None:
    """Whether the champion may have been trained on rows that are test rows now; then nothing is promoted.

    Args:
        champion: Version that is champion.
        alike: Whether its rows were split as the candidate's are; None when it was not recorded.

    Returns:
        A refusal, or None when both split alike: no row that the champion learned from can be a test row.
    """
    if alike:
        return None
    why = "how its rows were split was not recorded" if alike is None else "its rows were split differently"
    return Decision(
        yes=False,
        reason=f"not promoted: champion v{champion} cannot be compared, {why}, so it may have learned from today's "
        f"test rows; to promote this version by hand, move the alias `champion` to it in MLflow (make ui)",
    )
