"""What the ladder reports."""

from __future__ import annotations

from pydantic import Field

from tailtune.core.records import Estimate, Latency, Record
from tailtune.core.reports.common import Report, Scored


class RungResult(Scored):
    """One per rung: how one predictor did on the dev rows."""

    latency: Latency
    fit_s: float = Field(description="Seconds to fit (or index) on the train rows.")
    fit_rows: int = Field(description="Labelled rows it needs to answer.")


class CurvePoint(Record):
    """One per training size of the cheap proxy."""

    rows: int
    quality: Estimate


class LadderReport(Report):
    """One per ladder: every rung on the same dev rows by the same scorer."""

    train_rows: int
    dev_rows: int
    fit_rows_capped: int = Field(0, description="Train rows left out of fitting by ladder.max_fit_rows.")
    encode_rows_per_s: float = Field(
        description="Pace of the encoder on these rows; training's cost is estimated from it."
    )
    rungs: tuple[RungResult, ...]
    curve: tuple[CurvePoint, ...] = Field(description="A cheap rung by number of train rows.")
    curve_rung: str = Field("probe", description="Which one.")
    unmeasured: tuple[str, ...] = Field((), description="Rungs that could not be measured, with the reason.")
