"""The reports of one use case as one story: what belongs together, every candidate, the costs, where time goes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from tailtune.core.money import Usd
from tailtune.core.records import Cost, Estimate, Latency
from tailtune.core.reports import (
    RAN_OUT,
    REPORTS,
    CandidateResult,
    ClassResult,
    CurateReport,
    DecideReport,
    DiagnoseReport,
    EvaluateReport,
    ExpectationResult,
    ExportReport,
    FinalVerdict,
    LadderReport,
    PromptedRung,
    PromptReport,
    RegisterReport,
    Report,
    RungResult,
    TrainReport,
    ValidateReport,
    last_verdict,
)
from tailtune.judge.constraints import best_candidate
from tailtune.report.numbers import called, count, counted, ms, share, words

C = TypeVar("C", bound=ClassResult)


@dataclass(frozen=True, slots=True)
class Story:
    """One per use case: the reports of its newest run, up to the first stage that is not done.

    The field of each stage holds what it reported: without a gap, all about the same rows.

    Attributes:
        left_out: Stages whose reports are of an earlier run.
        due: The first stage that is not done; empty when all are, or when a closed gate keeps the rest from running.
        stopped: Whether a run has just ended badly.
        use_case: Its name; empty when there is no report.
    """

    curate: CurateReport | None = None
    validate: ValidateReport | None = None
    ladder: LadderReport | None = None
    prompt: PromptReport | None = None
    diagnose: DiagnoseReport | None = None
    decide: DecideReport | None = None
    train: TrainReport | None = None
    export: ExportReport | None = None
    evaluate: EvaluateReport | None = None
    register: RegisterReport | None = None
    left_out: tuple[str, ...] = ()
    due: str = ""
    stopped: bool = False
    use_case: str = ""

    @classmethod
    def of(cls, reports: Mapping[str, Report], stopped: bool = False) -> Story:
        """The reports that belong together; what is of an earlier run is left out by name.

        A stage loses its report when it starts again, so what stands after a gap is of an earlier run; so is a report
        about other rows than those before it, and whatever follows a closed gate. Times prove nothing: a stage whose
        inputs did not change keeps its report while those before it are renewed.

        Args:
            reports: Stage name → report, any of them missing.
            stopped: Whether a run has just ended badly.
        """
        there = [stage for stage in REPORTS if stage in reports]
        name = reports[there[0]].use_case if there else ""
        kept: dict[str, Any] = {}
        due, digest = "", ""
        for stage in REPORTS:
            report = reports.get(stage)
            if report is None or (digest and report.rows_digest and report.rows_digest != digest):
                due = stage
                break
            kept[stage] = report
            digest = digest or report.rows_digest
            if isinstance(report, ValidateReport) and not report.passed:
                break
        left_out = tuple(stage for stage in there if stage not in kept)
        return cls(**kept, left_out=left_out, due=due, stopped=stopped, use_case=name)

    @property
    def reports(self) -> tuple[Report, ...]:
        """All there are, in the order of a model's life."""
        return tuple(report for stage in REPORTS if (report := getattr(self, stage)) is not None)

    @property
    def finished_at(self) -> str:
        """When the newest report was written, ISO 8601; empty when no report says."""
        return max((report.finished_at for report in self.reports), default="")

    @property
    def best_name(self) -> str:
        """Name of the best rung; empty when there is none."""
        return self.best_rung.name if self.best_rung else ""

    @property
    def target(self) -> float | None:
        """What quality should reach, 0 to 1; None before a decision."""
        return self.decide.target if self.decide else None

    @property
    def failed(self) -> tuple[ExpectationResult, ...]:
        """Expectations that closed the validation gate."""
        found = self.validate
        return tuple(e for e in found.expectations if not e.passed) if found and not found.passed else ()

    @property
    def rungs(self) -> tuple[RungResult, ...]:
        """Every rung measured on dev: local ones first, then prompted ones, each cheapest first."""
        return (*(self.ladder.rungs if self.ladder else ()), *(self.prompt.rungs if self.prompt else ()))

    @property
    def best_rung(self) -> RungResult | None:
        """The rung that the decision names; before there is one, the best on dev, which is never a line to beat."""
        if self.decide is not None:
            return next((rung for rung in self.rungs if rung.name == self.decide.best_rung), None)
        return best_candidate(self.rungs)

    @property
    def verdict(self) -> FinalVerdict | None:
        """The verdict that holds: the test's, before it the decision's; None without either, or when it is old."""
        if self.failed or self.stopped or self.left_out or self.decide is None:
            return None
        return last_verdict(self.decide, self.evaluate)

    @property
    def ceiling(self) -> str:
        """That wrong labels cap what can be shown, by the newest rows that say so; empty where nothing is near."""
        if self.evaluate is not None and self.evaluate.labels is not None:
            return self.evaluate.ceiling
        return self.decide.ceiling if self.decide else ""

    @property
    def fine_tune(self) -> CandidateResult | None:
        """The fine-tune as scored on test; None when there is none."""
        if self.evaluate is None:
            return None
        comparison = self.evaluate.comparison
        if comparison is not None:
            return self.candidate(comparison.first)
        rungs = {rung.name for rung in self.rungs}
        trained = self.train is not None and self.train.trained
        strangers = [c for c in self.evaluate.candidates if c.name not in rungs]
        return strangers[0] if trained and strangers else None

    def candidate(self, name: str) -> CandidateResult | None:
        """One predictor as scored on test."""
        found = self.evaluate.candidates if self.evaluate else ()
        return next((c for c in found if c.name == name), None)

    def title(self, name: str) -> str:
        """What people call a predictor; the name itself when no report says."""
        known: Iterable[RungResult | CandidateResult] = (
            *(self.evaluate.candidates if self.evaluate else ()),
            *self.rungs,
        )
        return next((scored.title for scored in known if scored.name == name), name)

    @property
    def metric(self) -> str:
        """The measure that all quality here is of; empty while nothing was measured."""
        scored = (*(self.evaluate.candidates if self.evaluate else ()), *self.rungs)
        return scored[0].metric if scored else ""

    @property
    def parts(self) -> tuple[ClassResult, ...]:
        """Labels and fields on test, worst first, unmeasured ones last."""
        found = (*self.evaluate.per_class, *self.evaluate.per_field) if self.evaluate else ()
        return worst_first(found)

    @property
    def bill(self) -> Bill:
        """What the stages used; a last stage without a cost is the one that is drawing this, and not done yet."""
        done = self.reports[:-1] if self.reports and self.reports[-1].cost is None else self.reports
        return Bill(tuple(BillLine(report.stage, report.cost) for report in done))

    @property
    def old(self) -> bool:
        """Whether a run ended before it renewed anything, so that every report is of an earlier one."""
        return self.stopped and not self.due and not self.failed

    @property
    def provisional(self) -> bool:
        """Whether there is a verdict and evidence is missing for it."""
        return self.verdict is not None and self.verdict.provisional

    @property
    def missing(self) -> tuple[str, ...]:
        """What the verdict lacks, in words; empty when nothing does."""
        reports = (self.prompt, self.decide)
        return tuple(dict.fromkeys(why for report in reports if report is not None for why in report.unmeasured))

    @property
    def not_measured(self) -> tuple[str, ...]:
        """Everything a reader could take for measured that was not, as sentences."""
        reports = (self.ladder, self.prompt, self.diagnose, self.decide)
        found = [why for report in reports if report is not None for why in report.unmeasured]
        if self.prompt is not None:
            found += [f"{title}: {why}" for title, why in self.prompt.left_out.items()]
        if self.failed:
            found.append("Every rung, the decision and the test: the run stopped at validation.")
        elif self.evaluate is None:
            found.append("Quality on the test rows: the test split has not been opened.")
        if self.bill.unpriced:
            found.append(f"Dollars of {', '.join(self.bill.unpriced)}: no price is declared for them.")
        if self.bill.unreported:
            stages = ", ".join(self.bill.unreported)
            found.append(f"Dollars paid for answers in {stages}: no price is declared, or no usage was reported.")
        return tuple(dict.fromkeys(found))


