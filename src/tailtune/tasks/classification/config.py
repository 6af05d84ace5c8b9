"""The task `classification`: one label of a closed set for each text. Its keys, and its labels.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tailtune.config.located import LinedYaml
from tailtune.config.model import DataSpec, LadderSpec, ModelSpec, TargetsSpec, ValidateSpec
from tailtune.core.errors import SpecError

RungName = Literal["majority", "tfidf", "zero_shot", "prototypes", "retrieval", "probe"]
RUNGS: tuple[RungName, ...] = ("majority", "tfidf", "zero_shot", "prototypes", "retrieval", "probe")


class ClassificationData(DataSpec):
    """Which rows a use case has. Paths are relative to `data/<use-case>/`."""

    label: str = Field("label", description="Column that holds the label.")


class ClassificationValidate(ValidateSpec):
    """What curated rows must satisfy before anything is measured. Read by validate."""

    min_rows_per_class: int = Field(8, ge=2, description="Fewer train rows for a label fail.")


class ClassificationLadder(LadderSpec):
    """Which cheaper rungs are measured. Read by ladder."""

    rungs: tuple[RungName, ...] = Field(RUNGS, min_length=1, description="Rungs, cheapest first.")
    shots: int = Field(10, ge=1, le=1000, description="Labelled examples per class for the prototypes rung.")
    neighbours: int = Field(10, ge=1, le=1000, description="Nearest labelled rows that retrieval looks at.")


class ClassificationTargets(TargetsSpec):
    """What the product needs. Read by decide."""

    METRIC: ClassVar[str] = "accuracy"

    accuracy: float = Field(0.95, gt=0, lt=1, description="Share of rows that must be answered right.")

    @property
    def quality(self) -> float:
        """The accuracy."""
        return self.accuracy


class ClassificationSpec(ModelSpec):
    """One per use case that gives each text one label of a closed set."""

    ANSWERS: ClassVar[str] = "labels.yaml"

    task: Literal["classification"] = Field(description="What kind of answer a row gets.")
    data: ClassificationData
    validate_: ClassificationValidate = Field(alias="validate")
    ladder: ClassificationLadder
    targets: ClassificationTargets


@dataclass(frozen=True)
class LabelSet:
    """One per classification use case: label → description, in file order. A description may be empty."""

    labels: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The labels, in file order."""
        return tuple(self.labels)


def load_labels(path: Path, shown: str, hint: str) -> LabelSet:
    """Read and check labels.yaml.

    Raises:
        SpecError: Every fault with its line.
    """
    lined = LinedYaml(path, shown, hint)
    faults = [
        lined.fault((key,), f"expected a description in words, found {value!r}")
        for key, value in lined.value.items()
        if not isinstance(value, str | None)
    ]
    if len(lined.value) < 2:
        faults.append(lined.fault((), f"expected at least 2 labels, found {len(lined.value)}"))
    if faults:
        raise SpecError(faults, lined.hint)
    return LabelSet({str(key): value or "" for key, value in lined.value.items()})
