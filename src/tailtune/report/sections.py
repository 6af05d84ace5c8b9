"""What each stage found, in words: a heading and facts, once, as plain data that every pen draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, Literal

from tailtune.core.encoders import ExportedModel, Reading
from tailtune.core.records import ENOUGH_GROUPS
from tailtune.core.reports import (
    CurateReport,
    DecideReport,
    DiagnoseReport,
    EvaluateReport,
    ExpectationResult,
    ExportReport,
    FailureClass,
    Guard,
    LadderReport,
    PromptReport,
    RegisterReport,
    Report,
    RungResult,
    Scored,
    SliceResult,
    TrainReport,
    ValidateReport,
)
from tailtune.judge.constraints import best_candidate
from tailtune.judge.guards import MUST_NOT_FAIL, doubtful, is_below, misses
from tailtune.judge.promote import in_words
from tailtune.report.markdown import literal
from tailtune.report.numbers import (
    bounds,
    count,
    counted,
    duration,
    of,
    p_value,
    plain,
    points,
    points_with_interval,
    right,
    sentence,
    share,
    title,
    usd,
    with_interval,
    words,
)
from tailtune.report.prompted import about_embedded, provisional_words
from tailtune.report.story import Story, telling, time_sentences
from tailtune.report.verdict import VERDICTS, over, saved, spent, unneeded, value_sentences

Tone = Literal["", "good", "wait", "bad"]
_REACHED: Mapping[Tone, str] = {"bad": "missed", "wait": "met, not surely", "good": "met"}
_EMPTY = "(empty)"
MOST_FIELDS, MOST_CHANGES, MOST_PAIRS, MOST_WEAK = 6, 3, 3, 3


@dataclass(frozen=True, slots=True)
class Fact:
    """One per line of a section.

    Attributes:
        text: What is said.
        name: What it is about; empty for prose.
        lead: Stressed words before the text.
        tone: good, wait or bad where it deserves a colour.
        group: Facts of one group stand together.
        indent: Columns further in, for what belongs to the fact before.
    """

    text: str
    name: str = ""
    lead: str = ""
    tone: Tone = ""
    group: int = 0
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """One per part of a life.

    Attributes:
        name: Heading.
        note: What to know before reading it.
        facts: In order.
        would_change: What would change the verdict, the first few, as sentences.
        details: Further facts, for pens with more room than a terminal.
    """

    name: str
    note: str
    facts: tuple[Fact, ...]
    would_change: tuple[str, ...] = ()
    details: tuple[Fact, ...] = ()

    @property
    def all_facts(self) -> tuple[Fact, ...]:
        """Facts, and what would change the verdict as the last of them."""
        names = ["would change it", *[" "] * len(self.would_change)]
        return (*self.facts, *(Fact(text, name) for text, name in zip(self.would_change, names, strict=False)))

    def markdown(self) -> str:
        """The section without its heading, as Markdown."""
        lines = [f"{literal(self.note)}.", ""] if self.note else []
        for fact in (*self.all_facts, *self.details):
            name = f"{literal(fact.name.strip())}: " if fact.name.strip() else ""
            lead = f"**{literal(' '.join(fact.lead.split()))}**" if fact.lead else ""
            lines.append(f"{' ' * fact.indent}- {name}{lead}{literal(fact.text)}")
        return "\n".join(lines)


def _facts(*facts: Fact | None) -> tuple[Fact, ...]:
    return tuple(fact for fact in facts if fact is not None)


def _unmeasured(what: Sequence[str]) -> Fact | None:
    return Fact("; ".join(what), "not measured") if what else None


def _reading(found: Reading | None) -> Fact | None:
    """What the encoder cannot read; None when it reads all."""
    return Fact("; ".join(found.lines), "not read", tone="wait") if found is not None and found.lines else None


def rows(story: Story) -> Section | None:
    """Rows read, kept and dropped by reason, and values that their texts do not say."""
    found = story.curate
    if found is None:
        return None
    splits = " · ".join(f"{name} {count(rows)}" for name, rows in found.splits.items())
    reasons = sorted(found.dropped.items(), key=lambda item: -item[1])
    dropped = " · ".join(f"{words(reason)} {count(rows)}" for reason, rows in reasons if rows)
    leaked = f"{counted(found.leaked_test_rows, 'given test row')} also stood in the training file"
    return Section(
        "Rows",
        counted(len(found.labels), found.unit),
        _facts(
            Fact(f"  ({splits})", lead=f"{count(found.rows_read)} read → {count(found.rows_kept)} kept"),
            Fact(leaked, tone="wait") if found.leaked_test_rows else None,
            _by_people(found),
            Fact(dropped, f"dropped {count(sum(found.dropped.values()))}") if dropped else None,
            _not_found(found) if any(found.unaligned.values()) else None,
        ),
    )


def _by_people(found: CurateReport) -> Fact | None:
    """How many labels people have looked at; None when there were none."""
    unused, sent, audited = found.unused_corrections, found.feedback_rows, found.audited_rows
    if not (found.corrected_rows or found.confirmed_rows or unused or sent or audited or found.proposed_rows):
        return None
    shown = [f"{count(found.corrected_rows)} corrected", f"{count(found.confirmed_rows)} confirmed"]
    shown += [f"{counted(unused, 'correction')} of rows that are not kept"] if unused else []
    shown += [f"{counted(sent, 'new train row')} from feedback"] if sent else []
    shown += [f"{counted(audited, 'new test row')} from audits"] if audited else []
    shown += [f"{counted(found.proposed_rows, 'new row')} of proposed classes"] if found.proposed_rows else []
    return Fact(" · ".join(shown), "labels reviewed")


def _not_found(found: CurateReport) -> Fact:
    """Which fields' values do not stand in the text, most often first."""
    fields = sorted(((name, rows) for name, rows in found.unaligned.items() if rows), key=lambda item: -item[1])
    shown = " · ".join(f"{name} {count(rows)}" for name, rows in fields[:MOST_FIELDS])
    more = f" · {counted(len(fields) - MOST_FIELDS, 'more field')}" if len(fields) > MOST_FIELDS else ""
    return Fact(
        f"values that their text does not say: {shown}{more}", f"not found {count(sum(found.unaligned.values()))}"
    )


