"""What each stage reports: the shape of `reports/<use-case>/<stage>.json`. One writer each, many readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import AliasChoices, Field, model_validator

from tailtune.core.encoders import ExportedModel, Reading
from tailtune.core.label_noise import LabelNoise
from tailtune.core.money import Usd
from tailtune.core.records import Cost, Decision, Estimate, Latency, Look, Record, Serving


class Report(Record):
    """One per stage run."""

    use_case: str
    stage: str
    finished_at: str = Field("", description="UTC, ISO 8601; stamped by the runner.")
    rows_digest: str = Field("", description="What rows were read: digest of train and dev rows.")
    spec_digest: str = Field("", description="Digest of the spec sections this stage reads.")
    cost: Cost | None = Field(None, description="Stamped by the runner.")


class Scored(Record):
    """One per predictor and set of rows."""

    name: str
    title: str
    metrics: dict[str, Estimate] = Field(
        min_length=1, description="Measure (core/measures.py) → estimate; the first is what the target is about."
    )
    usd_per_1000: Usd | None = Field(None, description="US dollars per 1,000 rows; null when not known.")
    invalid_rows: int = Field(0, description="Rows without a valid answer; they count as not right.")
    look_alike_rows: int = Field(
        0, description="Rows answered with another label that looks like the right one: case, spaces, punctuation."
    )
    must_failed: tuple[str, ...] = Field((), description="Origins of rows that must not fail, and did.")
    ignores_text: bool = Field(
        False, description="It answers every text alike: a line to beat, never a candidate; as the table of tasks says."
    )

    @property
    def metric(self) -> str:
        """The measure that the target is about."""
        return next(iter(self.metrics))

    @property
    def quality(self) -> Estimate:
        """What the target is held against."""
        return self.metrics[self.metric]


class Guard(Record):
    """One per floor beside the target: what no quality makes up for (judge/guards.py)."""

    metric: str = Field(description="A measure, such as macro_f1, recall/fraud or must_not_fail.")
    floor: float = Field(ge=0, le=1, description="Least value, 0 to 1.")
    why: str = Field("", description="Why it holds where nobody declared it, one sentence without full stop.")


class Paired(Record):
    """One per comparison of two predictors on the same rows."""

    first: str
    second: str
    metric: str = Field("accuracy", description="The measure that the difference is of.")
    difference: Estimate = Field(description="metric(first) − metric(second), paired interval.")
    only_first_right: int
    only_second_right: int
    worth_rows: float | None = Field(
        None,
        description="Independent rows that would say as much of the rows that one alone gets right; null when rows are "
        "independent, and in old reports.",
    )
    p: float = Field(
        validation_alias=AliasChoices("p", "mcnemar_p"),
        description="Two-sided, of both being equally good by this metric: answers swapped at random by row or group.",
    )


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
    corrected_rows: int = Field(0, description="Kept rows whose label a person corrected.")
    confirmed_rows: int = Field(0, description="Kept rows whose label a person looked at and left as it was.")
    unused_corrections: int = Field(0, description="Corrections of rows that are not kept: dropped, or gone.")
    feedback_rows: int = Field(0, description="Train rows that people labelled after the model had answered them.")
    audited_rows: int = Field(0, description="Test rows that people labelled for an audit.")
    proposed_rows: int = Field(0, description="Rows of proposed classes that people accepted, in any split.")

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


class RungResult(Scored):
    """One per rung: how one predictor did on the dev rows."""

    latency: Latency
    fit_s: float = Field(description="Seconds to fit (or index) on the train rows.")
    fit_rows: int = Field(description="Labelled rows it needs to answer.")


class CurvePoint(Record):
    """One per training size of the cheap proxy."""

    rows: int
    quality: Estimate
    gain: Estimate | None = Field(
        None, description="Of a doubling, over the last two steps up to here, paired by row; null where there is none."
    )


class LadderReport(Report):
    """One per ladder: every rung on the same dev rows by the same scorer."""

    train_rows: int
    dev_rows: int
    fit_rows_capped: int = Field(0, description="Train rows left out of fitting by ladder.max_fit_rows.")
    encode_rows_per_s: float = Field(
        description="Pace of the encoder on these rows; training's cost is estimated from it."
    )
    label_rows: dict[str, int] = Field(
        default_factory=dict, description="Label → train rows; field → train rows with a value. Empty in old reports."
    )
    rungs: tuple[RungResult, ...]
    curve: tuple[CurvePoint, ...] = Field(description="A cheap rung by number of train rows.")
    curve_rung: str = Field("probe", description="Which one.")
    unmeasured: tuple[str, ...] = Field((), description="Rungs that could not be measured, with the reason.")
    reading: Reading | None = Field(None, description="How much of train and dev texts the encoder can read.")
    labels: tuple[LabelNoise, ...] = Field((), description="Labels that look wrong: of dev, then of train.")
    labels_unchecked: str = Field("", description="Why no labels were checked; empty when they were.")


Role = Literal["base", "strong"]
Settled = Literal["stays", "falls short", "better", "not better", "all rows", "budget", "time"]
RAN_OUT: Mapping[Settled, str] = {"budget": "money", "time": "time"}
"""What stopped buying rows without regard to what was answered → what ran out."""
Fault = Literal["model", "context", "label", "unexplained"]


class PromptedRung(RungResult):
    """One per prompted rung: how one prompt did on the dev rows that were bought for it.

    `quality.rows` is the number of rows bought. When buying stopped before the last row, the interval of `quality` is a
    confidence sequence, valid at any stopping time; other measures then have no interval that can be promised, and
    theirs are those of a fixed sample.
    """

    model: str = Field(description="Name of the language model, as declared.")
    role: Role
    hosted: bool = Field(False, description="On cores of our own: a model in a folder. An endpoint is paid by token.")
    prompt: str = Field(description="Prompt file's name without its ending.")
    prompt_digest: str = Field(description="Of the prompt's text, 12 hex digits.")
    prompt_version: int | None = Field(None, description="In MLflow's prompt registry; null before it is registered.")
    constrained: bool = Field(False, description="Whether decoding of every answer was held to a JSON schema.")
    forms: dict[str, int] = Field(
        default_factory=dict,
        description="How answers were really held (json_schema, json_object, none) → rows; empty where none was asked.",
    )
    settled: Settled = Field(description="Why buying stopped.")
    of_rows: int = Field(description="Rows that a full evaluation would have bought.")
    comparison: Paired | None = Field(
        None, description="Against the best rung before it, over the rows both have; null when there was none."
    )
    p_adjusted: float | None = Field(None, description="comparison's p, Holm-adjusted over the prompted rungs.")
    usd: Usd | None = Field(
        None,
        description="All bought answers at list price, cached or not; null when unknown, 0 for a model in a folder.",
    )
    usd_low: Usd | None = Field(None, description="Lower end of the 95 % interval of usd_per_1000.")
    usd_high: Usd | None = Field(None, description="Upper end of the 95 % interval of usd_per_1000.")
    input_tokens: float | None = Field(None, description="Mean of an answer; null when no usage was told.")
    output_tokens: float | None = Field(None, description="Mean of an answer; null when no usage was told.")
    unpriced_rows: int = Field(0, description="Rows whose cost is not known: no usage was told, or no price declared.")
    cached_rows: int = Field(0, description="Rows answered from the cache, at no cost now.")
    retries: int = Field(0, description="Requests sent again after 429, 5xx or a timeout.")
    invalid: dict[str, int] = Field(default_factory=dict, description="Why an answer could not be used → rows.")
    examples_dropped: int = Field(0, description="Examples left out, lowest rank first, to fit the model's context.")
    notes: tuple[str, ...] = ()


class PromptReport(Report):
    """One per measuring of prompted models."""

    models: dict[str, Role] = Field(default_factory=dict, description="Declared language models → role.")
    weights: dict[str, str] = Field(
        default_factory=dict,
        description="Models in a folder that were asked → digest of config, tokenizer and weights.",
    )
    embedded: tuple[str, ...] = Field((), description="Those of them that come with the installation.")
    missing: tuple[str, ...] = Field((), description="Those of them that are not installed.")
    dev_rows: int = Field(0, description="Dev rows that may be bought for a rung.")
    rungs: tuple[PromptedRung, ...] = ()
    best: str | None = Field(None, description="The best prompted rung by quality; null when none was measured.")
    usd_spent: Usd | None = Field(0.0, description="Paid in this run; null when the cost of an answer is not known.")
    usd_estimated: Usd | None = Field(None, description="Estimate told before the first request; null without price.")
    rows_bought: int = 0
    rows_saved_share: float | None = Field(
        None, description="Share of a full evaluation's rows that sequential stopping did not buy, 0 to 1."
    )
    usd_saved_share: float | None = Field(None, description="The same in dollars; null when a price is unknown.")
    not_needed: dict[str, str] = Field(default_factory=dict, description="Rung → why it was not bought.")
    left_out: dict[str, str] = Field(
        default_factory=dict, description="Title of a rung → why the embedded model is not asked for it by default."
    )
    unmeasured: tuple[str, ...] = Field((), description="What could not be measured, with the reason.")
    notes: tuple[str, ...] = ()


class FailureExample(Record):
    """One per shown failure."""

    origin: str
    text: str
    expected: str
    answered: str | None
    strong_answered: str | None = None
    detail: str = ""


class FailureClass(Record):
    """One per reason of failing."""

    fault: Fault
    reason: str = Field(description="A word or two, e.g. retrieval missed.")
    rows: int
    share: Estimate = Field(description="Of all failures.")
    action: str = Field(description="What to do next, one sentence.")
    examples: tuple[FailureExample, ...] = ()


class MixedUp(Record):
    """One per unordered pair of labels, or field, that answers cannot tell apart."""

    first: str
    second: str
    rows: int


class DiagnoseReport(Report):
    """One per diagnosis of the best prompt's failures on dev."""

    rung: str | None = Field(None, description="The best prompted rung; null when none was measured.")
    strong_model: str | None = Field(None, description="Who was asked again with the same prompt.")
    rows: int = Field(0, description="Dev rows the rung answered.")
    failures: int = 0
    classes: tuple[FailureClass, ...] = Field((), description="Counts add up to failures.")
    mixed_up: tuple[MixedUp, ...] = Field((), description="Most frequent first.")
    usd_spent: Usd | None = 0.0
    unmeasured: tuple[str, ...] = ()


