"""Read one use case: model.yaml and its file of allowed answers, all faults at once, and bind its task to them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from tailtune.config.located import LinedYaml
from tailtune.config.model import ModelSpec
from tailtune.config.paths import CasePaths, Paths
from tailtune.core.errors import Fault, SpecError, UsageError
from tailtune.tasks.base import Answers, Files, Task
from tailtune.tasks.table import TASKS


@dataclass(frozen=True)
class UseCase:
    """One per declared use case.

    Attributes:
        name: Its folder below models/.
        paths: Where its files are.
        task: Its kind of answer, bound to what it declares.
    """

    name: str
    paths: CasePaths
    task: Task

    @property
    def spec(self) -> ModelSpec:
        """What it declares."""
        return self.task.spec

    @property
    def model(self) -> str:
        """Name of its registered model."""
        return self.spec.register_.model or self.name

    @property
    def answers(self) -> Answers:
        """The answers that it allows."""
        return self.task.answers

    @property
    def answers_file(self) -> Path:
        """The file of allowed answers."""
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
    return read_declaration(case)


def read_declaration(case: CasePaths) -> UseCase:
    """Read and check what stands in a use case's folder, also before the folder is in its place.

    Raises:
        SpecError: Faults in model.yaml or in what it names, each with file:line.
    """
    paths, name = case.project, case.use_case
    hint = f"tailtune check {name}"
    faults: list[Fault] = []
    lined = LinedYaml(case.model_yaml, paths.shown(case.model_yaml), hint)
    task = _task(lined)
    spec: ModelSpec | None = None
    answers: Answers | None = None
    try:
        spec = lined.parse(task.spec_type)
    except SpecError as error:
        faults += error.faults
    file = case.folder / task.spec_type.ANSWERS
    try:
        answers = task.load_answers(file, paths.shown(file), hint)
    except SpecError as error:
        faults += error.faults
    if faults or spec is None or answers is None:
        raise SpecError(faults, hint)
    return UseCase(name, case, task(spec, answers, Files.of(case, spec.ANSWERS)))


def _task(lined: LinedYaml) -> type[Task]:
    """The task that a model.yaml names.

    Raises:
        SpecError: There is no such task.
    """
    named = lined.value.get("task")
    if isinstance(named, str) and named in TASKS:
        return TASKS[named].load_class()
    if "task" not in lined.value:
        raise SpecError([lined.fault((), f"task: missing; expected one of {', '.join(TASKS)}")], lined.hint)
    near = get_close_matches(str(named), TASKS, n=1)
    meant = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(TASKS)}"
    raise SpecError([lined.fault(("task",), f"no such task: {named!r}; {meant}")], lined.hint)