def checks(story: Story) -> Section | None:
    """How many expectations hold, and the failing ones with the places of offending rows."""
    found = story.validate
    if found is None:
        return None
    failed = [result for result in found.expectations if not result.passed]
    of_all = counted(len(found.expectations), "expectation")
    if not failed:
        return Section("Checks", "", (Fact("", lead=f"✓ {of_all} hold", tone="good"),))
    facts = [fact for group, result in enumerate(failed) for fact in _failed(result, group)]
    return Section("Checks", f"{len(failed)} of {of_all} failed", tuple(facts))


def _failed(result: ExpectationResult, group: int) -> Iterator[Fact]:
    where = ", ".join(result.bad_origins)
    more = result.bad_rows - len(result.bad_origins)
    if where and more > 0:
        where += f" and {count(more)} more"
    yield Fact(f"  {result.subject}", lead=f"✗ {result.meaning}", tone="bad", group=group)
    yield Fact(result.name, "  expectation", group=group)
    if result.observed:
        yield Fact(result.observed, "  found", group=group)
    if result.bad_rows:
        yield Fact(where or counted(result.bad_rows, "row"), "  rows", group=group)


def ladder(story: Story) -> Section | None:
    """Every cheaper rung on the same dev rows, and the target."""
    found = story.ladder
    if found is None:
        return None
    target = f", target {share(story.target)} at ┊" if story.target is not None else ""
    note = f"cheaper rungs on {counted(found.dev_rows, 'dev row')}{target}"
    return Section(
        "Ladder",
        note,
        _facts(
            *(_line_to_beat(rung) for rung in found.rungs if rung.ignores_text),
            _groups(best_candidate(found.rungs)),
            _unmeasured(found.unmeasured),
            _reading(found.reading),
        ),
        details=_facts(_best(best_candidate(found.rungs))),
    )


