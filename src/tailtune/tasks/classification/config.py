"""The task `classification`: one label of a closed set for each text. Its keys, and its labels.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tailtune.config.located import LinedYaml, unknown
from tailtune.config.model import DataSpec, LadderSpec, ModelSpec, TargetsSpec, ValidateSpec
from tailtune.core.errors import Fault, SpecError
from tailtune.predictors.prepare.clean import clean

RungName = Literal["majority", "tfidf", "zero_shot", "prototypes", "retrieval", "probe"]
RUNGS: tuple[RungName, ...] = ("majority", "tfidf", "zero_shot", "prototypes", "retrieval", "probe")
_LABEL_KEYS = ("description", "also")


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
    """One per classification use case: label → description, in file order. A description may be empty.

    Attributes:
        labels: The labels, spelled as `clean` spells texts.
        aliases: Another spelling → the label that rows with it are counted as.
    """

    labels: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The labels, in file order."""
        return tuple(self.labels)

    def label_of(self, raw: str) -> str:
        """The label that a row's raw label stands for; one that is not declared is only cleaned."""
        if raw in self.labels:
            return raw
        name = clean(raw)[0]
        return self.aliases.get(name, name)


def load_labels(path: Path, shown: str, hint: str) -> LabelSet:
    """Read and check labels.yaml: `label: description`, or `label: {description: …, also: [other spellings]}`.

    Raises:
        SpecError: Every fault with its line.
    """
    lined = LinedYaml(path, shown, hint)
    faults: list[Fault] = []
    keys = _cleaned_keys(lined, faults)
    labels = {name: _description(lined, key, faults) for name, key in keys.items()}
    aliases: dict[str, str] = {}
    for name, key in keys.items():
        for at, alias in enumerate(_also(lined, key, faults)):
            loc = (key, "also", at)
            spelled = clean(lined.written.get(loc, ""))[0]  # 007 is no 7
            if isinstance(alias, bool) or not isinstance(alias, str | int | float) or not spelled:
                faults.append(lined.fault(loc, f"expected another spelling of the label in quotes, found {alias!r}"))
            elif spelled in labels:
                faults.append(lined.fault(loc, f"`{spelled}` is a label itself; remove its own line, or this one"))
            elif spelled in aliases:
                faults.append(lined.fault(loc, f"`{spelled}` already stands for {aliases[spelled]}"))
            else:
                aliases[spelled] = name
    if len(lined.value) < 2:
        faults.append(lined.fault((), f"expected at least 2 labels, found {len(lined.value)}"))
    if faults:
        raise SpecError(faults, lined.hint)
    return LabelSet(labels, aliases)


def _cleaned_keys(lined: LinedYaml, faults: list[Fault]) -> dict[str, str]:
    """Label → its key as it stands in the file."""
    keys: dict[str, str] = {}
    for key in map(str, lined.value):
        name = clean(key)[0]
        if not name:
            faults.append(lined.fault((key,), "expected a label, found nothing visible"))
        elif name in keys:
            faults.append(lined.fault((key,), f"the same label as on line {lined.lines[(keys[name],)]}, once cleaned"))
        else:
            keys[name] = key
    return keys


def _description(lined: LinedYaml, key: str, faults: list[Fault]) -> str:
    value = lined.value[key]
    loc: tuple[str, ...] = (key,)
    if isinstance(value, dict):
        strange = [name for name in value if name not in _LABEL_KEYS]
        faults += [lined.fault((key, name), unknown(name, list(_LABEL_KEYS))) for name in strange]
        value, loc = value.get("description"), (key, "description")
    if value is None or isinstance(value, str):
        return value or ""
    faults.append(lined.fault(loc, f"expected a description in words, found {value!r}"))
    return ""


def _also(lined: LinedYaml, key: str, faults: list[Fault]) -> list[object]:
    """The list of other spellings of a label; empty without one."""
    value = lined.value[key]
    also = value.get("also") if isinstance(value, dict) else None
    if also is None or isinstance(also, list):
        return also or []
    faults.append(lined.fault((key, "also"), f"expected a list of other spellings, found {also!r}"))
    return []
