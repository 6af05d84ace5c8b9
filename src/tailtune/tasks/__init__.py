"""What kinds of answer there are, each a task with its own room here."""

from __future__ import annotations

from tailtune.spec.load import UseCase
from tailtune.tasks.base import Task
from tailtune.tasks.classification import Classification
from tailtune.tasks.extraction import ExtractionTask

TASKS: dict[str, Task] = {task.name: task for task in (Classification(), ExtractionTask())}
"""Name in model.yaml → task, in the order of `spec.load.TASKS`."""


def of(case: UseCase) -> Task:
    """The task of a use case."""
    return TASKS[case.spec.task]