def _groups(scored: Scored | None) -> Fact | None:
    """How many groups the rows come from, and whether these are enough; None where rows stand alone."""
    measured = None if scored is None else scored.quality
    if measured is None or measured.groups is None:
        return None
    from_ = f"{counted(measured.rows, 'row')} from {counted(measured.groups, 'group')} (data.group)"
    if not measured.has_few_groups:
        return Fact(from_, "groups")
    few = f"too few groups: intervals may be too narrow; take rows of {ENOUGH_GROUPS} customers, threads or more"
    return Fact(f"{from_}: {few}", "groups", tone="wait")


def _line_to_beat(rung: RungResult) -> Fact:
    reached = f" {share(rung.quality.value)}, whatever the text: what is not above it neither stays nor wins"
    return Fact(reached, "line to beat", rung.title)


def _best(rung: RungResult | None) -> Fact | None:
    if rung is None:
        return None
    reached = f": {title(rung.metric)} {with_interval(rung.quality)} on {counted(rung.quality.rows, 'row')}"
    return Fact(reached, "best", rung.title)


def prompts(story: Story) -> Section | None:
    """What the prompted rungs won over the rest, what was saved and spent, and where their time goes."""
    found = story.prompt
    if found is None or not (found.models or found.rungs or found.notes):
        return None
    models = ", ".join(f"{name} ({role})" for name, role in found.models.items())
    times = " ".join(time_sentences(story))
    return Section(
        "Prompts",
        models,
        _facts(
            _best_prompt(found),
            Fact(saved(found), "saved") if saved(found) else None,
            Fact(spent(found), "spent") if found.rungs else None,
            Fact(times, "time") if times else None,
            *(Fact(f"{names}: {why}", "not needed") for why, names in unneeded(found)),
            *(Fact(f"{left}: {why}", "left out") for left, why in found.left_out.items()),
            _unmeasured(found.unmeasured),
            *(Fact(note, "note") for note in found.notes),
            Fact(about, "model") if (about := about_embedded(found)) else None,
        ),
        details=_facts(_best(next((rung for rung in found.rungs if rung.name == found.best), None))),
    )


def _best_prompt(found: PromptReport) -> Fact | None:
    best = next((rung for rung in found.rungs if rung.name == found.best), None)
    if best is None or best.comparison is None:
        return None
    gap = best.comparison.difference
    p = best.comparison.p if best.p_adjusted is None else best.p_adjusted
    gain = f"{points(gap.value)} points ({points(gap.low)} to {points(gap.high)}) against {best.comparison.second}"
    return Fact(f"{best.title}: {gain}, {p_value(p)} after correction", "best prompt")


def bought_notes(found: PromptReport) -> Iterator[str]:
    """Why some rungs were not bought, and what to know of those that were, as sentences."""
    for why, names in unneeded(found):
        yield f"Not bought: {names}. {sentence(why)}"
    for left, why in found.left_out.items():
        yield f"Left out: {left}. {sentence(why)}"
    yield from map(sentence, found.notes)
    for rung in found.rungs:
        yield from (f"{rung.title}: {sentence(note)}" for note in rung.notes)
    for rung in found.rungs:
        if rung.examples_dropped:
            left = counted(rung.examples_dropped, "example")
            yield f"{rung.title}: {sentence(f'{left} left out, so that prompts fit the model')}"


