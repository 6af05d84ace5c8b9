"""What each stage reports: the shape of `reports/<use-case>/<stage>.json`. One writer each, many readers."""

from __future__ import annotations

from tailtune.core.reports.common import Paired, Report, Scored
from tailtune.core.reports.decision import DecideReport, FinalVerdict, Question, Surroundings, Verdict
from tailtune.core.reports.economics import CandidateCost, CostLine, Economics
from tailtune.core.reports.models import (
    CalibrationBin,
    CandidateResult,
    ClassResult,
    Confusion,
    EpochResult,
    EvaluateReport,
    FieldResult,
    RegisterReport,
    TrainReport,
)
from tailtune.core.reports.prompting import (
    DiagnoseReport,
    FailureClass,
    FailureExample,
    Fault,
    MixedUp,
    PromptedRung,
    PromptReport,
    Role,
    Settled,
)
from tailtune.core.reports.rows import CurateReport, DroppedExample, ExpectationResult, ValidateReport
from tailtune.core.reports.rungs import CurvePoint, LadderReport, RungResult

__all__ = [
    "REPORTS",
    "CalibrationBin",
    "CandidateCost",
    "CandidateResult",
    "ClassResult",
    "Confusion",
    "CostLine",
    "CurateReport",
    "CurvePoint",
    "DecideReport",
    "DiagnoseReport",
    "DroppedExample",
    "Economics",
    "EpochResult",
    "EvaluateReport",
    "ExpectationResult",
    "FailureClass",
    "FailureExample",
    "Fault",
    "FieldResult",
    "FinalVerdict",
    "LadderReport",
    "MixedUp",
    "Paired",
    "PromptReport",
    "PromptedRung",
    "Question",
    "RegisterReport",
    "Report",
    "Role",
    "RungResult",
    "Scored",
    "Settled",
    "Surroundings",
    "TrainReport",
    "ValidateReport",
    "Verdict",
]

REPORTS: dict[str, type[Report]] = {
    "curate": CurateReport,
    "validate": ValidateReport,
    "ladder": LadderReport,
    "prompt": PromptReport,
    "diagnose": DiagnoseReport,
    "decide": DecideReport,
    "train": TrainReport,
    "evaluate": EvaluateReport,
    "register": RegisterReport,
}