class CostLine(Record):
    """One per kind of cost of a candidate."""

    what: str = Field(description="For people, e.g. labels, tokens, retraining.")
    usd: Usd | None = Field(description="Over the horizon, US dollars; null when a price is not known.")
    basis: str = Field(description="How it was reckoned: rows × price, hours × price.")
    hidden: bool = Field(False, description="True for what no invoice shows: human time, waiting, evaluation.")


class CandidateCost(Record):
    """One per candidate: what the best prompt, the best local rung or the fine-tune costs to own.

    Attributes:
        quality: On the rows it was measured on; null for a fine-tune that is not trained yet.
    """

    name: str
    title: str
    quality: float | None
    one_off_usd: Usd | None = Field(description="Spent once.")
    monthly_usd: Usd | None = Field(description="Spent every month, requests aside; cores are those of the volume.")
    request_usd: Usd | None = Field(description="Spent on every request.")
    lines: tuple[CostLine, ...] = Field((), description="Their sum over the horizon is total_usd.")
    total_usd: Usd | None = Field(None, description="Over the horizon at the declared volume; null when not known.")
    serving: Serving | None = Field(None, description="Null where no cores of our own serve, and in old reports.")


class Economics(Record):
    """One per verdict with declared volume: all candidates over a horizon."""

    requests_per_day: float | None
    error_usd: Usd | None = Field(description="What a wrong answer costs; null when not declared.")
    horizon_months: int
    candidates: tuple[CandidateCost, ...] = Field(
        validation_alias=AliasChoices("candidates", "roads"), description="`roads` in old reports."
    )
    net_value: Estimate | None = Field(
        None,
        description="Of the fine-tune over the first candidate, US dollars over the horizon, 95 % bootstrap interval.",
    )
    probability: float | None = Field(None, description="Share of bootstrap draws in which the net value is above 0.")
    break_even_per_day: Estimate | None = Field(
        None, description="Requests a day from which the fine-tune costs less in all; value NaN when never."
    )
    cheaper_until_per_day: Estimate | None = Field(
        None, description="Requests a day up to which it does; null when there is no such end."
    )
    unknown: tuple[str, ...] = Field((), description="What is not declared, so that a figure is null.")
    defaults: tuple[str, ...] = Field((), description="Prices and hours that are defaults: nobody declared them.")

    @model_validator(mode="after")
    def _probability_is_one(self) -> Economics:
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"probability is {self.probability}; expected 0 to 1")
        return self


