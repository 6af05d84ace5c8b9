"""From a stage's report to the run it becomes. Pure; quality has the same metric names in every run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tailtune.config.model import Declared
from tailtune.core.reports import (
    CurateReport,
    DecideReport,
    DiagnoseReport,
    EvaluateReport,
    LadderReport,
    PromptReport,
    RegisterReport,
    Report,
    TrainReport,
    ValidateReport,
)
from tailtune.core.run_plan import RunPlan
from tailtune.services.mlflow.shapes.decision import decide
from tailtune.services.mlflow.shapes.models import evaluate, register, train
from tailtune.services.mlflow.shapes.prompting import diagnose, prompt
from tailtune.services.mlflow.shapes.rows import curate, validate
from tailtune.services.mlflow.shapes.rungs import ladder

_SHAPES: dict[type[Report], Callable[[Any, Declared], RunPlan]] = {
    CurateReport: curate,
    ValidateReport: validate,
    LadderReport: ladder,
    PromptReport: prompt,
    DiagnoseReport: diagnose,
    DecideReport: decide,
    TrainReport: train,
    EvaluateReport: evaluate,
    RegisterReport: register,
}


def plan(report: Report, case: Declared) -> RunPlan:
    """The run a report becomes.

    Raises:
        KeyError: A kind of report without a shape here.
    """
    return _SHAPES[type(report)](report, case)
