"""What every use case declares, whatever its task: the shape of `models/<use-case>/model.yaml`.

Only `config/` and a task's own `config.py` know its keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import abstractmethod
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal, Protocol, get_args

from pydantic import Field, field_validator, model_validator

from tailtune.config.monitoring import MonitorSpec
from tailtune.config.paths import CasePaths
from tailtune.config.prompting import PromptSpec
from tailtune.config.retraining import RetrainSpec
from tailtune.config.serving import ServeSpec
from tailtune.config.strict import SpendingLimit, StrictSpec
from tailtune.core.money import Usd

Pii = Literal["email", "phone", "card", "iban", "ip"]
PII: tuple[Pii, ...] = get_args(Pii)
Floor = Annotated[float, Field(gt=0, le=1)]
LoraModule = Literal["query", "key", "value", "dense"]


def file_of_the_data(file: str | None) -> str | None:
    """The path itself.

    Raises:
        ValueError: It leads out of the use case's data folder.
    """
    path = PurePosixPath(file or "")
    if file is not None and (not file.strip() or path.is_absolute() or ".." in path.parts or not file.isprintable()):
        raise ValueError("expected a file of data/<use-case>/, by its path below that folder")
    return file


class DataSpec(StrictSpec):
    """Which rows a use case has. Paths are relative to `data/<use-case>/`."""

    file: str = Field(description="CSV, JSONL or Parquet file with the labelled rows.")
    test_file: str | None = Field(None, description="File with the test rows; without one, test is split off by hash.")
    text: str = Field("text", description="Column that holds the text.")
    group: str | None = Field(None, description="Column whose equal values must stay in one split (customer, thread).")
    slices: tuple[str, ...] = Field(
        (), description="Columns by whose values quality on test is measured apart (channel, language)."
    )
    drop_rejected: bool = Field(
        True,
        description="Drop rows that a tool marks: `answer` reject or ignore, `was_cancelled` true, `status` discarded.",
    )

    @field_validator("file", "test_file")
    @classmethod
    def _inside(cls, file: str | None) -> str | None:
        return file_of_the_data(file)


class CurateSpec(StrictSpec):
    """How rows are cleaned. Read by curate."""

    min_chars: int = Field(3, ge=1, description="Shorter texts are dropped.")
    max_chars: int = Field(2000, ge=10, description="Longer texts are dropped.")
    near_duplicate_similarity: float = Field(
        0.85,
        gt=0.5,
        le=1.0,
        description="Jaccard similarity of character 5-grams from which a row is a duplicate.",
    )
    scrub_pii: tuple[Pii, ...] = Field(PII, description="Kinds of personal data replaced by a token such as <email>.")


class SplitSpec(StrictSpec):
    """How rows are split, by hash of their group. Read by curate."""

    dev_share: float = Field(0.1, gt=0, lt=0.5, description="Share of the groups that go to dev.")
    test_share: float = Field(0.15, gt=0, lt=0.5, description="Share that go to test; unused with data.test_file.")
    salt: str = Field("tailtune", description="Changes the split when changed; never change it for a live model.")


class ValidateSpec(StrictSpec):
    """What curated rows must satisfy before anything is measured. Read by validate."""

    min_rows: int = Field(200, ge=10, description="Fewer curated rows in all fail.")
    max_leak_share: float = Field(
        0.05, ge=0, le=1, description="Share of given test rows that may also stand (nearly) in the training file."
    )
    max_dropped_share: float = Field(0.5, gt=0, le=1, description="A larger share of rows dropped by curation fails.")


class LadderSpec(StrictSpec):
    """Which cheaper rungs are measured. Read by ladder."""

    rungs: tuple[str, ...] = Field(min_length=1, description="Rungs, cheapest first.")
    latency_rows: int = Field(200, ge=20, le=10_000, description="Dev rows timed one at a time.")
    max_fit_rows: int = Field(
        50_000, ge=100, description="Train rows a rung is fitted on at most; the rest is counted."
    )
    curve_points: int = Field(4, ge=2, le=8, description="Sizes on the learning curve of a cheap rung.")


class TargetsSpec(StrictSpec):
    """What the product needs. Read by decide.

    Attributes:
        METRIC: The measure (core/measures.py) that the target is about, and the key that holds the target.
    """

    METRIC: ClassVar[str]

    p99_ms: float | None = Field(None, gt=0, description="Slowest acceptable answer, 99th percentile, milliseconds.")
    min_effect: float = Field(0.005, ge=0, lt=0.5, description="Smallest gain in quality worth having.")
    margin: float = Field(
        0.01, gt=0, lt=0.5, description="What a cheaper or newer candidate may be worse and still count as not worse."
    )
    head_room: float = Field(
        1.5, ge=1, description="A cheaper rung must have error ≤ target error / head_room to stay."
    )
    min_train_rows: int = Field(5000, ge=0, description="Good labels from which a fine-tune is expected to pay.")
    validity: float | None = Field(
        None, gt=0, le=1, description="Share of answers that must be usable; null asks none."
    )
    macro_f1: float | None = Field(
        None, ge=0, lt=1, description="Floor of macro F1; null: one by default where labels are imbalanced; 0 for none."
    )
    recall: dict[str, Floor] = Field(
        default_factory=dict, description="Label or field → floor of its recall, as `{fraud: 0.9}`."
    )
    f1: dict[str, Floor] = Field(default_factory=dict, description="Label or field → floor of its F1.")
    must_not_fail: str | None = Field(
        None, description="File of labelled rows in `data/<use-case>/`, each of which must be answered right."
    )

    @field_validator("must_not_fail")
    @classmethod
    def _inside(cls, file: str | None) -> str | None:
        return file_of_the_data(file)

    @property
    @abstractmethod
    def quality(self) -> float:
        """What must be reached, 0 to 1."""


class ValueSpec(StrictSpec):
    """What the product gains. Read by decide and evaluate. What is null is not declared, and never guessed."""

    requests_per_day: float | None = Field(None, gt=0, description="Texts to answer in a day.")
    error_usd: Usd | None = Field(None, ge=0, description="What a wrong answer costs, US dollars.")
    horizon_months: int = Field(12, ge=1, le=120, description="Months over which costs are added up.")
    change_every_days: float | None = Field(
        None, gt=0, description="How often behaviour must change; where null, git is looked at, which forbids nothing."
    )
    prompt_hours_per_change: float = Field(1.0, ge=0, description="A person's hours for a change of the prompt.")
    retrain_hours_per_change: float = Field(2.0, ge=0, description="A person's hours for a retraining, labels aside.")
    new_labels_per_change: int = Field(100, ge=0, description="Rows labelled anew for a retraining.")
    label_usd: Usd | None = Field(
        None, ge=0, description="What a labelled row costs here, 0 for public ones; null: as models/prices.yaml says."
    )


class TrainSpec(StrictSpec):
    """When and how an adapter is trained. Read by train."""

    when: Literal["auto", "always", "never"] = Field("auto", description="auto obeys the decision.")
    max_cost_usd: SpendingLimit = Field(5, gt=0, description="Stop before spending more than this, US dollars.")
    experiment_usd: Usd = Field(
        0.10, ge=0, description="Where few labels alone speak against it, a training below this is tried, US dollars."
    )
    rank: int = Field(16, ge=1, le=256, description="LoRA rank r.")
    alpha: int = Field(32, ge=1, le=1024, description="LoRA scale is alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="LoRA dropout; 0 takes a faster path.")
    token_dropout: float = Field(0.1, ge=0, lt=1, description="Share of a row's tokens left out at random in training.")
    modules: tuple[LoraModule, ...] = Field(("query", "key", "value", "dense"), min_length=1, description="Adapted.")
    epochs: int = Field(6, ge=1, le=100, description="Passes over the train rows at most.")
    patience: int = Field(3, ge=1, le=100, description="Epochs without a better dev quality before stopping.")
    batch_rows: int = Field(64, ge=1, le=4096, description="Rows per optimiser step.")
    learning_rate: float = Field(1.5e-3, gt=0, lt=1, description="Peak rate of the adapter, decays linearly.")
    head_learning_rate: float = Field(1e-2, gt=0, lt=1, description="Peak rate of the head.")
    max_tokens: int | None = Field(
        None, ge=8, le=512, description="Longer texts are cut; null: at what the encoder can read."
    )
    max_rows: int = Field(100_000, ge=100, description="Train rows used at most, chosen by hash; the rest is counted.")
    seed: int = Field(17, ge=0, description="Of weights and row order.")
    checkpoint_s: float = Field(30.0, gt=0, description="Seconds between checkpoints.")


class EvaluateSpec(StrictSpec):
    """How test is scored. Read by evaluate."""

    resamples: int = Field(
        10_000, ge=100, le=100_000, description="Random swaps of the paired test, where McNemar's does not fit."
    )
    latency_rows: int = Field(200, ge=20, le=10_000, description="Test rows timed one at a time.")
    calibration_bins: int = Field(15, ge=2, le=100, description="Equal-mass bins of the calibration error.")


class RegisterSpec(StrictSpec):
    """How a version becomes champion. Read by register."""

    model: str | None = Field(None, description="Registered model's name; the use case's name when null.")
    block_slices: bool = Field(
        False, description="Whether a version that is clearly worse than the champion in one slice is not promoted."
    )
    promote_if: Literal["better", "not-worse"] = Field(
        "better",
        description="better: clearly above the champion; not-worse: at most targets.margin below it, nor dearer.",
    )

    @field_validator("model")
    @classmethod
    def _registrable(cls, model: str | None) -> str | None:
        """As MLflow, its URIs and its searches take it."""
        if model is not None and not re.fullmatch(r"\w[\w .-]{0,248}\w|\w", model):
            raise ValueError("expected letters, digits, spaces and . _ - , with a letter or digit at both ends")
        return model


class ModelSpec(StrictSpec):
    """One per use case: everything that shapes its models, declared.

    Attributes:
        ANSWERS: The file of allowed answers, beside model.yaml.
    """

    ANSWERS: ClassVar[str]

    task: str = Field(description="What kind of answer a row gets.")
    description: str = Field("", description="One sentence for people.")
    data: DataSpec
    curate: CurateSpec
    split: SplitSpec
    validate_: ValidateSpec = Field(alias="validate")
    ladder: LadderSpec
    prompt: PromptSpec
    targets: TargetsSpec
    value: ValueSpec
    train: TrainSpec
    evaluate: EvaluateSpec
    register_: RegisterSpec = Field(alias="register")
    serve: ServeSpec = Field(default_factory=ServeSpec)
    monitor: MonitorSpec = Field(default_factory=MonitorSpec)
    retrain: RetrainSpec = Field(default_factory=RetrainSpec)

    @model_validator(mode="after")
    def _shares_leave_train(self) -> ModelSpec:
        test = 0.0 if self.data.test_file else self.split.test_share
        if self.split.dev_share + test > 0.6:
            raise ValueError(f"split: dev_share + test_share is {self.split.dev_share + test:.2f}; leave train ≥ 0.4")
        return self

    @property
    def metric(self) -> str:
        """The measure (core/measures.py) that the target is about."""
        return self.targets.METRIC

    def section(self, name: str) -> dict[str, object]:
        """One top-level section as plain values, for DVC params, MLflow and digests.

        Raises:
            KeyError: There is no such section.
        """
        dumped = self.model_dump(mode="json", by_alias=True)
        value = dumped[name]
        return value if isinstance(value, dict) else {name: value}

    def digest(self, sections: tuple[str, ...]) -> str:
        """Digest of some sections: equal exactly when their values are."""
        canonical = json.dumps({name: self.section(name) for name in sections}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class Declared(Protocol):
    """A use case for code that knows no task: its name, what it declares, where its files are."""

    @property
    def name(self) -> str:
        """Its folder below models/."""

    @property
    def spec(self) -> ModelSpec:
        """What it declares."""

    @property
    def paths(self) -> CasePaths:
        """Where its files are."""


SECTIONS: tuple[str, ...] = tuple(field.alias or name for name, field in ModelSpec.model_fields.items())