def failures(story: Story) -> Section | None:
    """Whose fault the best prompt's failures are, and what to do about each kind."""
    found = story.diagnose
    if found is None or found.rung is None:
        return None
    note = f"{counted(found.failures, 'failure')} of {story.title(found.rung)} in {counted(found.rows, 'row')}"
    pairs = [f"{pair.first} / {pair.second} {pair.rows}" for pair in found.mixed_up[:MOST_PAIRS]]
    return Section(
        "Failures",
        note,
        _facts(
            *(fact for cause in found.classes for fact in _cause(cause)),
            Fact(" · ".join(pairs), "mixed up") if pairs else None,
            _unmeasured(found.unmeasured),
        ),
    )


def _cause(cause: FailureClass) -> Iterator[Fact]:
    """How many, whose fault, and under it what to do."""
    fault = "" if cause.fault in cause.reason else f" ({cause.fault})"
    counted_rows = f"{cause.rows:>3}  {share(cause.share.value):>7} ({bounds(cause.share)})"
    yield Fact("", lead=f"{counted_rows}  {cause.reason}{fault}")
    yield Fact(cause.action, indent=4)


def decision(story: Story) -> Section | None:
    """The verdict with its reason, and what it does not know."""
    found = story.decide
    if found is None:
        return None
    train = "allowed" if found.train.yes else "not allowed"
    if found.train.reason != found.reason:
        train += f": {found.train.reason}"
    if found.train.yes:
        train += f" (estimated cost {usd(found.estimated_train_usd)})"
    elif found.train.reason == found.reason:
        train += f"; to try it anyway: train.when: always (estimated cost {usd(found.estimated_train_usd)})"
    final = story.evaluate.final if story.evaluate else None
    return Section(
        "Decision",
        "before any training money",
        _facts(
            Fact(f": {found.reason}", lead=VERDICTS[found.verdict]),
            _provisional(story),
            *_floors(story.best_rung, found.guards),
            Fact(train, "training"),
            _reading(story.ladder.reading) if story.ladder else None,
        ),
        () if final else found.would_change[:MOST_CHANGES],
        _facts(
            Fact(found.ceiling, "labels") if found.ceiling else None,
            *(Fact(f": {question.evidence}", question.question, question.answer) for question in found.questions),
        ),
    )


def _provisional(story: Story) -> Fact | None:
    """Why the verdict may change, and what to declare so that it need not; None when it is not provisional."""
    words = provisional_words(story)
    return Fact(words, "provisional", tone="wait") if words else None


def _floors(scored: Scored | None, guards: Sequence[Guard]) -> Iterator[Fact]:
    """Each floor beside the target, what a predictor reaches there, and whether that is enough."""
    for guard in guards if scored is not None else ():
        assert scored is not None  # noqa: S101 - there would be none
        tone: Tone = "bad" if misses(scored, guard) else "wait" if doubtful(scored, guard) else "good"
        why = f"; {guard.why}" if guard.why else ""
        verdict = "below, not surely" if tone == "wait" and is_below(scored, guard) else _REACHED[tone]
        reached = f"{scored.title} {_reached(scored, guard, verdict)}"
        yield Fact(f"{title(guard.metric)} at least {share(guard.floor)}: {reached}{why}", "floor", tone=tone)


def _reached(scored: Scored, guard: Guard, verdict: str) -> str:
    """`20.0 % (5.7–43.7), missed`; of rows that must not fail, which did."""
    measured = scored.metrics.get(guard.metric)
    if measured is None or isnan(measured.value):
        return "not measured"
    if guard.metric != MUST_NOT_FAIL:
        return f"{with_interval(measured)}, {verdict}"
    wrong = f", not {', '.join(scored.must_failed)}" if scored.must_failed else ""
    return f"{share(measured.value)} of {counted(measured.rows, 'row')}{wrong}, {verdict}"