def worst_first(found: Iterable[C]) -> tuple[C, ...]:
    """Labels or fields by F1, unmeasured ones last."""
    return tuple(sorted(found, key=lambda result: (math.isnan(result.f1), result.f1, result.label)))


@dataclass(frozen=True, slots=True)
class BillLine:
    """One per stage that ran: what it used; None when nobody counted."""

    stage: str
    cost: Cost | None

    @property
    def usd(self) -> Usd | None:
        """Machine time and what was paid to endpoints; None as soon as one of them is not known."""
        if self.cost is None or self.cost.usd is None or self.cost.bought_usd is None:
            return None
        return self.cost.usd + self.cost.bought_usd

    @property
    def known_usd(self) -> Usd:
        """Dollars that are known; 0 when none is."""
        return 0.0 if self.cost is None else (self.cost.usd or 0.0) + (self.cost.bought_usd or 0.0)


@dataclass(frozen=True, slots=True)
class Bill:
    """One per story: the stages' costs and their sums."""

    lines: tuple[BillLine, ...]

    @property
    def wall_s(self) -> float:
        """Seconds of all counted stages together."""
        return sum(line.cost.wall_s for line in self.lines if line.cost)

    @property
    def known_usd(self) -> Usd:
        """Dollars that are known, of machines and endpoints."""
        return sum(line.known_usd for line in self.lines)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Stages of whose dollars some are not known."""
        return tuple(line.stage for line in self.lines if line.usd is None)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Stages whose machine time has no known price."""
        return tuple(line.stage for line in self.lines if line.cost is None or line.cost.usd is None)

    @property
    def unreported(self) -> tuple[str, ...]:
        """Stages that paid an endpoint nobody knows how much."""
        return tuple(line.stage for line in self.lines if line.cost is not None and line.cost.bought_usd is None)

    @property
    def usd(self) -> Usd | None:
        """Dollars of all stages; None as long as some are not known."""
        return None if self.unknown or not self.lines else self.known_usd

    @property
    def bought(self) -> bool:
        """Whether anything was bought from an endpoint, so that it deserves a column."""
        return any(line.cost is not None and line.cost.bought_usd != 0 for line in self.lines)


