"""What a task is: the questions that the house asks about labels and answers; one file or folder per task answers.

A stage never asks which task it runs; it asks the task. What is learnt on top of the encoder stands in training/,
rungs in predictors/, scorers in judge/; a task names them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tailtune.config.model import ModelSpec
from tailtune.core.errors import Fault
from tailtune.core.records import Answer, Row
from tailtune.core.reports import CalibrationBin, ClassResult, Confusion, FieldResult, Paired
from tailtune.judge.diagnose import WrongPart
from tailtune.judge.scores import Score
from tailtune.predictors.base import Embed, FitContext
from tailtune.predictors.prompted.codec import Codec
from tailtune.services.sources import Columns, RawRow
from tailtune.tasks.declare import Declaration, Wanted
from tailtune.tasks.expect import Expected
from tailtune.tasks.use_case import UseCase

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tidied:
    """One per raw row whose text is worth keeping: text and label as curation writes them.

    Attributes:
        changes: What was rewritten.
        reason: Why the row cannot be used, one of `Task.reasons`; empty when it can.
        detail: What a person needs to see why.
    """

    text: str
    label: str
    changes: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Tables:
    """One per validation: what a task adds to the tables that the suite is held against.

    Attributes:
        grains: Table → its grain, for people.
        frames: Table → rows; each with a column `origin` that says what a failing line is called.
    """

    grains: Mapping[str, str]
    frames: Mapping[str, pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Details:
    """One per evaluation: what the winner did, part by part. A task fills what it has."""

    per_class: tuple[ClassResult, ...] = ()
    per_field: tuple[FieldResult, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """One per wrongly answered row: what was said to it.

    Attributes:
        answer: The prompted model's answer.
        strong: The stronger model's, to the same prompt; None when it was not asked.
        local: The best local rung's; None when there is none.
        suspect: Whether confident learning calls the row's label unlikely.
        shown: Labels of the examples that the prompt showed; None when they are not known.
    """

    answer: Answer
    strong: Answer | None = None
    local: Answer | None = None
    suspect: bool = False
    shown: Sequence[str] | None = None


class Book(ABC):
    """One per reading of files: what rows are labelled with, held against what the use case declares.

    Attributes:
        seen: Label, or field → rows that have it.
    """

    seen: dict[str, int]

    @abstractmethod
    def check(self, label: str, origin: str) -> None:
        """Note a row's raw label."""

    @abstractmethod
    def faults(self) -> Iterator[Fault]:
        """A fault per name that is not declared, all of them at once."""


@dataclass(frozen=True)
class Task(ABC):
    """One per kind of answer.

    Attributes:
        name: As in model.yaml.
        noun: What rows are counted by: label, field.
        curve_rung: The cheap rung whose learning curve is drawn.
        model_type: MLflow's word for it.
        narrow: Evidence for the question whether the format is narrow.
        reasons: Reason why a row is dropped → what it means; besides those of every task.
    """

    name: str
    noun: str
    curve_rung: str
    model_type: str
    narrow: str
    reasons: Mapping[str, str] = field(default_factory=dict)

    @abstractmethod
    def declare(self, wanted: Wanted) -> Declaration:
        """A new use case from files of labelled rows.

        Raises:
            UsageError: Something was asked for that this task has none of.
            DataError: The files cannot be used as they are.
        """

    @abstractmethod
    def columns(self, spec: ModelSpec) -> Columns:
        """Which columns are read, and how a label is read from them."""

    @abstractmethod
    def book(self, case: UseCase) -> Book:
        """An empty book of labels."""

    @abstractmethod
    def tidied(self, case: UseCase, raw: RawRow, cleaned: str, changes: tuple[str, ...]) -> Tidied:
        """Scrub a cleaned text, and take its label along.

        Args:
            case: The use case.
            raw: As it stands in the file.
            cleaned: Its text, cleaned.
            changes: What cleaning changed.
        """

    @abstractmethod
    def counted(self, label: str) -> Iterable[str]:
        """What a kept row is counted under: its label; the fields that have a value."""

    def unaligned(self, case: UseCase, label: str) -> Iterable[str]:
        """Fields of a kept row whose value was not found in its text."""
        return ()

    def faults(self, case: UseCase) -> Iterator[Fault]:
        """What in the declaration contradicts itself over several files; `tailtune check` tells."""
        yield from ()

    @abstractmethod
    def expectations(self, case: UseCase) -> Iterator[Expected]:
        """What curated rows must satisfy besides what every task's must."""

    @abstractmethod
    def tables(self, case: UseCase, rows: Sequence[Row]) -> Tables:
        """The tables that those expectations are about."""

    @abstractmethod
    def fitting(self, case: UseCase, rows: Sequence[Row], embed: Embed) -> FitContext:
        """What a rung may learn from."""

    @abstractmethod
    def codec(self, case: UseCase) -> Codec:
        """Between rows and language models: what a prompt may name, how an example is written, how a reply is read."""

    @abstractmethod
    def prompts(self, description: str) -> Mapping[str, str]:
        """Starting prompts: name → text of the prompt file.

        Args:
            description: What the use case is for, as in model.yaml; may be empty.
        """

    @abstractmethod
    def outcomes(self, score: Score) -> NDArray[np.int64]:
        """Items of each row that were right, wrong and missed, shape (n, 3): what micro F1 is made of."""

    @abstractmethod
    def most_items(self, case: UseCase) -> int:
        """Items that a row usually has at most: the scale of its outcomes when rows are bought one after the other."""

    @abstractmethod
    def score(
        self, case: UseCase, rows: Sequence[Row], answers: Sequence[Answer], resamples: int = 2000, bins: int = 15
    ) -> Score:
        """Answers held against the labels of the rows."""

    @abstractmethod
    def compare(self, first: Score, second: Score, names: tuple[str, str], resamples: int = 2000) -> Paired:
        """Two predictors on the same rows."""

    @abstractmethod
    def details(
        self,
        case: UseCase,
        rows: Sequence[Row],
        answers: Sequence[Answer],
        other: Sequence[Answer] | None,
        score: Score,
        bins: int,
    ) -> Details:
        """The winner's answers part by part, with the other candidate's beside them."""

    @abstractmethod
    def failure(self, case: UseCase, row: Row, answer: Answer, others: Mapping[str, Answer]) -> dict[str, Any]:
        """A row that the winner got wrong, as a line of failures.jsonl.

        Args:
            case: The use case.
            row: The row.
            answer: The winner's answer.
            others: Other predictor → its answer.
        """

    @abstractmethod
    def wrong_parts(self, case: UseCase, row: Row, said: Said) -> tuple[WrongPart, ...]:
        """The parts of an answer that are wrong, with what others say to them; at least one where the answer is."""