def training(story: Story) -> Section | None:
    """Epochs, pace, quality on dev and cost, or why nothing was trained."""
    found = story.train
    if found is None:
        return None
    if not found.trained:
        return Section("Training", "", (Fact(f"Nothing was trained: {found.reason}"),))
    steps = " → ".join(
        f"{share(epoch.dev_quality)}{' (kept)' if epoch.epoch == found.best_epoch else ''}" for epoch in found.epochs
    )
    price = f"{duration(found.cost.wall_s)}, {usd(found.cost.usd)}" if found.cost else "cost not known"
    pace = f"{counted(len(found.epochs), 'epoch')} at {found.rows_per_s:,.0f} rows/s · {found.precision} · {price}"
    return Section(
        "Training",
        f"{counted(found.train_rows, 'row')}, {count(found.trainable_parameters)} trainable parameters",
        _facts(
            Fact(pace),
            Fact(f"resumed from step {count(found.resumed_from_step)}") if found.resumed_from_step else None,
            Fact(steps, f"dev {title(found.metric)}") if steps else None,
            Fact(found.stopped, "stopped early") if found.stopped else None,
            _reading(found.reading),
        ),
    )


_WEIGHTS = {"int8": "int8 weights", "int8-mixed": "int8 weights, a part in float32", "fp32": "float32"}


def exported(story: Story) -> Section | None:
    """The files that candidates are served from, and how far they answer as the originals do."""
    found = story.export
    if found is None:
        return None
    refused = ((model, each) for model in found.models for each in model.tries if not each.passed)
    as_they_are = Fact(f"{', '.join(found.as_they_are)}: needs no encoder, so it is served as it is")
    return Section(
        "Export",
        "what would be served, without PyTorch",
        _facts(
            *(_exported(model) for model in found.models),
            *(Fact(f"{model.title}, {_WEIGHTS[each.weights]}: {each.reason}", "not used") for model, each in refused),
            as_they_are if found.as_they_are else None,
        ),
    )


def _exported(model: ExportedModel) -> Fact:
    size = f"{_WEIGHTS[model.weights]}, {model.megabytes:.0f} MB"
    return Fact(f"{size}; {model.tries[-1].reason}" if model.tries else size, model.title)


def test(story: Story) -> Section | None:
    """The test split, opened once: who won, by how much, and why."""
    found = story.evaluate
    if found is None:
        return None
    winner = story.candidate(found.winner)
    weak = [f"{part.label} {plain(part.f1, 2)}" for part in story.parts[:MOST_WEAK]]
    final = found.final
    return Section(
        "Test",
        f"opened once, {counted(found.test_rows, 'row')}",
        _facts(
            _groups(winner),
            *_difference(story, found),
            Fact(f": {found.winner_reason}", "winner", story.title(found.winner), "good"),
            *_floors(winner, found.guards),
            Fact("F1 " + " · ".join(weak), "weakest") if weak else None,
            *_slices(found),
            Fact(_calibration(winner.ece if winner else nan), "calibration"),
            Fact(final.reason, "verdict") if final and final.reason != found.winner_reason else None,
        ),
        final.would_change[:MOST_CHANGES] if final else (),
        _facts(
            Fact(found.ceiling, "labels") if found.ceiling else None,
            _provisional(story),
        ),
    )


def side_by_side(story: Story) -> Section | None:
    """Prompts, rungs and the fine-tune under each other, where prompts were measured."""
    if not telling(story):
        return None
    on = ", the fine-tune on test" if story.fine_tune else ""
    return Section("Side by side", f"best first; rungs on dev{on}", ())


def _slices(found: EvaluateReport) -> Iterator[Fact]:
    """Each slice with its worst values, and which of these are clearly behind all other rows."""
    for name in dict.fromkeys(each.name for each in found.per_slice):
        own = [each for each in found.per_slice if each.name == name]
        shown = [f"{_value(each)} {with_interval(each.quality)}" for each in own[:MOST_WEAK]]
        more = f" · {counted(len(own) - MOST_WEAK, 'other value')}" if len(own) > MOST_WEAK else ""
        late = [each for each in own if each.is_behind]
        behind = ", ".join(f"{each.value or _EMPTY} by {plain(each.behind * 100, 1)} points" for each in late)
        text = " · ".join(shown) + more + (f"; clearly behind: {behind}" if behind else "; none is clearly behind")
        yield Fact(text, f"by {name}", tone="wait" if behind else "")


