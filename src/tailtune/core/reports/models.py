"""What training, test and registration report."""

from __future__ import annotations

from pydantic import Field

from tailtune.core.money import Usd
from tailtune.core.records import Decision, Estimate, Latency, Record
from tailtune.core.reports.common import Paired, Report, Scored
from tailtune.core.reports.decision import FinalVerdict


class EpochResult(Record):
    """One per training epoch."""

    epoch: int
    train_loss: float
    dev_loss: float
    dev_quality: float = Field(description="Of the measure that the target is about.")
    rows_per_s: float


class TrainReport(Report):
    """One per training, or per decision not to train."""

    trained: bool
    reason: str
    train_rows: int = 0
    dev_rows: int = 0
    metric: str = Field("accuracy", description="The measure of every dev_quality.")
    trainable_parameters: int = 0
    epochs: tuple[EpochResult, ...] = ()
    best_epoch: int = 0
    rows_per_s: float = 0.0
    precision: str = ""
    temperature: float = 1.0
    stopped: str = Field("", description="Why it stopped before the last epoch; empty when it did not.")
    resumed_from_step: int = Field(0, description="Step of the checkpoint this run went on from; 0 = from the start.")


class CandidateResult(Scored):
    """One per predictor scored on test."""

    ece: float = Field(description="Expected calibration error, 15 equal-mass bins, 0 to 1; NaN without confidence.")
    latency: Latency | None = Field(description="Of the saved artifact, one row at a time; null when not timed here.")


class ClassResult(Record):
    """One per label: the winner on test."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float
    f1_other: float = Field(description="F1 of the candidate that did not win; NaN when there was none.")


class FieldResult(ClassResult):
    """One per field: the winner on test. `label` is the field, `rows` those with an expected value."""

    kind: str = Field(description="Of the field: text, date, money, choice, …")
    exact: Estimate = Field(description="Rows, empty ones included, in which the field is right.")
    format_correct: float = Field(
        description="Share of the given values that have the field's format; NaN without any."
    )
    value_correct: float = Field(description="Share of the given values that mean the right thing; NaN without any.")


class Confusion(Record):
    """One per ordered pair the winner mixed up: labels; or fields of one kind, a value found in the other's place."""

    expected: str
    answered: str
    rows: int


class CalibrationBin(Record):
    """One per confidence bin of the winner."""

    confidence: float
    accuracy: float
    rows: int


class EvaluateReport(Report):
    """One per opening of the test split."""

    test_rows: int
    candidates: tuple[CandidateResult, ...] = Field(description="Fine-tune first when there is one, then every rung.")
    comparison: Paired | None = Field(None, description="Fine-tune against the best cheaper rung; null without one.")
    winner: str
    winner_reason: str
    final: FinalVerdict | None = Field(None, description="The verdict with the test's figures; null in old reports.")
    per_class: tuple[ClassResult, ...] = Field((), description="Classification: one per label, worst first.")
    per_field: tuple[FieldResult, ...] = Field((), description="Extraction: one per field, worst first.")
    confusions: tuple[Confusion, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    failures: int = Field(0, description="Test rows the winner got wrong; all are in failures.jsonl.")
    usd_spent: Usd | None = Field(0.0, description="Paid to endpoints for answers on test; null when not known.")


class RegisterReport(Report):
    """One per registration."""

    model: str
    version: str
    run_id: str
    uri: str
    aliases: tuple[str, ...]
    champion_version: str | None = Field(None, description="Who holds the champion alias afterwards.")
    promotion: Decision
    comparison: Paired | None = Field(
        None, description="Candidate against the champion before; null if there was none."
    )
    winner: str
    page: str = Field(description="Decision page, relative to the project root.")
