"""The task `extraction`: one JSON object for each text, valid against schema.json. Its keys."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tailtune.config.model import (
    CurateSpec,
    DataSpec,
    LadderSpec,
    ModelSpec,
    Pii,
    TargetsSpec,
    TrainSpec,
    ValidateSpec,
)

RungName = Literal["blank", "patterns", "template", "token_probe"]
RUNGS: tuple[RungName, ...] = ("blank", "patterns", "template", "token_probe")


class ExtractionData(DataSpec):
    """Which rows a use case has. Paths are relative to `data/<use-case>/`. At least one of the columns for labels."""

    entities: str | None = Field(
        None,
        description="Column with spans: [{start, end, label}], offsets in characters, labels as in the schema.",
    )
    fields: str | None = Field(None, description="Column with an object of expected values: field → value.")
    intent: str | None = Field(None, description="Column with a word for the whole text: the value of field `intent`.")

    @model_validator(mode="after")
    def _some_label(self) -> ExtractionData:
        if self.entities is None and self.fields is None and self.intent is None:
            raise ValueError("name at least one column with labels: entities, fields or intent")
        return self


class ExtractionCurate(CurateSpec):
    """How rows are cleaned; spans move with their text. Read by curate."""

    max_chars: int = Field(20_000, ge=10, description="Longer texts are dropped.")
    scrub_pii: tuple[Pii, ...] = Field(
        ("card", "iban", "ip"),
        description="Kinds of personal data replaced by a token such as <card>; none that the schema asks for.",
    )


class ExtractionValidate(ValidateSpec):
    """What curated rows must satisfy before anything is measured. Read by validate."""

    min_rows_per_field: int = Field(
        8,
        ge=0,
        description="Fewer train rows with a value for a field fail; 0 allows one that only test rows have.",
    )
    max_unaligned_share: float = Field(
        0.05, ge=0, le=1, description="A larger share of values that were not found in their text fails."
    )


class ExtractionLadder(LadderSpec):
    """Which cheaper rungs are measured. Read by ladder."""

    rungs: tuple[RungName, ...] = Field(RUNGS, min_length=1, description="Rungs, cheapest first.")


class ExtractionTargets(TargetsSpec):
    """What the product needs. Read by decide."""

    METRIC: ClassVar[str] = "field_f1"

    field_f1: float = Field(
        0.95, gt=0, lt=1, description="Micro F1 over field values that must be reached: precision and recall together."
    )

    @property
    def quality(self) -> float:
        """The field F1."""
        return self.field_f1


class ExtractionTrain(TrainSpec):
    """When and how an adapter is trained. Read by train."""

    rank: int = Field(32, ge=1, le=256, description="LoRA rank r.")
    alpha: int = Field(64, ge=1, le=1024, description="LoRA scale is alpha / rank.")
    token_dropout: float = Field(0.1, ge=0, lt=1, description="Share of a row's tokens hidden by [MASK] in training.")
    head_learning_rate: float = Field(5e-3, gt=0, lt=1, description="Peak rate of the heads.")
    max_tokens: int = Field(256, ge=16, le=512, description="Tokens of a window; a longer text takes several.")


class ExtractionSpec(ModelSpec):
    """One per use case that reads one JSON object out of each text."""

    ANSWERS: ClassVar[str] = "schema.json"

    task: Literal["extraction"] = Field(description="What kind of answer a row gets.")
    data: ExtractionData
    curate: ExtractionCurate
    validate_: ExtractionValidate = Field(alias="validate")
    ladder: ExtractionLadder
    targets: ExtractionTargets
    train: ExtractionTrain