Kind = Literal["local", "prompted", "tuned"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One per way to answer that was measured: a rung, or the fine-tune on test.

    Attributes:
        scored: How it did: rungs on dev, the fine-tune on test.
        kind: What it is.
    """

    scored: RungResult | CandidateResult
    kind: Kind

    @property
    def name(self) -> str:
        """In specs and reports."""
        return self.scored.name

    @property
    def title(self) -> str:
        """For people."""
        return self.scored.title

    @property
    def ignores_text(self) -> bool:
        """Whether it is a line to beat, and so no choice."""
        return self.scored.ignores_text

    @property
    def quality(self) -> Estimate:
        """Of the measure that the target is about."""
        return self.scored.quality

    @property
    def latency(self) -> Latency | None:
        """Of one answer; None when not timed."""
        return self.scored.latency

    @property
    def usd(self) -> Estimate | None:
        """US dollars per 1,000 answers, with an interval where tokens vary; None when not known."""
        value = self.scored.usd_per_1000
        if value is None:
            return None
        low = high = value
        if isinstance(self.scored, PromptedRung) and self.scored.usd_low is not None:
            low, high = self.scored.usd_low, value if self.scored.usd_high is None else self.scored.usd_high
        return Estimate(value=value, low=low, high=high, rows=self.quality.rows)

    @property
    def usable(self) -> float:
        """Share of answers that could be used, 0 to 1; NaN when nothing was answered."""
        return 1 - self.scored.invalid_rows / self.quality.rows if self.quality.rows else math.nan

    @property
    def stopped_early(self) -> bool:
        """Whether buying stopped by what the answers said, so that the interval is a confidence sequence."""
        found = self.scored
        return isinstance(found, PromptedRung) and found.settled not in RAN_OUT and found.quality.rows < found.of_rows

    @property
    def note(self) -> str:
        """What its quality was measured on where that is not all dev rows; empty mostly."""
        rows = counted(self.quality.rows, "row")
        if self.stopped_early:
            return f"sequence, {rows}"
        if self.kind == "tuned":
            return "on test"
        ran_out = RAN_OUT.get(self.scored.settled) if isinstance(self.scored, PromptedRung) else None
        return f"{ran_out} ran out, {rows}" if ran_out else ""

    @property
    def labels(self) -> str:
        """Labelled rows that it needs to answer; empty where another column says it."""
        return count(self.scored.fit_rows) if isinstance(self.scored, RungResult) else ""


def candidates(story: Story) -> tuple[Candidate, ...]:
    """All of them: local rungs, prompted rungs, then the fine-tune when it was tested."""
    local = story.ladder.rungs if story.ladder else ()
    prompted = story.prompt.rungs if story.prompt else ()
    tuned = () if story.fine_tune is None else (story.fine_tune,)
    return (
        *(Candidate(scored, "local") for scored in local),
        *(Candidate(scored, "prompted") for scored in prompted),
        *(Candidate(scored, "tuned") for scored in tuned),
    )


_TELLING = ("lm_zero_shot", "retrieval", "probe", "token_probe")


def telling(story: Story) -> tuple[Candidate, ...]:
    """One candidate of each kind, best first: prompts, retrieval, probe, the best rung, the fine-tune on test.

    None where no prompt was measured: then the tables of rungs and of the test say all.
    """
    if story.prompt is None or not story.prompt.rungs:
        return ()
    names = {*_TELLING, story.prompt.best, story.best_name}
    found = [each for each in candidates(story) if each.kind == "tuned" or each.name in names]
    return tuple(sorted(found, key=lambda each: (math.isnan(each.quality.value), -each.quality.value)))


def undominated(found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Candidates to which no other is both cheaper and better, cheapest first.

    Those without price or quality are left out, and so are lines to beat.
    """
    choices = [candidate for candidate in found if not candidate.ignores_text]
    priced = [(candidate.usd.value, candidate.quality.value, candidate) for candidate in choices if candidate.usd]
    measured = [each for each in priced if not math.isnan(each[1])]
    kept: list[Candidate] = []
    for _, quality, candidate in sorted(measured, key=lambda each: (each[0], -each[1])):
        if not kept or quality > kept[-1].quality.value:
            kept.append(candidate)
    return tuple(kept)


Family = Literal["network", "model", "either", "text"]
FAMILIES: dict[Family, str] = {
    "network": "network",
    "either": "network and model together",
    "model": "the model",
    "text": "reading and writing text",
}
_KNOWN: dict[str, tuple[str, Family]] = {
    "connect": ("connecting", "network"),
    "tls": ("TLS handshake", "network"),
    "network": ("waiting on the network", "network"),
    "wait": ("waiting for the first byte", "either"),
    "server": ("the server's own work", "model"),
    "body": ("receiving the answer", "network"),
    "tokenise": ("tokenising", "text"),
    "infer": ("inference", "model"),
    "decode": ("decoding", "text"),
    "rest": ("everything else", "text"),
}
_SEEN = 0.01  # a rest below this share of the whole is rounding


@dataclass(frozen=True, slots=True)
class TimePart:
    """One per part of a candidate's mean time.

    Attributes:
        name: In reports; network is what is left of wait when the server's part is taken out.
        title: For people.
        family: Whose time it is.
        mean_ms: Milliseconds.
    """

    name: str
    title: str
    family: Family
    mean_ms: float


def time_parts(latency: Latency) -> tuple[TimePart, ...]:
    """A candidate's mean time in parts, in the order in which they happen; empty without parts.

    Where a server tells how long it worked, the rest of the wait is the network's; where it does not, nobody can tell
    network and model apart, and the wait is shown as both.
    """
    given = {name: value for name, value in latency.parts.items() if value > 0}
    if not given:
        return ()
    if "server" in given and "wait" in given:
        given["network"] = max(given.pop("wait") - given["server"], 0.0)
    rest = latency.mean_ms - sum(given.values())
    if rest > _SEEN * latency.mean_ms:
        given["rest"] = rest
    order = [*(name for name in _KNOWN if name in given), *(name for name in given if name not in _KNOWN)]
    return tuple(
        TimePart(name, *_KNOWN.get(name, (words(name), "text")), given[name]) for name in order if given[name] > 0
    )


def families(latency: Latency) -> frozenset[Family]:
    """Whose time a candidate's answer takes; a time without parts is anybody's."""
    return frozenset(part.family for part in time_parts(latency)) or frozenset({"either"})


def of_family(parts: Sequence[TimePart], family: Family) -> float:
    """Milliseconds of one family."""
    return math.fsum(part.mean_ms for part in parts if part.family == family)


def timed_candidates(story: Story) -> tuple[Candidate, ...]:
    """Candidates whose time is worth comparing: every prompted rung, the best local rung, and the fine-tune."""
    prompted = [candidate for candidate in candidates(story) if candidate.kind == "prompted"]
    shown = (*prompted, _local(story), _tuned(story))
    return tuple(each for each in shown if each is not None and each.latency is not None and each.latency.mean_ms > 0)


def time_sentences(story: Story) -> tuple[str, ...]:
    """Whether network or model is slow, and what a model of one's own would save, as sentences."""
    best = story.prompt.best if story.prompt else None
    prompted = next((candidate for candidate in candidates(story) if candidate.name == best), None)
    here = _tuned(story) or _local(story)
    if prompted is None or prompted.latency is None:
        return ()
    found = [_whose(prompted, prompted.latency)]
    if here is not None and here.latency is not None and here.latency.p50_ms > 0:
        saved = prompted.latency.mean_ms - here.latency.mean_ms
        what = f"{saved_text(saved)} an answer" if abs(saved) >= 1 else "as long"
        found.append(f"{here.title}, a model on your own machine, takes {ms(here.latency.mean_ms)}: {what}.")
    return tuple(found)


def saved_text(saved: float) -> str:
    """`806 ms less`, `12 ms more`."""
    return f"{ms(abs(saved))} {'less' if saved >= 0 else 'more'}"


def _whose(candidate: Candidate, latency: Latency) -> str:
    parts, whole, name = time_parts(latency), latency.mean_ms, called(candidate.title)
    opening = f"An answer of {name} takes {ms(whole)} on average"
    if not parts or whole <= 0:
        return f"{opening}; where that time goes was not measured."
    network, model, either = of_family(parts, "network"), of_family(parts, "model"), of_family(parts, "either")
    if either > max(network, model):
        apart = f"{ms(network)} are connecting and receiving, {ms(either)} are" if network else "nearly all of it is"
        return (
            f"{opening}: {apart} network and model together, because the server does not say how long it works itself."
        )
    if not network:
        return f"{opening}: {ms(model)} the model, with no network in between."
    slow, what = (model, "the model") if model >= network else (network, "the network")
    return f"{opening}: {ms(model)} the model, {ms(network)} the network. {what.capitalize()} is the slow part" + (
        f", {share(slow / whole)} of the time."
    )


def _local(story: Story) -> Candidate | None:
    local = [candidate for candidate in candidates(story) if candidate.kind == "local" and not candidate.ignores_text]
    measured = [candidate for candidate in local if not math.isnan(candidate.quality.value)]
    return max(measured, key=lambda candidate: candidate.quality.value, default=None)


def _tuned(story: Story) -> Candidate | None:
    tuned = (candidate for candidate in candidates(story) if candidate.kind == "tuned" and candidate.latency)
    return next(tuned, None)
