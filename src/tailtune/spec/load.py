"""Read one use case: model.yaml and labels.yaml, all faults at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from tailtune.core.errors import Fault, SpecError, UsageError
from tailtune.spec.model import ModelSpec
from tailtune.spec.paths import CasePaths, Paths
from tailtune.spec.yaml_lines import LinedYaml


@dataclass(frozen=True)
class UseCase:
    """One per declared use case: its name, spec, labels and paths.

    Attributes:
        labels: Label → description, in file order. A description may be empty.
    """

    name: str
    spec: ModelSpec
    labels: Mapping[str, str]
    paths: CasePaths

    @property
    def label_names(self) -> tuple[str, ...]:
        """The label set, in file order."""
        return tuple(self.labels)


def load_use_case(paths: Paths, name: str) -> UseCase:
    """Read and check the declaration of a use case.

    Raises:
        UsageError: No such use case; names the nearest.
        SpecError: Faults in model.yaml or labels.yaml, each with file:line.
    """
    case = paths.case(name)
    if not case.model_yaml.is_file():
        known = paths.use_cases()
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there is {', '.join(known) or 'none yet'}"
        raise UsageError(f"models/{name}/model.yaml: no use case `{name}`; {meant}", "tailtune list")
    hint = f"tailtune check {name}"
    faults: list[Fault] = []
    spec: ModelSpec | None = None
    labels: dict[str, str] = {}
    try:
        spec = LinedYaml(case.model_yaml, paths.shown(case.model_yaml), hint).parse(ModelSpec)
    except SpecError as error:
        faults += error.faults
    try:
        labels = _labels(LinedYaml(case.labels_yaml, paths.shown(case.labels_yaml), hint))
    except SpecError as error:
        faults += error.faults
    if faults or spec is None:
        raise SpecError(faults, hint)
    return UseCase(name, spec, labels, case)


def _labels(lined: LinedYaml) -> dict[str, str]:
    faults = [
        lined.fault((key,), f"expected a description in words, found {value!r}")
        for key, value in lined.value.items()
        if not isinstance(value, str | None)
    ]
    if len(lined.value) < 2:
        faults.append(lined.fault((), f"expected at least 2 labels, found {len(lined.value)}"))
    if faults:
        raise SpecError(faults, lined.hint)
    return {str(key): value or "" for key, value in lined.value.items()}
