"""The verdict in words that an owner understands who never trained a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tailtune.core.reports import CandidateResult, EvaluateReport, PromptedRung, Verdict
from tailtune.report import money
from tailtune.report.measured import WHOLE, called, reached
from tailtune.report.numbers import counted, points, sentence, share
from tailtune.report.story import Story

Tone = Literal["good", "wait", "bad"]
VERDICTS: dict[Verdict, str] = {
    "stay": "Stay with what needs no training",
    "fine-tune": "A fine-tune can pay",
    "not-yet": "Not yet",
}
FINALS: dict[Verdict, str] = {"stay": "stay", "fine-tune": "use the fine-tune", "not-yet": "not yet"}
"""The same after the test."""


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
    why = "The reason stands above. All reports are of an earlier run, so they are not told here as news."
    return Headline("bad", "Stopped before a stage began", why)


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
        facts += f"{share(tuned.quality.value)}: the fine-tune did not earn its keep."
    title += _target_gap(story, winner.quality.value)
    facts += _against_target(story, winner.quality.value) + _wholly(winner)
    return Headline("good", title, facts + _worth(story) + _kept_out(story))


def _not_yet(story: Story, found: EvaluateReport) -> Headline:
    assert found.final is not None  # noqa: S101  (the caller looked)
    why = sentence(found.final.reason)
    winner = story.candidate(found.winner)
    if winner is not None:
        does = f"{called(winner.title)} {reached(winner.metric, winner.quality.value)}"
        why += f" Until then {does} on {counted(found.test_rows, 'test row')} kept back until the end."
    return Headline("wait", VERDICTS["not-yet"], why + _worth(story) + _kept_out(story))


def _the_best(story: Story, name: str) -> str:
    """What the fine-tune is held against: a prompt need not be cheaper."""
    title = called(story.title(name))
    if any(rung.name == name and isinstance(rung, PromptedRung) for rung in story.rungs):
        return title if title.startswith("the best prompt") else f"the best prompt ({title.removeprefix('the ')})"
    return f"the best cheaper way ({title})"


def _worth(story: Story) -> str:
    """What the verdict is worth in dollars, where that was reckoned."""
    economics = story.verdict.economics if story.verdict else None
    told = next(money.told(economics), "") if economics is not None and economics.net_value is not None else ""
    return f" {told}" if told else ""


def _decided(story: Story) -> Headline:
    found, decide = story.verdict, story.decide
    assert found is not None and decide is not None  # noqa: S101  (the caller looked)
    winner = story.candidate(story.evaluate.winner) if story.evaluate else None
    stays = winner.name if winner is not None else decide.best_rung
    title = f"Stay with {called(story.title(stays))}" if found.verdict == "stay" else VERDICTS[found.verdict]
    why = sentence(found.reason)
    if winner is not None and story.evaluate is not None:
        does = f"{called(winner.title)} {reached(winner.metric, winner.quality.value)}"
        why += f" On {counted(story.evaluate.test_rows, 'test row')} kept back until the end, {does}.{_wholly(winner)}"
    tone: Tone = "wait" if found.verdict == "not-yet" else "good"
    return Headline(tone, title, why + _worth(story) + _kept_out(story))


def _kept_out(story: Story) -> str:
    """A sentence when a registered winner did not become champion."""
    kept = story.register
    if kept is None or kept.promotion.yes:
        return ""
    holder = f"version {kept.champion_version} stays champion" if kept.champion_version else "there is no champion"
    return f" Version {kept.version} is registered but not promoted; {holder}."


def _target_gap(story: Story, value: float) -> str:
    missing = story.decide.target - value if story.decide else 0.0
    return f"; the target is {missing * 100:.1f} points away" if missing > 0 else ""


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
