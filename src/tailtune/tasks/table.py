"""What kinds of answer there are, each a task with its own room here."""

from __future__ import annotations

from tailtune.tasks.base import Task
from tailtune.tasks.classification.task import Classification
from tailtune.tasks.extraction.task import ExtractionTask

TASKS: dict[str, Task] = {task.name: task for task in (Classification(), ExtractionTask())}
"""Name in model.yaml → task, in the order of `use_case.TASKS`."""
