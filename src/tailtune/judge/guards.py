"""Floors beside the target: measures that no quality makes up for, such as the recall of one label.

A floor is *missed* where the measured value lies below it. A value that reaches it with an interval that does not is a
*doubt*: those rows cannot show it, which is named and forbids nothing. A missed floor keeps a candidate from staying,
winning and being promoted, a first version too.

Where labels are so uneven that accuracy hardly depends on the rare ones, macro F1 has a floor that nobody declared:
what it would be if the errors that the target allows fell on all rows alike. Below it, rare labels are neglected.
That floor is missed only where its whole interval lies below: who just reaches the target is as often above it. But who
stays has head-room, so a value below that floor says that rare labels are neglected: it needs more rows to stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from tailtune.core.figures import counted, share, short_of, with_interval
from tailtune.core.measures import title_of
from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import Guard, Scored

MUST_NOT_FAIL = "must_not_fail"
_NAMED = 3  # rows that must not fail, and did, that a reason names
IMBALANCED = 10.0
"""Times the rows of the rarest label that the most frequent has, from which macro F1 joins the target.

The archive of imbalanced data sets KEEL (Alcalá-Fdez et al. 2011) calls ratios above 9 highly imbalanced.
"""


def missed(scored: Scored, guards: Sequence[Guard]) -> str:
    """Which floors it misses, in words; empty when none."""
    return " and ".join(_words(scored, guard) for guard in guards if misses(scored, guard))


def doubted(scored: Scored, guards: Sequence[Guard]) -> str:
    """Which floors these rows cannot show that it reaches, in words; empty when none."""
    return " and ".join(_words(scored, guard) for guard in guards if doubtful(scored, guard))


def below(scored: Scored, guards: Sequence[Guard]) -> str:
    """Which floors its values lie below, missed or only in doubt, in words: so it cannot stay; empty when none."""
    return " and ".join(_words(scored, guard) for guard in guards if is_below(scored, guard))


def is_below(scored: Scored, guard: Guard) -> bool:
    """Whether the measured value lies below a floor, surely or not."""
    measured = scored.metrics.get(guard.metric)
    return _is_known(measured) and measured.value < guard.floor


def misses(scored: Scored, guard: Guard) -> bool:
    """Whether a floor is missed; what was not measured is a doubt."""
    measured = scored.metrics.get(guard.metric)
    return _is_known(measured) and (measured.high if guard.why else measured.value) < guard.floor


def surely_misses(scored: Scored, guard: Guard) -> bool:
    """Whether it is missed, and no further rows would show otherwise."""
    measured = scored.metrics.get(guard.metric)
    if not _is_known(measured):
        return False
    return (measured.value if guard.metric == MUST_NOT_FAIL else measured.high) < guard.floor


def doubtful(scored: Scored, guard: Guard) -> bool:
    """Whether a floor was not measured, or is reached by the value and not by its interval."""
    measured = scored.metrics.get(guard.metric)
    if not _is_known(measured):
        return True
    return guard.metric != MUST_NOT_FAIL and measured.low < guard.floor and not misses(scored, guard)


def worst_doubt(scored: Scored, guards: Sequence[Guard]) -> float:
    """How far the low end of a doubtful measure lies below its floor, as a share of 1, for the one it is farthest.

    0 where no floor is in doubt; infinite where one was not measured.
    """
    return max((guard.floor - _low_end(scored, guard) for guard in guards if doubtful(scored, guard)), default=0.0)


def refusal(winner: Scored, guards: Sequence[Guard]) -> Decision | None:
    """The refusal to promote what clearly misses a floor, against a champion or without one; None where it does not."""
    words = missed(winner, guards)
    if not words:
        return None
    return Decision(
        yes=False,
        reason=f"not promoted: {words}; to promote it by hand, move the alias `champion` to it in MLflow (make ui)",
    )


def imbalance(rows: Mapping[str, int]) -> float:
    """Rows of the most frequent label over those of the rarest that has any; 1 without two labels."""
    counts = [count for count in rows.values() if count]
    return max(counts) / min(counts) if len(counts) > 1 else 1.0


def by_default(rows: Mapping[str, int], accuracy: float) -> Guard | None:
    """The floor of macro F1 where nobody declared one; None where labels are even enough.

    Args:
        rows: Label → train rows.
        accuracy: The target, 0 to 1.
    """
    ratio = imbalance(rows)
    if ratio < IMBALANCED:
        return None
    floor = math.floor(even_macro_f1([count for count in rows.values() if count], accuracy) * 1000) / 1000
    return Guard(
        metric="macro_f1",
        floor=floor,
        why=f"the most frequent label has {ratio:,.0f} times the rows of the rarest, so accuracy alone would not show "
        f"that rare ones fail: {share(floor)} is the macro F1 of errors that fall on all rows alike at the target "
        f"{share(accuracy)} (targets.macro_f1 sets another floor, 0 none)",
    )


def even_macro_f1(rows: Sequence[int], accuracy: float) -> float:
    """Macro F1 if every row is right with the same probability, and wrong answers are drawn by how frequent labels are.

    Args:
        rows: Rows of each label, at least 1, two labels or more.
        accuracy: That probability, 0 to 1.
    """
    total = sum(rows)
    shares = [count / total for count in rows]
    spread = sum(own / (1 - own) for own in shares)  # of all wrong rows, by the label they should have had
    scores = []
    for own in shares:
        wrong = (1 - accuracy) * own * (spread - own / (1 - own))  # rows of other labels that are answered with it
        scores.append(2 * accuracy * own / (2 * accuracy * own + wrong + (1 - accuracy) * own))
    return sum(scores) / len(scores)


def _low_end(scored: Scored, guard: Guard) -> float:
    measured = scored.metrics.get(guard.metric)
    return measured.low if _is_known(measured) else -math.inf


def _is_known(measured: Estimate | None) -> TypeGuard[Estimate]:
    return measured is not None and not math.isnan(measured.value)


def _words(scored: Scored, guard: Guard) -> str:
    """`recall of fraud is 20.0 % (12.1 to 30.0) on 80 rows, below its floor 80.0 %`."""
    name, measured = title_of(guard.metric), scored.metrics.get(guard.metric)
    if not _is_known(measured):
        return f"{name} was not measured, and has the floor {share(guard.floor)}"
    if guard.metric == MUST_NOT_FAIL:
        wrong = round((1 - measured.value) * measured.rows)
        shown = ", ".join(scored.must_failed[:_NAMED]) + (", …" if len(scored.must_failed) > _NAMED else "")
        which = f" ({shown})" if shown else ""
        return f"it answers {wrong:,} of the {counted(measured.rows, 'row')} that must not fail wrongly{which}"
    on = counted(measured.rows, "row")
    lies = f"not surely at the floor {share(guard.floor)}"
    if misses(scored, guard):
        lies = short_of(measured.value, guard.floor, "below the floor")
    return f"its {name} is {with_interval(measured)} on {on}, {lies}"
