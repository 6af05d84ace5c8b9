"""A year of retrains: what is promoted by luck, what is started in vain, and how soon drift is mended.

    python benchmarks/retraining.py [--years 200] [--seed 1]

Models are simulated, and nothing else: gate, count of looks, drift detector and reckoning are the product's own. A
version is right on a row by a hidden normal value, most of which is how hard the row is, so that a champion and its
retrains agree on most rows. The oracle is that generator: the true quality of every version on every kind of row is
set.

Each week people label 50 rows, drawn at random from those that were asked (an audit), and every day they send right
answers to one in fifty wrong ones. When drift alarms they audit 200 rows at once, and 200 a week while it goes on; and
by the end of that week they have named the new kinds, and labelled 60 rows of them for training. Audited rows become
test rows, beside those of the beginning. A model answers 1,000 requests a day; a retrain costs $152, most of it two
hours of a person. The monitor looks every night at 500 rows. Every night of an alarm is a way in, and so is the end of
every week, by schedule and by labels.

| setting | what happens | what counts |
| --- | --- | --- |
| by hand | a retrain each week, whatever it is worth; every version is as good as the first | promotions |
| quiet | the same, where a retrain starts only if it is worth it | promotions; retrains started |
| new | from week 20 on a share of requests is of kinds that nobody has labelled before | weeks to a promotion |

A retrain learns the new kinds from the rows of them that people labelled: of n, it gets 85 % · (1 − exp(−n / 25))
right.

Aims: at most 5 % of years promote what is no better; where all errors that a retrain could win back cost less than it,
at most 5 % of years start one (what is at stake is estimated from few audited rows); where they cost more than twice as
much, half of years have a better version within two weeks of the drift.
`won` are the errors that were avoided until the end of the year, in dollars, less those of promoting what is worse.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

from tailtune.core.monitored import DayCounts, Sample
from tailtune.core.records import Estimate, Look, Row
from tailtune.core.reports import CostLine, Paired
from tailtune.core.retrains import Because
from tailtune.judge import drift
from tailtune.judge.counted import Counted
from tailtune.judge.intervals import difference, least_difference, swap_test
from tailtune.judge.looks import LEAST_NEWEST, NEWEST, halves
from tailtune.judge.promote import Compared, promote
from tailtune.judge.retrain import AtStake, Circumstances, decide, reckon
from tailtune.judge.shares import share_of
from tailtune.lifecycle.register.looks import TEST_ROWS, Sketch, look_at, looks_of, noting
from tailtune.services.mlflow.registry import Version

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
WEEKS, ONSET, DAYS = 52, 20, 7
QUALITY, BLIND, BEST, LABELS = 0.92, 0.05, 0.85, 25.0
"""True quality on what is known; on new kinds without labels, with any number of them; labels for 63 % of the way."""
COMMON = 0.85
REFERENCE, NIGHT_ROWS, AUDIT, AUDIT_IN_ALARM, NAMED = 3_000, 500, 50, 200, 60
REQUESTS, SENT = 1_000, 0.02
PERSON_USD, MACHINE_USD = 150.0, 2.0
COSTS = (
    CostLine(what="machine and bought answers", usd=MACHINE_USD, basis="simulated"),
    CostLine(what="a person's time", usd=PERSON_USD, basis="2 h × $75", hidden=True),
)
COOLDOWN, MIN_LABELS, RATE, MARGIN = 6.0, 50, 0.05, 0.01
FARTHER, LESS_SURE = 1.6, 1.0
"""Standard deviations by which texts of new kinds are farther off, and the model is less sure of them."""
AIM_LUCK, AIM_VAIN, AIM_WEEKS = 0.05, 0.05, 2


@dataclass(frozen=True)
class Setting:
    """One per line of the table.

    Attributes:
        name: As printed.
        error_usd: What a wrong answer costs.
        share: Of requests that are of new kinds from week 20 on.
        by_hand: Whether a retrain is started each week.
        test_rows: Of the beginning.
    """

    name: str
    error_usd: float
    share: float = 0.0
    by_hand: bool = False
    test_rows: int = 1_000


SETTINGS = (
    Setting("by hand, every week", 1.0, by_hand=True),
    Setting("the same, 300 test rows", 1.0, by_hand=True, test_rows=300),
    Setting("quiet, $0.10 an error", 0.1),
    Setting("quiet, $1 an error", 1.0),
    Setting("quiet, $10 an error", 10.0),
    Setting("10 % new, $0.10 an error", 0.1, 0.1),
    Setting("10 % new, $1 an error", 1.0, 0.1),
    Setting("10 % new, $10 an error", 10.0, 0.1),
    Setting("30 % new, $1 an error", 1.0, 0.3),
)


@dataclass
class Model:
    """One per version: what it is truly like, and its luck on each row."""

    version: Version
    quality: tuple[float, float]
    luck: list[Floats] = field(default_factory=list)

    def right(self, kinds: NDArray[np.int64]) -> Bools:
        """Which rows it has right."""
        found: Bools = np.concatenate(self.luck) < norm.ppf(np.array(self.quality))[kinds]
        return found


@dataclass
class Outcome:
    """One per year."""

    started: dict[str, int] = field(default_factory=dict)
    lucky: int = 0
    promoted_week: float | None = None
    spent_usd: float = 0.0
    won_usd: float = 0.0


class Year:
    """One year of one use case."""

    def __init__(self, setting: Setting, random: np.random.Generator) -> None:
        self.setting, self.random, self.outcome = setting, random, Outcome()
        rows = setting.test_rows
        self.hard, self.kinds = random.standard_normal(rows), np.zeros(rows, dtype=np.int64)
        self.rows = [Row(f"t{number}", f"t{number}", "", "", "test") for number in range(rows)]
        self.there: list[Version] = []
        self.champion = self._model((QUALITY, BLIND))
        self.then = share_of(int(random.binomial(REFERENCE, QUALITY)), REFERENCE)
        self.now: Estimate | None = None
        self.labels_of_new = 0
        self.given: list[int] = []
        self.last_day: float | None = None
        self.alarm_day: int | None = None
        self.watch = Watch(random)

    def lived(self) -> Outcome:
        """Live it."""
        for week in range(WEEKS):
            share = self.setting.share if week >= ONSET else 0.0
            alarms = [] if self.setting.by_hand else self.watch.week(week, share)
            was_alarming = self.alarm_day is not None
            for night in range(DAYS):
                day = week * DAYS + night
                self.sent(share, day)
                if night in alarms and self.watch.is_on:
                    if self.alarm_day is None:
                        self.alarm_day = day
                        self.audit(share, AUDIT_IN_ALARM)
                    self.way_in("drift", day + 1, share)
            end = (week + 1) * DAYS
            self.audit(share, AUDIT_IN_ALARM if was_alarming and alarms else AUDIT)
            if share and alarms and not was_alarming:
                self.labels_of_new += NAMED
                self.given += [end - 1] * NAMED
            for because in ("hand",) if self.setting.by_hand else ("drift", "schedule", "labels"):
                if because != "drift" or (alarms and self.watch.is_on):
                    self.way_in(because, end, share)  # type: ignore[arg-type]
            self.alarm_day = self.alarm_day if alarms else None
            first = QUALITY * (1 - share) + BLIND * share
            self.outcome.won_usd += (self.true(share) - first) * REQUESTS * DAYS * self.setting.error_usd
        return self.outcome

    def true(self, share: float) -> float:
        """The champion's true quality on what is asked now."""
        usual, new = self.champion.quality
        return usual * (1 - share) + new * share

    def audit(self, share: float, audited: int) -> None:
        """So many rows that people label."""
        hard, kinds = self.random.standard_normal(audited), (self.random.random(audited) < share).astype(np.int64)
        start = len(self.rows)
        self.rows += [Row(f"a{start + n}", f"a{start + n}", "", "", "test") for n in range(audited)]
        self.hard, self.kinds = np.concatenate([self.hard, hard]), np.concatenate([self.kinds, kinds])
        self.champion.luck.append(self._luck(hard))
        right = self.champion.right(self.kinds)[start:]
        self.now = share_of(int(right.sum()), audited)

    def sent(self, share: float, day: int) -> None:
        """Right answers that people send in a day."""
        usual, new = self.champion.quality
        sent = self.random.poisson(SENT * REQUESTS * np.array([(1 - share) * (1 - usual), share * (1 - new)]))
        self.labels_of_new += int(sent[1])
        self.given += [day] * int(sent.sum())

    def way_in(self, because: Because, day: int, share: float) -> None:
        """Decide, and retrain where that is worth it."""
        if self.now is None:
            return
        stake = AtStake(
            self.then, self.now, "an audit", REQUESTS, "declared", self.setting.error_usd, float(DAYS), COSTS
        )
        since = None if self.last_day is None else day - self.last_day
        began = None if self.alarm_day is None else self.alarm_day - DAYS
        of_drift = None if began is None else sum(each >= began for each in self.given)
        around = Circumstances(
            new_labels=len(self.given),
            min_new_labels=MIN_LABELS,
            drift_labels=of_drift,
            days_since_last=since,
            cooldown_days=COOLDOWN,
        )
        if not decide(because, reckon(stake), around).go:
            return
        self.outcome.started[because] = self.outcome.started.get(because, 0) + 1
        self.outcome.spent_usd += PERSON_USD + MACHINE_USD
        self.last_day, self.given = day, []
        learnt = BLIND + (BEST - BLIND) * (1 - math.exp(-self.labels_of_new / LABELS))
        candidate = self._model((QUALITY, learnt))
        if self._promotes(candidate):
            before = self.true(share)
            self.champion = candidate
            self.watch.stop()
            self.then = share_of(int(self.random.binomial(REFERENCE, self.true(share))), REFERENCE)
            if self.true(share) <= before:
                self.outcome.lucky += 1
            elif self.outcome.promoted_week is None:
                self.outcome.promoted_week = day / DAYS - ONSET

    def _model(self, quality: tuple[float, float]) -> Model:
        tags = {TEST_ROWS: Sketch.of(self.rows).tag}
        made_ms = 0 if not self.there else self.there[0].made_ms + 1
        version = Version("inbox", str(len(self.there) + 1), "run", (), tags, made_ms)
        self.there.insert(0, version)
        return Model(version, quality, [self._luck(self.hard)])

    def _luck(self, hard: Floats) -> Floats:
        return math.sqrt(COMMON) * hard + math.sqrt(1 - COMMON) * self.random.standard_normal(hard.size)

    def _promotes(self, candidate: Model) -> bool:
        champion, newest = self.champion, None
        at = look_at(self.there, candidate.version, champion.version, self.rows, lambda _: True)
        noted = noting(candidate.version, champion.version, at)
        self.there[0] = candidate.version = replace(candidate.version, tags={**candidate.version.tags, **noted})
        right = [each.right(self.kinds) for each in (candidate, champion)]
        audited = len(self.rows) - self.setting.test_rows
        if audited >= LEAST_NEWEST:
            in_year = sum(bool(looks_of(each)) for each in self.there)
            at, of_newest = halves(at, in_year)
            newest = compared([each[-min(NEWEST, audited) :] for each in right], of_newest)
        return promote(compared(right, at), "better", MARGIN, newest).yes


