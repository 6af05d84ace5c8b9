"""The verdict in words that an owner understands who never trained a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tailtune.core.money import Usd
from tailtune.core.records import Estimate, Serving
from tailtune.core.reports import (
    CandidateCost,
    CandidateResult,
    CostLine,
    DecideReport,
    Economics,
    EvaluateReport,
    FinalVerdict,
    PromptedRung,
    PromptReport,
    Settled,
    Verdict,
)
from tailtune.judge.ceiling import REVIEW_FIRST
from tailtune.judge.economics import DECLARED_AS, MONTH_DAYS
from tailtune.judge.net_value import FINE_TUNE
from tailtune.report.numbers import (
    OWNERS,
    WHOLE,
    bounds,
    called,
    count,
    counted,
    dollars_between,
    duration,
    milliseconds,
    ms,
    percent,
    phrase,
    points,
    points_short,
    reached,
    requests_a_day,
    sentence,
    share,
    usd,
    volume,
)
from tailtune.report.story import Bill, BillLine, Story

Tone = Literal["good", "wait", "bad"]
_MOST_STEPS = 40
"""Steps of a line that a picture can show."""
VERDICTS: dict[Verdict, str] = {
    "stay": "Stay with what needs no training",
    "fine-tune": "A fine-tune can pay",
    "not-yet": "Not yet",
}
SETTLED: Mapping[Settled, str] = {
    "stays": "meets the target",
    "falls short": "cannot meet it",
    "better": "clearly better",
    "not better": "not better enough",
    "all rows": "asked every row",
    "budget": "money ran out",
    "time": "time ran out",
}
"""Why buying stopped, in a few words."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One per story: what to do, and why, in a sentence or two.

    Attributes:
        tone: good: there is a verdict to act on; wait: something is missing; bad: a gate is closed.
        title: What to do, in a few words.
        why: The reason, in plain sentences.
    """

    tone: Tone
    title: str
    why: str


def headline(story: Story) -> Headline:
    """What the reports say in the end: the newest gate speaks."""
    if story.failed:
        return _closed(story)
    if story.stopped or story.left_out:
        return _unfinished(story)
    if story.evaluate is not None and story.evaluate.final is not None and story.evaluate.final.verdict == "not-yet":
        return _not_yet(story, story.evaluate)
    if story.evaluate is not None and story.fine_tune is not None:
        return _tested(story, story.evaluate)
    if story.decide is not None:
        return _decided(story)
    done = ", ".join(report.stage for report in story.reports) or "nothing"
    return Headline("wait", "No decision yet", f"Finished so far: {done}.")


def after_test(decided: DecideReport, final: FinalVerdict) -> str:
    """The verdict after the test, in a few words; there is no fine-tune to use where none might be trained."""
    use = "use the fine-tune" if decided.train.yes else "a fine-tune can pay"
    words: dict[Verdict, str] = {"stay": "stay", "fine-tune": use, "not-yet": "not yet"}
    return words[final.verdict]


def _closed(story: Story) -> Headline:
    failed = story.failed
    of = len(story.validate.expectations) if story.validate else len(failed)
    return Headline(
        "bad",
        "Stopped: the rows do not pass",
        f"{len(failed)} of {counted(of, 'check')} failed, so nothing was measured or trained. "
        "Correct the rows below, or the expectation, and run again.",
    )


def _unfinished(story: Story) -> Headline:
    """No verdict: what is there is half a run, or belongs to an earlier one."""
    done = ", ".join(report.stage for report in story.reports)
    facts = [f"Finished: {done}." if done else "No stage has finished."]
    if story.left_out:
        facts.append(f"Left out, as they are of an earlier run: {', '.join(story.left_out)}.")
    if not story.stopped:
        return Headline("wait", f"Not finished: {story.due} is next", " ".join(facts))
    if story.due:
        return Headline("bad", f"Stopped at {story.due}", " ".join(["The reason stands above.", *facts]))
    why = "The reason stands above. All reports are of an earlier run, so they are not shown here."
    return Headline("bad", "Stopped before a stage began", why)


_NOT_ALL = "the fine-tune is better, but not in all that is needed (the reason says what)"


def _tested(story: Story, found: EvaluateReport) -> Headline:
    tuned, comparison = story.fine_tune, found.comparison
    winner = story.candidate(found.winner)
    if tuned is None or winner is None:
        return Headline("wait", "No winner", found.winner_reason)
    facts = f"On {counted(found.test_rows, 'test row')} kept back until the end, "
    if winner.name == tuned.name:
        title = "Use the fine-tune"
        facts += f"the fine-tune {reached(tuned.metric, tuned.quality.value)}"
        if comparison is not None:
            facts += f", {_gap(comparison.difference.value)} {_the_best(story, comparison.second)}. "
            low, high = comparison.difference.low, comparison.difference.high
            within = f"95 % interval {points(low)} to {points(high)} points"
            facts += f"That is {'more than' if low > 0 else 'no more than'} chance explains ({within})."
        else:
            facts += "."
    else:
        title = f"Stay with {called(winner.title)}"
        facts += f"it {reached(winner.metric, winner.quality.value)} and the fine-tune "
        better = comparison is not None and comparison.difference.low > 0
        facts += f"{share(tuned.quality.value)}: {_NOT_ALL if better else 'the fine-tune did not earn its keep'}."
    title += _target_gap(story, winner.quality.value)
    facts += _against_target(story, winner.quality.value) + _wholly(winner)
    return Headline("good", title, facts + _ceiling(story) + _worth(story) + _kept_out(story) + _next(story))


def _not_yet(story: Story, found: EvaluateReport) -> Headline:
    assert found.final is not None  # noqa: S101  (the caller looked)
    why = sentence(found.final.reason)
    winner = story.candidate(found.winner)
    if winner is not None:
        why += _on_test(found, winner, "Until then {does} on {rows} kept back until the end.")
    return Headline(
        "wait", VERDICTS["not-yet"], why + _ceiling(story) + _worth(story) + _kept_out(story) + _next(story)
    )


def _the_best(story: Story, name: str) -> str:
    """What the fine-tune is compared with: a prompt need not be cheaper."""
    title = called(story.title(name))
    if any(rung.name == name and isinstance(rung, PromptedRung) for rung in story.rungs):
        return title if title.startswith("the best prompt") else f"the best prompt ({title.removeprefix('the ')})"
    return f"the best cheaper way ({title})"


def _worth(story: Story) -> str:
    """What the verdict is worth in dollars, where it was calculated."""
    economics = story.verdict.economics if story.verdict else None
    worth = next(value_sentences(economics), "") if economics is not None and economics.net_value is not None else ""
    return f" {worth}" if worth else ""


def _decided(story: Story) -> Headline:
    found, decide = story.verdict, story.decide
    assert found is not None and decide is not None  # noqa: S101  (the caller looked)
    winner = story.candidate(story.evaluate.winner) if story.evaluate else None
    stays = winner.name if winner is not None else decide.best_rung
    title = f"Stay with {called(story.title(stays))}" if found.verdict == "stay" else VERDICTS[found.verdict]
    why = sentence(found.reason)
    if winner is not None and story.evaluate is not None:
        why += _on_test(story.evaluate, winner, "On {rows} kept back until the end, {does}.") + _wholly(winner)
    tone: Tone = "wait" if found.verdict == "not-yet" else "good"
    return Headline(tone, title, why + _ceiling(story) + _worth(story) + _kept_out(story) + _next(story))


def _on_test(found: EvaluateReport, winner: CandidateResult, words: str) -> str:
    """What the winner does on test, in these words; where the reason gives the figure, how many rows that are."""
    rows = counted(found.test_rows, "test row")
    if found.final is not None and found.final.reason.startswith("on test "):
        return f" These are {rows}, kept back until the end."
    does = f"{called(winner.title)} {reached(winner.metric, winner.quality.value)}"
    return f" {words.format(does=does, rows=rows)}"


def _ceiling(story: Story) -> str:
    """A sentence where wrong labels cap what can be shown, and the reason does not say so already."""
    reason = story.verdict.reason if story.verdict else ""
    if not story.ceiling or story.ceiling.removesuffix(REVIEW_FIRST) in reason:
        return ""
    return f" {sentence(story.ceiling)}"


def _next(story: Story) -> str:
    """What to do next, as the last sentence; empty where the reason has said it."""
    steps, kept = [], story.register
    if kept is not None and kept.promotion.yes:
        steps.append(f"serve version {kept.version}, which is champion")
    if story.ceiling:
        steps.append(f"review the labels that look wrong (tailtune labels {story.use_case} --out FILE.csv)")
    if hanging := _hangs_on(story):
        steps.append(f"ask what {' and '.join(hanging)} really is and declare it, as another amount turns this verdict")
    return f" Next: {', and '.join(steps)}." if steps else ""


def _hangs_on(story: Story) -> list[str]:
    """Keys of default prices that nobody declared, another amount of which turns the verdict."""
    change = story.verdict.would_change if story.verdict else ()
    return [key for key in DECLARED_AS.values() if any(line.startswith(f"declaring {key}:") for line in change)]


def _kept_out(story: Story) -> str:
    """A sentence when a registered winner did not become champion."""
    kept = story.register
    if kept is None or kept.promotion.yes:
        return ""
    holder = f"version {kept.champion_version} stays champion" if kept.champion_version else "there is no champion"
    return f" Version {kept.version} is registered but not promoted; {holder}."


def _target_gap(story: Story, value: float) -> str:
    missing = story.decide.target - value if story.decide else 0.0
    return f"; the target is {points_short(missing)} away" if missing > 0 else ""


def _against_target(story: Story, value: float) -> str:
    if story.decide is None or value != value:
        return ""
    target = story.decide.target
    return f" It {'reaches' if value >= target else 'does not reach'} the target of {share(target)}."


def _wholly(winner: CandidateResult) -> str:
    """A sentence where an answer can be right in part: how often it is right in all."""
    found = winner.metrics.get(WHOLE)
    return "" if found is None or winner.metric == WHOLE else f" It {reached(WHOLE, found.value)}."


def _gap(difference: float) -> str:
    return f"{abs(difference) * 100:.1f} points {'more' if difference >= 0 else 'less'} than"


@dataclass(frozen=True, slots=True)
class CostRow:
    """One per kind of cost: what each candidate pays for it; None where one does not have it.

    Attributes:
        what: For people.
        hidden: Whether no invoice shows it, on any candidate.
        lines: One per candidate, in order.
    """

    what: str
    hidden: bool
    lines: tuple[CostLine | None, ...]


@dataclass(frozen=True, slots=True)
class CostByVolume:
    """One per candidate: its total cost over the horizon by volume, a line with a step for each further core.

    Attributes:
        fixed_usd: At no request at all, cores aside.
        slope_usd: More for every request a day, cores aside.
        cores: That serve it.
    """

    candidate: CandidateCost
    fixed_usd: Usd
    slope_usd: Usd
    cores: Serving

    def at(self, per_day: float) -> float:
        """US dollars over the horizon at a volume."""
        return self.fixed_usd + self.slope_usd * per_day + (self.cores.usd(per_day) or 0.0)

    def corners(self, most: float) -> list[tuple[float, Usd]]:
        """Volumes and dollars between which the line is straight, up to a volume; many steps are drawn as a slope."""
        ends = [(0.0, self.at(0.0)), (most, self.at(most))]
        steps = self.cores.cores(most) - self.cores.least
        if self.cores.per_core is None or not steps:
            return ends
        shown = range(0, steps, math.ceil(steps / _MOST_STEPS))
        edges = [(self.cores.least + step) * self.cores.per_core for step in shown]
        after = [(edge, self.at(edge * (1 + 1e-9))) for edge in edges]
        if steps > _MOST_STEPS:
            return [ends[0], *after, ends[1]]
        corners = [corner for edge, top in zip(edges, after, strict=True) for corner in ((edge, self.at(edge)), top)]
        return [ends[0], *corners, ends[1]]


def side_by_side(economics: Economics) -> tuple[CostRow, ...]:
    """All kinds of cost of all candidates, in the order in which they name them."""
    names = dict.fromkeys(line.what for candidate in economics.candidates for line in candidate.lines)
    rows = []
    for what in names:
        lines = tuple(
            next((line for line in candidate.lines if line.what == what), None) for candidate in economics.candidates
        )
        rows.append(CostRow(what, any(line is not None and line.hidden for line in lines), lines))
    return tuple(rows)


def costs_by_volume(economics: Economics) -> tuple[CostByVolume, ...]:
    """Candidates whose cost at every volume is known.

    The slope is such that the line passes through the candidate's total at the declared volume, errors included;
    without a declared volume it is the price of a request alone.
    """
    found, per_day = [], economics.requests_per_day
    for candidate in economics.candidates:
        if candidate.one_off_usd is None or candidate.monthly_usd is None:
            continue
        by_month = candidate.one_off_usd + candidate.monthly_usd * economics.horizon_months
        cores = candidate.serving or Serving()
        fixed = by_month - (cores.usd(per_day) or 0.0)
        if candidate.total_usd is not None and per_day:
            found.append(CostByVolume(candidate, fixed, (candidate.total_usd - by_month) / per_day, cores))
        elif candidate.request_usd is not None and not per_day:
            slope = candidate.request_usd * MONTH_DAYS * economics.horizon_months
            found.append(CostByVolume(candidate, fixed, slope, cores))
    return tuple(found)


def over(economics: Economics) -> str:
    """The horizon and the volume: `over 12 months at 6,000 requests a day`."""
    at = economics.requests_per_day
    months = counted(economics.horizon_months, "month")
    return f"over {months}" + ("" if at is None else f" at {requests_a_day(at)}")


def value_sentences(economics: Economics) -> Iterator[str]:
    """Net value and break-even volume as sentences; what is not known is left out."""
    net = economics.net_value
    if net is not None and not math.isnan(net.value):
        yield f"{over(economics).capitalize()}, {_net_value(net, _untried(economics))}{_sure(economics.probability)}."
    even = economics.break_even_per_day
    if even is not None:
        yield _cheaper(even, economics.cheaper_until_per_day, economics.requests_per_day)


def _cheaper(start: Estimate, until: Estimate | None, have: float | None) -> str:
    """Between which volumes the fine-tune costs less, as a sentence."""
    if not math.isfinite(start.value):
        return "At no volume does the fine-tune cost less."
    from_none = start.value < 0.5  # it would be shown as 0
    if from_none and until is None:
        return "The fine-tune costs less at any volume."
    if until is None:
        volumes = f"From {_volume_between(start)}"
    elif from_none:
        volumes = f"Below {_volume_between(until)}"
    else:
        volumes = f"Between {_volume_between(start)} and {_volume_between(until)}"
    yours = "" if have is None else f"; you have {volume(have)}"
    return f"{volumes} the fine-tune costs less in all{yours}."


def _volume_between(found: Estimate) -> str:
    """A volume with its interval: `617 requests a day (95 % interval 494 to 802)`."""
    return f"{requests_a_day(found.value)} (95 % interval {volume(max(found.low, 0.0))} to {volume(found.high)})"


def _untried(economics: Economics) -> str:
    """What a fine-tune that is not trained is taken to be; empty when it is measured."""
    tuned = next((candidate for candidate in economics.candidates if candidate.name == FINE_TUNE), None)
    return " that just reaches the target" if tuned is not None and tuned.quality is None else ""


def _net_value(net: Estimate, untried: str) -> str:
    """The net value in words; a loss and its interval as what it costs."""
    if net.high <= 0:
        lost = f"95 % interval {usd(-net.high)} to {usd(-net.low)}"
        return f"a fine-tune{untried} costs {usd(-net.value)} more than going on without one ({lost})"
    between = f"95 % interval {dollars_between(net)}"
    if net.value < 0:
        return f"a fine-tune{untried} costs {usd(-net.value)} more than going on without one (its worth: {between})"
    tuned = f"a fine-tune{untried}" if untried else "the fine-tune"
    return f"{tuned} is worth {usd(net.value)} more than going on without it ({between})"


def _sure(probability: float | None) -> str:
    return "" if probability is None else f"; it comes out ahead in {share(probability)} of draws"


Figure = tuple[str, str, str]


def figures(story: Story) -> list[Figure]:
    """Name, value, and what it is compared with; what is not there is left out."""
    return [*_quality(story), *_value_figure(story), *_answer(story), *_work(story)]


def _interval(found: Estimate) -> tuple[str, str]:
    return share(found.value), f"95 % interval {bounds(found)}"


def _quality(story: Story) -> list[Figure]:
    found: list[Figure] = []
    aim = f"target {share(story.decide.target)}" if story.decide else ""
    winner = story.candidate(story.evaluate.winner) if story.evaluate else None
    best = story.best_rung
    if winner is not None:
        found.append((phrase(winner.metric).figure, share(winner.quality.value), aim))
        owned = [name for name in OWNERS if name in winner.metrics and name != winner.metric]
        found += [(phrase(name).figure, *_interval(winner.metrics[name])) for name in owned]
    elif best is not None:
        way = "best way so far" if isinstance(best, PromptedRung) else "best cheaper way"
        found.append((f"{way}, {phrase(best.metric).short}", share(best.quality.value), aim))
    pair = story.evaluate.comparison if story.evaluate else None
    if pair is not None:
        gap = pair.difference
        prompted = any(rung.name == pair.second and isinstance(rung, PromptedRung) for rung in story.rungs)
        over = "fine-tune over the prompt" if prompted else "fine-tune over cheaper"
        found.append((over, f"{points(gap.value)} points", f"{points(gap.low)} to {points(gap.high)}"))
    return found


def _value_figure(story: Story) -> list[Figure]:
    economics = story.verdict.economics if story.verdict else None
    net = economics.net_value if economics else None
    if economics is None or net is None or net.value != net.value:
        return []
    what = f"worth of a fine-tune, {counted(economics.horizon_months, 'month')}"
    return [(what, usd(net.value), dollars_between(net))]


def _answer(story: Story) -> list[Figure]:
    """Time and price of an answer, of who answers in the end."""
    winner = story.candidate(story.evaluate.winner) if story.evaluate else None
    who = winner or story.best_rung
    if who is None:
        return []
    found: list[Figure] = []
    if who.latency is not None:
        found.append(
            ("time of one answer", ms(who.latency.p50_ms), f"slowest 1 %: {milliseconds(who.latency.p99_ms)} ms")
        )
    prompts = {rung.name for rung in story.rungs if isinstance(rung, PromptedRung) and not rung.hosted}
    bought = who.name in prompts
    found.append(("1,000 answers cost", usd(who.usd_per_1000), "at list price" if bought else "on this machine"))
    return found


def _work(story: Story) -> list[Figure]:
    found: list[Figure] = []
    curated = story.curate
    if curated is not None:
        kept = percent(curated.rows_kept / curated.rows_read) if curated.rows_read else "n/a"
        found.append(("rows kept", count(curated.rows_kept), f"{kept} % of those read"))
    if story.bill.lines:
        found.append(("this whole run cost", total_usd(story.bill), duration(story.bill.wall_s)))
    return found


def saved(found: PromptReport) -> str:
    """What sequential buying saved, as a sentence; empty when nothing was bought or nothing is known."""
    if not found.rows_saved_share or not found.rungs:
        return ""
    money = "" if found.usd_saved_share is None else f" and {share(found.usd_saved_share)} of the dollars"
    return f"{share(found.rows_saved_share)} of the rows{money} of a full evaluation were not needed"


def spent(found: PromptReport) -> str:
    """What was paid for answers, and what had been estimated."""
    ahead = "" if found.usd_estimated is None else f", estimated {usd(found.usd_estimated)}"
    return f"{usd(found.usd_spent)} for {counted(found.rows_bought, 'answer')}{ahead}"


def unneeded(found: PromptReport) -> tuple[tuple[str, str], ...]:
    """(reason, names of the rungs that were not bought for it), one for each reason."""
    reasons: dict[str, list[str]] = {}
    for name, why in found.not_needed.items():
        reasons.setdefault(why, []).append(name)
    return tuple((why, ", ".join(names)) for why, names in reasons.items())


def spent_line(line: BillLine) -> str:
    """Dollars of a stage; a lower bound where only some are known."""
    if line.usd is not None or not line.known_usd:
        return usd(line.usd)
    return f"{usd(line.known_usd)} + not known"


def total_usd(bill: Bill) -> str:
    """The sum in dollars; a lower bound, named as such, when some stage's dollars are not known."""
    if bill.usd is not None:
        return usd(bill.usd)
    known = bill.known_usd or len(bill.lines) > len(bill.unknown)
    return f"{usd(bill.known_usd)} + not known" if known else usd(None)