Verdict = Literal["stay", "fine-tune", "not-yet"]


class Question(Record):
    """One per question of the mission: what was asked, what was measured, what it says."""

    question: str
    answer: Literal["yes", "no", "unmeasured"]
    evidence: str
    figures: dict[str, float] = Field(default_factory=dict, description="The evidence as numbers, name with unit.")


class Surroundings(Record):
    """One per decision: what it was made of that no stage reads from a file, as it was then. Evaluation goes by it."""

    declared_days: float | None = Field(None, description="Days between two changes of behaviour, as declared.")
    seen_days: float | None = Field(None, description="The same as git shows it; null when it shows too little.")
    kept_gb: float = Field(0.0, ge=0, description="10⁹ bytes of rows and derived files.")


class DecideReport(Report):
    """One per decision taken before training money is spent."""

    verdict: Verdict
    reason: str
    provisional: bool
    why_provisional: str = Field("", description="In words; empty when it is not, and in old reports.")
    unmeasured: tuple[str, ...] = ()
    would_change: tuple[str, ...] = Field((), description="What would change the verdict, as sentences.")
    questions: tuple[Question, ...] = ()
    best_rung: str
    metric: str = Field("accuracy", description="The measure that the target is about.")
    target: float
    guards: tuple[Guard, ...] = Field((), description="Floors beside the target; empty in old reports.")
    train: Decision = Field(description="Whether the train stage may spend.")
    estimated_train_usd: Usd | None = None
    economics: Economics | None = Field(None, description="Null when no volume is declared.")
    surroundings: Surroundings | None = Field(None, description="As of finished_at; null in old reports.")
    ceiling: str = Field("", description="That wrong dev labels cap what can be shown, where that is near the target.")


