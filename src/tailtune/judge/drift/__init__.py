"""Drift between the rows that a version was measured on and those that it answers, looked at every day. Pure.

    reference = Reference.of(sample, tolerance=0.01)          # once per version; made again, it is the same
    today = count(reference, sample_today, day, earlier)      # once per day: all that later looks need of its rows
    seen = look(reference, [*earlier, today], rate=0.05)      # any number of times
    rows = examples(reference, sample_today, seen.findings[0])  # rows that show a finding

**A day that is not over** may be looked at: its evidence is a likelihood ratio of the rows so far, and without drift no
further row is expected to raise it. So the bound, which holds at any moment, counts the days begun, however often they
are looked at. What is asked of a row must not depend on later rows: so the first night's direction, which is learnt
from every second row of that night, waits until the day is over.

**What is measured** is always a share of rows: below or above a quantile of the reference's numbers, of one category,
in one region of the embedding space; and, most powerful, rows that look like the window of *earlier* days more than
like the reference (`learned.py`). **The null** is that a share differs by no more than the tolerance from the true
share of which the reference is a sample: a trifle raises no alarm however large the window, and a small reference is
not taken for the truth. **The evidence** is a Shiryaev–Roberts e-detector over days (`detector.py`): over any N days
from a start without drift an alarm comes with probability rate · N / 30 at most, however many statistics there are.

A measure that a day's sample does not list is not measured that day; one that is listed and NaN (or None) in a row is a
row without it, and how many of these there are is itself watched. After an alarm that has been seen to, hand in
`since`: evidence is gathered anew from that day on.

Limit: rows of a day are taken to be independent. Many rows of one customer or thread count for more than they are
worth.
"""

from __future__ import annotations

from tailtune.judge.drift.counting import count
from tailtune.judge.drift.examples import examples
from tailtune.judge.drift.looking import Look, look
from tailtune.judge.drift.reference import TOLERANCE, Limit, Reference, strangeness

__all__ = ["TOLERANCE", "Limit", "Look", "Reference", "count", "examples", "look", "strangeness"]
