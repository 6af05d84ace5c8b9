"""The reports of one use case as one story, told alike in terminal and page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tailtune.core.records import Cost
from tailtune.core.reports import (
    REPORTS,
    CandidateResult,
    CurateReport,
    DecideReport,
    EvaluateReport,
    ExpectationResult,
    LadderReport,
    RegisterReport,
    Report,
    RungResult,
    TrainReport,
    ValidateReport,
)

R = TypeVar("R", bound=Report)


@dataclass(frozen=True, slots=True)
class BillLine:
    """One per stage that ran: what it used; None when nobody counted."""

    stage: str
    cost: Cost | None


@dataclass(frozen=True, slots=True)
class Bill:
    """One per story: the stages' costs and their sums."""

    lines: tuple[BillLine, ...]

    @property
    def wall_s(self) -> float:
        """Seconds of all counted stages together."""
        return sum(line.cost.wall_s for line in self.lines if line.cost)

    @property
    def known_usd(self) -> float:
        """Dollars of the stages whose dollars are known."""
        return sum(line.cost.usd for line in self.lines if line.cost and line.cost.usd is not None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Stages whose dollars are not known."""
        return tuple(line.stage for line in self.lines if line.cost is None or line.cost.usd is None)

    @property
    def usd(self) -> float | None:
        """Dollars of all stages; None as long as one of them is not known."""
        return None if self.unknown or not self.lines else self.known_usd


@dataclass(frozen=True, slots=True)
class Story:
    """One per use case: the reports there are, those after a closed gate left out as being of an earlier run."""

    reports: tuple[Report, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, reports: Mapping[str, Report]) -> Story:
        """The reports in the order of a model's life.

        Args:
            reports: Stage name → report, any of them missing.
        """
        ordered = [reports[stage] for stage in REPORTS if stage in reports]
        for place, report in enumerate(ordered):
            if isinstance(report, ValidateReport) and not report.passed:
                after = tuple(later.stage for later in ordered[place + 1 :])
                return cls(tuple(ordered[: place + 1]), after)
        return cls(tuple(ordered))

    def _the(self, kind: type[R]) -> R | None:
        return next((report for report in self.reports if isinstance(report, kind)), None)

    @property
    def use_case(self) -> str:
        """Name of the use case; empty when there is no report."""
        return self.reports[0].use_case if self.reports else ""

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
    def best_rung(self) -> RungResult | None:
        """The cheaper rung that the decision names, or else the most accurate one on dev."""
        if self.ladder is None or not self.ladder.rungs:
            return None
        named = self.decide.best_rung if self.decide else ""
        by_name = {rung.name: rung for rung in self.ladder.rungs}
        return by_name.get(named) or max(self.ladder.rungs, key=lambda rung: _sortable(rung.accuracy.value))

    @property
    def fine_tune(self) -> CandidateResult | None:
        """The fine-tune as scored on test; None when there is none."""
        if self.evaluate is None:
            return None
        comparison = self.evaluate.comparison
        if comparison is not None:
            return self.candidate(comparison.first)
        rungs = {rung.name for rung in self.ladder.rungs} if self.ladder else set()
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
            *(self.ladder.rungs if self.ladder else ()),
        )
        return next((one.title for one in known if one.name == name), name)

    @property
    def bill(self) -> Bill:
        """What the stages used."""
        return Bill(tuple(BillLine(report.stage, report.cost) for report in self.reports))

    @property
    def not_measured(self) -> tuple[str, ...]:
        """Everything a reader could take for measured that was not, as sentences."""
        found = [*(self.ladder.unmeasured if self.ladder else ()), *(self.decide.unmeasured if self.decide else ())]
        if self.failed:
            found.append("Every rung, the decision and the test: the run stopped at validation.")
        elif self.evaluate is None:
            found.append("Quality on the test rows: the test split has not been opened.")
        if self.bill.unknown:
            stages = ", ".join(self.bill.unknown)
            found.append(f"Dollars of {stages}: no price is declared for them.")
        return tuple(dict.fromkeys(found))


def _sortable(value: float) -> float:
    return value if value == value else -1.0