def _value(found: SliceResult) -> str:
    return f"{found.value or _EMPTY} ({counted(found.rows, 'row')})"


def _difference(story: Story, found: EvaluateReport) -> Iterator[Fact]:
    pair = found.comparison
    if pair is None:
        return
    first, second = story.title(pair.first), story.title(pair.second)
    compared = [candidate for candidate in found.candidates if candidate.name in (pair.first, pair.second)]
    yield Fact(f"{points_with_interval(pair.difference)}{of(pair.metric)}, {p_value(pair.p)}", "difference")
    alone = f"{first} {count(pair.only_first_right)}, {second} {count(pair.only_second_right)}"
    measured = right(compared[0].metrics) if compared else "right"
    yield Fact(alone, "alone right") if measured == "right" else Fact(f"alone: {alone}", measured)


def _calibration(ece: float) -> str:
    if isnan(ece):
        return "not measured: it states no confidence"
    return f"ECE {plain(ece)}: mean gap between confidence and accuracy; 0 is perfect"


def ownership(story: Story) -> Section | None:
    """What each candidate costs to own, and from which volume which is dearer."""
    found = story.verdict.economics if story.verdict else None
    if found is None:
        return None
    unknown = Fact("; ".join(found.unknown), "not known") if found.unknown else None
    defaults = Fact("; ".join(found.defaults), "by default") if found.defaults else None
    sentences = (Fact(text) for text in value_sentences(found))
    return Section("Cost of ownership", over(found), _facts(*sentences, defaults, unknown))


def registered(story: Story) -> Section | None:
    """Which version the registry holds now, under which aliases, and why."""
    found = story.register
    if found is None:
        return None
    aliases = ", ".join(f"@{alias}" for alias in found.aliases) or "no alias"
    champion = f"version {found.champion_version}" if found.champion_version else "nobody"
    return Section(
        "Registered",
        story.title(found.winner),
        _facts(
            Fact(f"  {aliases}  {found.uri}", lead=f"{found.model} version {found.version}"),
            Fact(
                found.promotion.reason.removeprefix("not promoted: "),
                "promoted" if found.promotion.yes else "not promoted",
            ),
            None if found.promotion.yes else Fact(champion, "champion"),
            *_worse(found),
        ),
    )


def _worse(found: RegisterReport) -> Iterator[Fact]:
    """Slices in which the version is clearly worse than the champion; or that there is none."""
    worse = [change for change in found.slices if change.is_worse]
    yield from (Fact(in_words(change), "clearly worse", tone="bad") for change in worse)
    if found.slices and not worse:
        yield Fact(f"in none of {counted(len(found.slices), 'slice')} clearly worse than the champion", "slices")


def bill(story: Story) -> Section | None:
    """What each stage used, and all together: a table says it."""
    return Section("Bill", "", ()) if story.bill.lines else None


OF_STAGE: Mapping[type[Report], Callable[[Story], Section | None]] = {
    CurateReport: rows,
    ValidateReport: checks,
    LadderReport: ladder,
    PromptReport: prompts,
    DiagnoseReport: failures,
    DecideReport: decision,
    TrainReport: training,
    ExportReport: exported,
    EvaluateReport: test,
    RegisterReport: registered,
}


_NOTHING = {"prompt": "no prompted rung was measured", "diagnose": "no prompted rung was measured: nothing to diagnose"}


def of_report(report: Report) -> Section:
    """What one report says on its own, whatever there was before and after it."""
    alone: dict[str, Any] = {report.stage: report}
    section = OF_STAGE[type(report)](Story(**alone, use_case=report.use_case))
    if section is not None:
        return section
    missing: Sequence[str] = getattr(report, "unmeasured", ())
    return Section(report.stage, _NOTHING.get(report.stage, "nothing was measured"), _facts(_unmeasured(missing)))
