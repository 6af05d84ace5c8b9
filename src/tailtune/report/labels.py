"""Which labels look wrong, what that leaves a model to show, and what looking at them again costs: in words."""

from __future__ import annotations

from collections.abc import Iterator

from tailtune.core.label_noise import LabelNoise, SuspectLabel
from tailtune.core.money import known_sum
from tailtune.judge.ceiling import REVIEW_S
from tailtune.report.numbers import bounds, count, counted, duration, share, usd, with_interval
from tailtune.report.sections import Fact, Section
from tailtune.report.story import Story


def noises(story: Story) -> tuple[LabelNoise, ...]:
    """What was found in each split: test, dev, train."""
    test = story.evaluate.labels if story.evaluate else None
    return (*((test,) if test else ()), *(story.ladder.labels if story.ladder else ()))


def worst(story: Story) -> tuple[SuspectLabel, ...]:
    """The rows to look at first: of test, then of dev; each the most suspect first."""
    return tuple(label for noise in noises(story) if noise.split != "train" for label in noise.worst)


def labels(story: Story) -> Section | None:
    """How many labels look wrong in each split, and what it takes to look at them again."""
    found = noises(story)
    unchecked = story.ladder.labels_unchecked if story.ladder else ""
    if not found and not unchecked:
        return None
    facts = [*(fact for noise in found for fact in _split(noise)), *_review(story, found)]
    if unchecked:
        facts.append(Fact(unchecked, "not checked"))
    note = "two models that never saw the row name another label" if found else ""
    return Section("Labels", note, tuple(facts))


def _split(noise: LabelNoise) -> Iterator[Fact]:
    looked_at = f", {count(noise.reviewed_rows)} of them reviewed" if noise.reviewed_rows else ""
    look = "looks" if noise.suspect_rows == 1 else "look"
    text = f"{count(noise.suspect_rows)} of {counted(noise.rows, 'label')}{looked_at} {look} wrong"
    if noise.suspect_rows:
        text += f"; about {share(noise.wrong.value)} are ({bounds(noise.wrong)})"
    if noise.split != "train" and noise.suspect_rows:
        text += f": a model that is always right would show about {with_interval(noise.ceiling)}"
    yield Fact(text, noise.split)


def _review(story: Story, found: tuple[LabelNoise, ...]) -> Iterator[Fact]:
    first = [noise for noise in found if noise.split != "train"]
    rows = sum(noise.suspect_rows for noise in first)
    if not rows:
        return
    price = known_sum(noise.review_usd for noise in first)
    cost = "" if price is None else f", {usd(price)} of a person's time"
    names = " and ".join(noise.split for noise in first)
    takes = duration(3600 * sum(noise.review_hours for noise in first))
    yield Fact(
        f"{counted(rows, 'row')} of {names}, about {takes}{cost} at {REVIEW_S:.0f} s a row (assumed)", "to review"
    )
    command = f"tailtune labels {story.use_case}"
    yield Fact(f"{command} --out FILE.csv writes them to fill in, {command} --from FILE.csv takes them in", "all rows")