class FinalVerdict(Record):
    """One per evaluation: the verdict once the fine-tune, if there is one, was measured on test."""

    verdict: Verdict
    reason: str
    provisional: bool
    why_provisional: str = Field("", description="In words; empty when it is not, and in old reports.")
    would_change: tuple[str, ...] = ()
    economics: Economics | None = None


def last_verdict(decided: DecideReport | None, evaluated: EvaluateReport | None) -> FinalVerdict | None:
    """The verdict that holds: after the test where test was opened, before it the decision's; None without either."""
    if evaluated is not None and evaluated.final is not None:
        return evaluated.final
    return (
        None
        if decided is None
        else FinalVerdict(**{name: getattr(decided, name) for name in FinalVerdict.model_fields})
    )


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
    reading: Reading | None = Field(None, description="How much of the train texts the encoder can read.")
    resumed_from_step: int = Field(0, description="Step of the checkpoint this run went on from; 0 = from the start.")


class ExportReport(Report):
    """One per export: the files that candidates are served from, and whether they answer as the originals do."""

    models: tuple[ExportedModel, ...] = ()
    as_they_are: tuple[str, ...] = Field((), description="Titles of candidates that need no encoder.")


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


class SliceResult(Record):
    """One per slice and value: the winner on the test rows that have it."""

    name: str = Field(description="The column, as declared in data.slices.")
    value: str = Field(description="Empty where the column is; values with few rows are together as `others`.")
    rows: int
    quality: Estimate
    behind: float = Field(description="Quality on all other test rows − quality here.")
    p_adjusted: float = Field(description="Of both being equal, Holm-adjusted over all slices and values.")

    @property
    def is_behind(self) -> bool:
        """Whether quality is clearly lower here than elsewhere."""
        return self.behind > 0 and self.p_adjusted < 0.05


class SliceChange(Record):
    """One per slice and value: a version against the champion on the test rows that have it."""

    name: str
    value: str
    comparison: Paired
    p_adjusted: float = Field(description="comparison's p, Holm-adjusted over all slices and values.")

    @property
    def is_worse(self) -> bool:
        """Whether the version is clearly worse than the champion here."""
        return self.comparison.difference.value < 0 and self.p_adjusted < 0.05


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
    per_slice: tuple[SliceResult, ...] = Field((), description="By value of data.slices, worst first.")
    confusions: tuple[Confusion, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    guards: tuple[Guard, ...] = Field((), description="Floors beside the target; empty in old reports.")
    failures: int = Field(0, description="Test rows the winner got wrong; all are in failures.jsonl.")
    usd_spent: Usd | None = Field(0.0, description="Paid to endpoints for answers on test; null when not known.")
    labels: LabelNoise | None = Field(None, description="Labels of test that look wrong; null when not checked.")
    ceiling: str = Field("", description="That wrong test labels cap what can be shown, where that is near the target.")


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
    look: Look | None = Field(
        None,
        description="How often this test set has been looked at; null when nothing was compared, and in old reports.",
    )
    slices: tuple[SliceChange, ...] = Field((), description="By value of data.slices, worst first.")
    winner: str
    page: str = Field(description="Decision page, relative to the project root.")


REPORTS: dict[str, type[Report]] = {
    "curate": CurateReport,
    "validate": ValidateReport,
    "ladder": LadderReport,
    "prompt": PromptReport,
    "diagnose": DiagnoseReport,
    "decide": DecideReport,
    "train": TrainReport,
    "export": ExportReport,
    "evaluate": EvaluateReport,
    "register": RegisterReport,
}
