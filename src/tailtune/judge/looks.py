"""A test set wears out: each version that is compared on it is a look, and may be promoted by luck. Pure.

5 % is spent over all looks at a test set together, however many there will be (alpha spending; the union bound holds
whatever the looks have in common): a year of retrains that are no better ends in a promotion in at most 5 % of cases.
The first looks may spend most, since most test sets are looked at a few times; up to the 20th the share falls slowly,
so that a real gain still shows, and from there fast, so that all shares together stay below one.

`benchmarks/promotions.py` measures what is promoted by luck, and what a real gain needs.

Source: Lan and DeMets (1983) for spending an error rate over looks; Blum and Hardt (2015) and Dwork et al. (2015) for
test sets that are used again.
"""

from __future__ import annotations

from tailtune.core.records import FRESH_FROM, Look

NEWEST, LEAST_NEWEST = 400, 100
"""Newest audited rows that a version may win by, and from how many on."""
A_YEAR = "this year"
ERROR = 0.05
"""Probability of any promotion by luck, over all looks at one test set."""
_FIRST, _DECAY, _FALL = 0.124, 0.6, 3.0


def look(number: int) -> Look:
    """A look at a test set, with what it may spend.

    Args:
        number: 1 for the first version that is compared on these test rows.

    Raises:
        ValueError: It is below 1.
    """
    if number < 1:
        raise ValueError(f"look {number}: expected 1 or more")
    share = _FIRST * min(number, FRESH_FROM) ** -_DECAY
    if number > FRESH_FROM:
        share *= (FRESH_FROM / number) ** _FALL
    return Look(number=number, error=ERROR * share)


def halves(all_rows: Look, in_year: int) -> tuple[Look, Look]:
    """The looks of a version that may win on all test rows or on the newest audited ones: half of the error for each.

    Newest rows are always fresh, so their looks are counted over a year: else each set of them would have 5 % of its
    own to promote by luck.

    Args:
        all_rows: Look at the whole test set.
        in_year: Versions that were compared within a year, this one included.
    """
    newest = look(in_year)
    return (
        all_rows.model_copy(update={"error": all_rows.error / 2}),
        newest.model_copy(update={"error": newest.error / 2, "of": A_YEAR}),
    )
