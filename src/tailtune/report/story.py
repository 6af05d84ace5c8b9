"""The reports of one use case as one story, told alike in terminal and page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tailtune.core.reports import (
    REPORTS,
    CandidateResult,
    ClassResult,
    CurateReport,
    DecideReport,
    DiagnoseReport,
    EvaluateReport,
    ExpectationResult,
    FinalVerdict,
    LadderReport,
    PromptReport,
    RegisterReport,
    Report,
    RungResult,
    TrainReport,
    ValidateReport,
)
from tailtune.report.bill import Bill, BillLine

R = TypeVar("R", bound=Report)
C = TypeVar("C", bound=ClassResult)


@dataclass(frozen=True, slots=True)
class Story:
    """One per use case: the reports of its newest run, up to the first stage that is not done.

    Attributes:
        reports: In the order of a model's life, without a gap, all about the same rows.
        left_out: Stages whose reports are of an earlier run.
        due: The first stage that is not done; empty when all are, or when a closed gate keeps the rest from running.
        stopped: Whether a run has just ended badly.
        use_case: Its name; empty when there is no report.
    """

    reports: tuple[Report, ...]
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
        kept: list[Report] = []
        due, digest = "", ""
        for stage in REPORTS:
            report = reports.get(stage)
            if report is None or (digest and report.rows_digest and report.rows_digest != digest):
                due = stage
                break
            kept.append(report)
            digest = digest or report.rows_digest
            if isinstance(report, ValidateReport) and not report.passed:
                break
        told = {report.stage for report in kept}
        return cls(tuple(kept), tuple(stage for stage in there if stage not in told), due, stopped, name)

    def _the(self, kind: type[R]) -> R | None:
        return next((report for report in self.reports if isinstance(report, kind)), None)

    @property
    def finished_at(self) -> str:
        """When the newest report was written, ISO 8601; empty when no report says."""
        return max((report.finished_at for report in self.reports), default="")

    @property
    def curate(self) -> CurateReport | None:
        """What curation reported."""
        return self._the(CurateReport)

    @property
    def validate(self) -> ValidateReport | None:
        """What validation reported."""
        return self._the(ValidateReport)

    @property
    def ladder(self) -> LadderReport | None:
        """What the ladder reported."""
        return self._the(LadderReport)

    @property
    def prompt(self) -> PromptReport | None:
        """What the prompted models reported."""
        return self._the(PromptReport)

    @property
    def diagnose(self) -> DiagnoseReport | None:
        """What became of the best prompt's failures."""
        return self._the(DiagnoseReport)

    @property
    def decide(self) -> DecideReport | None:
        """What the decision reported."""
        return self._the(DecideReport)

    @property
    def train(self) -> TrainReport | None:
        """What training reported."""
        return self._the(TrainReport)

    @property
    def evaluate(self) -> EvaluateReport | None:
        """What evaluation reported."""
        return self._the(EvaluateReport)

    @property
    def register(self) -> RegisterReport | None:
        """What registration reported."""
        return self._the(RegisterReport)

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
        """The rung that the decision names; before there is one, the best on dev."""
        if self.decide is not None:
            return next((rung for rung in self.rungs if rung.name == self.decide.best_rung), None)
        return max(self.rungs, key=lambda rung: _sortable(rung.quality.value), default=None)

    @property
    def verdict(self) -> FinalVerdict | None:
        """The verdict that holds: the test's, before it the decision's; None without either, or when it is old."""
        if self.failed or self.stopped or self.left_out or self.decide is None:
            return None
        if self.evaluate is not None and self.evaluate.final is not None:
            return self.evaluate.final
        found = self.decide
        return FinalVerdict(
            verdict=found.verdict,
            reason=found.reason,
            provisional=found.provisional,
            would_change=found.would_change,
            economics=found.economics,
        )

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
        return next((one.title for one in known if one.name == name), name)

    @property
    def metric(self) -> str:
        """The measure that all quality here is of; empty while nothing was measured."""
        scored = (*(self.evaluate.candidates if self.evaluate else ()), *self.rungs)
        return scored[0].metric if scored else ""

    @property
    def parts(self) -> tuple[ClassResult, ...]:
        """Labels and fields on test, worst first, unmeasured ones before all."""
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
        told = (self.prompt, self.decide)
        return tuple(dict.fromkeys(why for report in told if report is not None for why in report.unmeasured))

    @property
    def not_measured(self) -> tuple[str, ...]:
        """Everything a reader could take for measured that was not, as sentences."""
        told = (self.ladder, self.prompt, self.diagnose, self.decide)
        found = [why for report in told if report is not None for why in report.unmeasured]
        if self.failed:
            found.append("Every rung, the decision and the test: the run stopped at validation.")
        elif self.evaluate is None:
            found.append("Quality on the test rows: the test split has not been opened.")
        if self.bill.unpriced:
            found.append(f"Dollars of {', '.join(self.bill.unpriced)}: no price is declared for them.")
        if self.bill.untold:
            stages = ", ".join(self.bill.untold)
            found.append(f"Dollars paid for answers in {stages}: no price is declared, or no usage was told.")
        return tuple(dict.fromkeys(found))


def worst_first(found: Iterable[C]) -> tuple[C, ...]:
    """Labels or fields by F1, unmeasured ones before all."""
    return tuple(sorted(found, key=lambda one: (_sortable(one.f1), one.label)))


def _sortable(value: float) -> float:
    return value if value == value else -1.0
