"""Read one use case: model.yaml and the file that says what an answer may be, all faults at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tailtune.config.located import LinedYaml
from tailtune.config.model import ModelSpec
from tailtune.config.paths import CasePaths, Paths
from tailtune.core.errors import Fault, SpecError, UsageError
from tailtune.tasks.classification.config import ClassificationSpec, load_labels
from tailtune.tasks.extraction.config import ExtractionSpec
from tailtune.tasks.extraction.schema import load_schema

if TYPE_CHECKING:
    from tailtune.tasks.base import Task


class Answers(Protocol):
    """What an answer may be: a label set, a schema, later whatever a third task declares."""

    @property
    def names(self) -> tuple[str, ...]:
        """What rows are counted by: labels, fields."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One per task: how its use cases are declared.

    Attributes:
        spec: The shape of model.yaml.
        load_answers: Reads `spec.ANSWERS`, given the file, how errors name it, and their hint.
    """

    spec: type[ModelSpec]
    load_answers: Callable[[Path, str, str], Answers]


TASKS: dict[str, Declared] = {
    "classification": Declared(ClassificationSpec, load_labels),
    "extraction": Declared(ExtractionSpec, load_schema),
}
"""Task → how it is declared. tasks/ holds what each one does; a test compares the two."""


@dataclass(frozen=True)
class UseCase:
    """One per declared use case: its name, spec, what an answer may be, and its paths."""

    name: str
    spec: ModelSpec
    answers: Answers
    paths: CasePaths

    @property
    def task(self) -> Task:
        """What the use case's task does."""
        from tailtune.tasks import table

        return table.TASKS[self.spec.task]

    @property
    def answers_file(self) -> Path:
        """The file that says what an answer may be."""
        return self.paths.folder / self.spec.ANSWERS


def load_use_case(paths: Paths, name: str) -> UseCase:
    """Read and check the declaration of a use case.

    Raises:
        UsageError: No such use case; names the nearest.
        SpecError: Faults in model.yaml or in what it names, each with file:line.
    """
    case = paths.case(name)
    if not case.model_yaml.is_file():
        known = paths.use_cases()
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there is {', '.join(known) or 'none yet'}"
        raise UsageError(f"models/{name}/model.yaml: no use case `{name}`; {meant}", "tailtune list")
    hint = f"tailtune check {name}"
    faults: list[Fault] = []
    lined = LinedYaml(case.model_yaml, paths.shown(case.model_yaml), hint)
    declared = _declared(lined)
    spec: ModelSpec | None = None
    answers: Answers | None = None
    try:
        spec = lined.parse(declared.spec)
    except SpecError as error:
        faults += error.faults
    file = case.folder / declared.spec.ANSWERS
    try:
        answers = declared.load_answers(file, paths.shown(file), hint)
    except SpecError as error:
        faults += error.faults
    if faults or spec is None or answers is None:
        raise SpecError(faults, hint)
    return UseCase(name, spec, answers, case)


def _declared(lined: LinedYaml) -> Declared:
    """How the use case's task is declared.

    Raises:
        SpecError: It names none that there is.
    """
    given = lined.value.get("task")
    if isinstance(given, str) and given in TASKS:
        return TASKS[given]
    if "task" not in lined.value:
        raise SpecError([lined.fault((), f"task: missing; expected one of {', '.join(TASKS)}")], lined.hint)
    near = get_close_matches(str(given), TASKS, n=1)
    meant = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(TASKS)}"
    raise SpecError([lined.fault(("task",), f"no such task: {given!r}; {meant}")], lined.hint)