def compared(right: Sequence[Bools], at: Look) -> Compared:
    """Candidate and champion on the same rows, as the gate has them."""
    ours, theirs = map(Counted.shares, right)
    gap = difference(ours, theirs)
    p = swap_test(ours, theirs, None, max(4_000, math.ceil(5 / at.error))) if gap.low > 0 else 1.0
    paired = Paired(first="new", second="old", difference=gap, only_first_right=0, only_second_right=0, p=p)
    return Compared(champion="1", paired=paired, look=at, least=least_difference(ours, theirs, None, 2 * at.error))


class Watch:
    """The monitor of a version: two measures of each row, how far off it is and how sure the model was."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random, self.is_on = random, True
        self.reference = drift.Reference.of(self._sample(REFERENCE, 0.0))
        self.days: list[DayCounts] = []

    def stop(self) -> None:
        """Another version answers; what its monitor sees is not simulated."""
        self.is_on = False

    def week(self, week: int, share: float) -> list[int]:
        """Nights of a week, from 0, on which it is an alarm."""
        if not self.is_on:
            return []
        for night in range(DAYS):
            rows = self._sample(NIGHT_ROWS, share)
            self.days.append(drift.count(self.reference, rows, week * DAYS + night, self.days))
        seen = drift.look(self.reference, self.days[-8 * DAYS :], rate=RATE)
        return [night for night, evidence in enumerate(seen.path[-DAYS:]) if evidence >= 1]

    def _sample(self, rows: int, share: float) -> Sample:
        new = self.random.random(rows) < share
        return Sample(
            rows,
            {
                "novelty": self.random.standard_normal(rows) + FARTHER * new,
                "confidence": self.random.standard_normal(rows) - LESS_SURE * new,
            },
            {},
        )


def lived(setting: Setting, seed: int, number: int) -> Outcome:
    return Year(setting, np.random.default_rng([seed, number, SETTINGS.index(setting)])).lived()


def line(setting: Setting, years: Sequence[Outcome]) -> tuple[str, list[str]]:
    """A line of the table, and the aims that it misses."""
    count = len(years)
    lucky = sum(each.lucky > 0 for each in years)
    low = 0.0 if not lucky else float(beta.ppf(0.025, lucky, count - lucky + 1))
    high = 1.0 if lucky == count else float(beta.ppf(0.975, lucky + 1, count - lucky))
    ways = {
        way: sum(each.started.get(way, 0) for each in years) / count for way in ("schedule", "drift", "labels", "hand")
    }
    started = "  ".join(f"{value:6.2f}" for value in ways.values())
    spent, won = (float(np.mean([getattr(each, name) for each in years])) for name in ("spent_usd", "won_usd"))
    text = (
        f"{setting.name:26}{lucky / count:6.1%} ({low:.1%} to {high:.1%})".ljust(52)
        + f"{started} {spent:9,.0f} {won:10,.0f}"
    )
    missed = [] if lucky <= AIM_LUCK * count else [f"{setting.name}: {lucky / count:.1%} of years promote by luck"]
    most_usd = setting.error_usd * max(setting.share, 1 - QUALITY) * REQUESTS * DAYS
    in_vain = sum(bool(each.started) for each in years)
    if not setting.by_hand and most_usd < PERSON_USD + MACHINE_USD and in_vain > AIM_VAIN * count:
        missed.append(f"{setting.name}: {in_vain / count:.1%} of years start a retrain that cannot pay")
    if setting.share:
        weeks = sorted(math.inf if each.promoted_week is None else each.promoted_week for each in years)
        median, in_time = weeks[count // 2], float(np.mean([each <= AIM_WEEKS for each in weeks]))
        text += (
            f"   {'never' if math.isinf(median) else f'{median:.1f}':>6}{in_time:8.0%}{np.isfinite(weeks).mean():8.0%}"
        )
        worth_usd = setting.error_usd * setting.share * (QUALITY - BLIND) * REQUESTS * DAYS
        if worth_usd > 2 * (PERSON_USD + MACHINE_USD) and median > AIM_WEEKS:
            missed.append(f"{setting.name}: promoted after {median:.1f} weeks in the median")
    return text, missed


def main() -> int:
    """Print the table; 1 if an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--years", type=int, default=200, help="of each setting")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="settings whose name has this")
    options = parser.parse_args()
    began, missed = time.monotonic(), []
    print(f"{'':52}{'retrains started a year, by':32}{'dollars a year':>20}   weeks from drift to a promotion")
    print(
        f"{'':26}{'promoted by luck':26}schedule  drift  labels    hand     spent        won   median  in two    ever"
    )
    with ProcessPoolExecutor(2) as pool:
        for setting in SETTINGS:
            if options.only and options.only not in setting.name:
                continue
            years = list(pool.map(partial(lived, setting, options.seed), range(options.years), chunksize=10))
            text, failed = line(setting, years)
            missed += failed
            print(text, flush=True)
    print(f"{time.monotonic() - began:.0f} s")
    for each in missed:
        print(f"FAILED  {each}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
