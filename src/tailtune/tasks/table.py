"""The tasks there are: one row per task, and nothing else names them.

Code is named as `module:Class` and imported when it is first used: a saved predictor is brought back in places that
have only what it needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tailtune.tasks.base import Task

FINE_TUNE, FINE_TUNE_TITLE = "lora", "LoRA fine-tune"
"""What every task calls its fine-tune."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One per kind of predictor.

    Attributes:
        name: In specs, folders and reports.
        title: For people.
        where: Its class, `module:Class` below src/tailtune/.
        saved_as: What its folder's card says; its name, unless several tasks use the same name.
        ignores_text: Whether its answer is the same for every text: the line that others must beat, and never one of
            them, however often it is right.
    """

    name: str
    title: str
    where: str
    saved_as: str = ""
    ignores_text: bool = False

    def load_class(self) -> Any:
        """Import the class."""
        return imported(self.where)


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One per task.

    Attributes:
        where: Its class, `module:Class` below src/tailtune/.
        rungs: Its own rungs, cheapest first.
        fine_tune: Its fine-tune.
        codec: What the card of a saved prompted model calls the task's codec.
        codec_where: The codec's class, `module:Class` below src/tailtune/.
    """

    where: str
    rungs: tuple[Kind, ...]
    fine_tune: Kind
    codec: str
    codec_where: str

    def load_class(self) -> type[Task]:
        """Import the task: how its use cases are declared, and what is bound to each of them."""
        task: type[Task] = imported(self.where)
        return task


def answers_objects(task: str) -> bool:
    """Whether a task's answers are JSON objects; else they are labels."""
    return TASKS[task].codec == "object"


def imported(where: str) -> Any:
    """Import `module:Class` below src/tailtune/, or below the package that a version carries it in."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(f"{__name__.partition('.')[0]}.{module}"), name)


DEFAULT_TASK = "classification"
"""What `tailtune new` makes unless it is told otherwise."""
TASKS: Mapping[str, TaskEntry] = {
    "classification": TaskEntry(
        where="tasks.classification.task:Classification",
        rungs=(
            Kind("majority", "Majority class", "tasks.classification.rungs:Majority", ignores_text=True),
            Kind("tfidf", "TF-IDF + linear", "tasks.classification.rungs:Tfidf"),
            Kind("zero_shot", "Zero-shot by label description", "tasks.classification.rungs:ZeroShot"),
            Kind("prototypes", "Few-shot prototypes", "tasks.classification.rungs:Prototypes"),
            Kind("retrieval", "Retrieval, nearest labelled rows", "tasks.classification.rungs:Retrieval"),
            Kind("probe", "Frozen encoder + linear probe", "tasks.classification.rungs:Probe"),
        ),
        fine_tune=Kind(FINE_TUNE, FINE_TUNE_TITLE, "tasks.classification.fine_tune:LoraPredictor"),
        codec="labels",
        codec_where="tasks.classification.replies:LabelCodec",
    ),
    "extraction": TaskEntry(
        where="tasks.extraction.task:ExtractionTask",
        rungs=(
            Kind("blank", "Nothing said", "tasks.extraction.rungs.base:Blank", ignores_text=True),
            Kind("patterns", "Patterns and gazetteers", "tasks.extraction.rungs.patterns:Patterns"),
            Kind("template", "Nearest example as template", "tasks.extraction.rungs.template:Template"),
            Kind("token_probe", "Frozen encoder + token head", "tasks.extraction.rungs.token_probe:TokenProbe"),
        ),
        fine_tune=Kind(FINE_TUNE, FINE_TUNE_TITLE, "tasks.extraction.fine_tune:LoraExtractor", "lora-extraction"),
        codec="object",
        codec_where="tasks.extraction.replies:ObjectCodec",
    ),
}
"""Name in model.yaml → task, in the order in which people read of them."""
