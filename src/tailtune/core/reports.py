"""What each stage reports: the shape of `reports/<use-case>/<stage>.json`. One writer each, many readers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tailtune.core.records import Cost, Decision, Estimate, Latency, Record

Verdict = Literal["stay", "fine-tune", "not-yet"]


class Report(Record):
    """One per stage run."""

    use_case: str
    stage: str
    finished_at: str = Field("", description="UTC, ISO 8601; stamped by the runner.")
    rows_digest: str = Field("", description="What rows were read: digest of train and dev rows.")
    spec_digest: str = Field("", description="Digest of the spec sections this stage reads.")
    cost: Cost | None = Field(None, description="Stamped by the runner.")


class DroppedExample(Record):
    """One per shown dropped row."""

    origin: str
    reason: str
    detail: str = ""


class CurateReport(Report):
    """One per curation: every row read is kept or dropped for a counted reason."""

    rows_read: int
    rows_kept: int
    dropped: dict[str, int] = Field(description="Reason → rows.")
    dropped_examples: tuple[DroppedExample, ...] = Field((), description="A few per reason; all are in dropped.jsonl.")
    changed: dict[str, int] = Field(default_factory=dict, description="What was rewritten in kept rows → rows.")
    splits: dict[str, int]
    labels: dict[str, int] = Field(
        description="Label → kept rows; field → kept rows with a value. Most frequent first."
    )
    unit: str = Field("label", description="What the keys of labels are, one of them: label, field.")
    unaligned: dict[str, int] = Field(
        default_factory=dict, description="Field → kept rows whose value was not found in the text."
    )
    test_file: bool = Field(description="True when the user gave the test split.")
    test_rows_read: int = Field(0, description="Of rows_read, those from the given test file.")
    leaked_test_rows: int = Field(0, description="Test-file rows whose text (near-)stood in the training file.")

    @model_validator(mode="after")
    def _counts_add_up(self) -> CurateReport:
        if self.rows_read != self.rows_kept + sum(self.dropped.values()):
            raise ValueError(f"{self.rows_read} rows read, but {self.rows_kept} kept and {self.dropped} dropped")
        if self.rows_kept != sum(self.splits.values()):
            raise ValueError(f"{self.rows_kept} rows kept, but splits hold {self.splits}")
        return self


class ExpectationResult(Record):
    """One per expectation of the suite."""

    name: str = Field(description="Great Expectations' type, e.g. expect_column_values_to_be_in_set.")
    subject: str = Field(description="Column or table it is about.")
    meaning: str = Field(description="One sentence a person reads.")
    passed: bool
    observed: str = ""
    bad_rows: int = 0
    bad_origins: tuple[str, ...] = Field((), description="First origins of offending rows.")


class ValidateReport(Report):
    """One per validation."""

    rows_read: int
    passed: bool
    expectations: tuple[ExpectationResult, ...]
    docs: str = Field(description="Data Docs index, relative to the project root.")


class Scored(Record):
    """One per predictor and set of rows."""

    name: str
    title: str
    metrics: dict[str, Estimate] = Field(
        min_length=1, description="Measure (core/measures.py) → estimate; the first is what the target is about."
    )
    usd_per_1000: float | None = Field(None, description="US dollars per 1,000 rows; null when not known.")
    invalid_rows: int = Field(0, description="Rows without a valid answer; they count as not right.")

    @property
    def metric(self) -> str:
        """The measure that the target is about."""
        return next(iter(self.metrics))

    @property
    def quality(self) -> Estimate:
        """What the target is held against."""
        return self.metrics[self.metric]


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


class Question(Record):
    """One per question of the mission: what was asked, what was measured, what it says."""

    question: str
    answer: Literal["yes", "no", "unmeasured"]
    evidence: str


class DecideReport(Report):
    """One per decision taken before training money is spent."""

    verdict: Verdict
    reason: str
    provisional: bool
    unmeasured: tuple[str, ...] = ()
    would_change: tuple[str, ...] = Field((), description="What would change the verdict, as sentences.")
    questions: tuple[Question, ...] = ()
    best_rung: str
    metric: str = Field("accuracy", description="The measure that the target is about.")
    target: float
    train: Decision = Field(description="Whether the train stage may spend.")
    estimated_train_usd: float | None = None


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


class Paired(Record):
    """One per comparison of two predictors on the same rows."""

    first: str
    second: str
    metric: str = Field("accuracy", description="The measure that the difference is of.")
    difference: Estimate = Field(description="metric(first) − metric(second), paired bootstrap interval.")
    only_first_right: int
    only_second_right: int
    mcnemar_p: float = Field(description="Exact McNemar test over rows answered wholly right, two-sided.")


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
    per_class: tuple[ClassResult, ...] = Field((), description="Classification: one per label, worst first.")
    per_field: tuple[FieldResult, ...] = Field((), description="Extraction: one per field, worst first.")
    confusions: tuple[Confusion, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    failures: int = Field(0, description="Test rows the winner got wrong; all are in failures.jsonl.")


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


REPORTS: dict[str, type[Report]] = {
    "curate": CurateReport,
    "validate": ValidateReport,
    "ladder": LadderReport,
    "decide": DecideReport,
    "train": TrainReport,
    "evaluate": EvaluateReport,
    "register": RegisterReport,
}
