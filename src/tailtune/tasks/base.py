"""The protocol of a task: everything that stages ask about labels and answers.

A stage never asks which task it runs; it calls the use case's bound task. Each task is one folder beside this file, and
one row of `table.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tailtune.config.located import unknown
from tailtune.config.model import ModelSpec
from tailtune.config.paths import CasePaths
from tailtune.core.errors import Fault
from tailtune.core.records import Answer, Row
from tailtune.core.reports import CalibrationBin, ClassResult, Confusion, FieldResult
from tailtune.judge.ceiling import Opinions
from tailtune.judge.diagnose import WrongPart
from tailtune.judge.estimated_accuracy import EstimatedAccuracy
from tailtune.judge.scores import Score
from tailtune.predictors.base import Embed, FitContext
from tailtune.predictors.prompted.codec import Codec
from tailtune.services.sources import Columns, RawRow
from tailtune.tasks.declare import Declaration, NewUseCase
from tailtune.tasks.label_check import LabelCheck

if TYPE_CHECKING:
    import pandas as pd

    from tailtune.training.objective import Goal


class Answers(Protocol):
    """The answers that a use case allows: a label set, a schema."""

    @property
    def names(self) -> tuple[str, ...]:
        """What rows are counted by: labels, fields."""


@dataclass(frozen=True, slots=True)
class Files:
    """One per use case: its files by the names that messages use, relative to the project's root.

    Attributes:
        model_yaml: The spec.
        answers: The file of allowed answers: labels.yaml, schema.json.
        data: The folder of raw rows.
    """

    model_yaml: str
    answers: str
    data: str

    @classmethod
    def of(cls, paths: CasePaths, answers: str) -> Files:
        """The files of a checkout's use case, whose allowed answers stand in the file `answers`."""
        shown = paths.project.shown
        return cls(shown(paths.model_yaml), shown(paths.folder / answers), shown(paths.data))


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """One per raw row whose text is worth keeping: text and label as curation writes them.

    Attributes:
        changes: What was rewritten.
        reason: Why the row cannot be used, one of `Task.reasons`; empty when it can.
        detail: What a person needs to see why.
    """

    text: str
    label: Any
    changes: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One per expectation about curated rows, as plain values: validate hands them to Great Expectations.

    Attributes:
        table: What it is about.
        kind: Great Expectations' type.
        subject: Column, or the table where it is about all of it.
        meaning: One sentence a person reads.
        arguments: As Great Expectations takes them.
    """

    table: str
    kind: str
    subject: str
    meaning: str
    arguments: Mapping[str, Any]


def expect_column(table: str, kind: str, name: str, meaning: str, **arguments: Any) -> Expectation:
    """An expectation about the values of a column."""
    return Expectation(table, kind, name, meaning, {"column": name, **arguments})


COUNTS = "counts"
"""Column of a table of counts that says a line of it in words; tables of rows have `origin`."""


@dataclass(frozen=True, slots=True)
class SuiteTables:
    """One per validation: the tables that a task adds for its own expectations.

    Attributes:
        grains: Table → its grain, for people.
        frames: Table → rows; each with a column that names it in a failure: `origin`, a line of a file; or `counts`,
            a sentence, in a table of counts.
    """

    grains: Mapping[str, str]
    frames: Mapping[str, pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Details:
    """One per evaluation: the winner's results by class or field. A task fills in what it has."""

    per_class: tuple[ClassResult, ...] = ()
    per_field: tuple[FieldResult, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()


@dataclass(frozen=True, slots=True)
class Watched:
    """One per answered row: what of its answer is compared between then and now.

    Attributes:
        categories: Measure → its value as text; None where there is none.
        numbers: Measure → its value; NaN where it is not known.
    """

    categories: Mapping[str, str | None]
    numbers: Mapping[str, float] = field(default_factory=dict)


Likeliest = Sequence[tuple[str, float]]
"""What a version found likeliest in a row: labels with probabilities, likeliest first; fields with confidences."""


@dataclass(frozen=True, slots=True)
class KnownRow:
    """One per labelled row that a version answered and did not learn from.

    Attributes:
        likeliest: What it found likeliest.
        label: The right answer, as text.
        score: What its answer is worth, 0 to 1.
    """

    likeliest: Likeliest
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class RowAnswers:
    """One per wrongly answered row: the answers of several predictors to it.

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
    shown: Sequence[Any] | None = None


@dataclass(frozen=True)
class Task(ABC):
    """One per use case: its kind of answer, bound to what the use case declares.

    The class itself holds what is true of every use case of the task.

    Attributes:
        name: As in model.yaml.
        noun: What rows are counted by: label, field.
        curve_rung: The cheap rung whose learning curve is drawn.
        index_rung: The rung that keeps the vectors of the rows it was fitted to, in their order, as its `index`.
        model_type: MLflow's word for it.
        narrow: Evidence for the question whether the format is narrow.
        respelling: What to do about two names that look alike, {0} and {1}; empty when nothing can be done.
        label_judges: Two rungs that are asked which labels look wrong, a head and one that looks up neighbours; none
            where the task has no such rungs.
        in_windows: Whether a fine-tune reads a longer text in several windows, instead of cutting it.
        in_parts: Whether an answer has several parts.
        reasons: Reason why a row is dropped → what it means; besides those of every task.
        spec_type: The shape of model.yaml.
        spec: What the use case declares.
        answers: The answers that it allows.
        files: How messages name its files.
    """

    name: ClassVar[str]
    noun: ClassVar[str]
    curve_rung: ClassVar[str]
    index_rung: ClassVar[str]
    model_type: ClassVar[str]
    narrow: ClassVar[str]
    respelling: ClassVar[str] = ""
    label_judges: ClassVar[tuple[str, ...]] = ()
    in_windows: ClassVar[bool] = False
    in_parts: ClassVar[bool] = False
    reasons: ClassVar[Mapping[str, str]] = {}
    spec_type: ClassVar[type[ModelSpec]]

    spec: ModelSpec
    answers: Answers
    files: Files

    @staticmethod
    @abstractmethod
    def load_answers(path: Path, shown: str, hint: str) -> Answers:
        """Read and check the file of allowed answers.

        Args:
            path: The file.
            shown: How errors name it.
            hint: The next command that errors show.

        Raises:
            SpecError: Every fault with its line.
        """

    @staticmethod
    @abstractmethod
    def declare(new: NewUseCase) -> Declaration:
        """A new use case from files of labelled rows.

        Raises:
            UsageError: An option was used that this task does not have.
            DataError: The files cannot be used as they are.
        """

    @staticmethod
    @abstractmethod
    def starting_prompts(description: str) -> Mapping[str, str]:
        """Prompts for a new use case: name → text of the prompt file.

        Args:
            description: What the use case is for, as in model.yaml; may be empty.
        """

    @staticmethod
    @abstractmethod
    def parse_label(text: str) -> Any:
        """The label of a curated row from its text, which `str` of the label gives back."""

    @abstractmethod
    def columns(self) -> Columns:
        """Which columns are read, and how a label is read from them."""

    def resolve(self, rows: Callable[[], Iterator[RawRow]]) -> Iterator[RawRow]:
        """A file's rows, with what only all rows of the file together say about a label.

        Args:
            rows: Opens the file; may be called more than once.
        """
        return rows()

    @abstractmethod
    def label_check(self) -> LabelCheck:
        """An empty check of raw labels against the declaration."""

    @abstractmethod
    def prepare_row(self, raw: RawRow, cleaned: str, changes: tuple[str, ...]) -> PreparedRow:
        """Scrub a cleaned text, and take its label along.

        Args:
            raw: As it stands in the file.
            cleaned: Its text, cleaned.
            changes: What cleaning changed.
        """

    def opinions(self, rows: Sequence[Row], judges: Sequence[Any]) -> Opinions:
        """What the rungs that `label_judges` names say of rows that they did not learn from.

        Raises:
            TooLargeError: There are more labels than memory allows.
        """
        raise NotImplementedError(f"{self.name} names no label_judges")

    def correction(self, label: str) -> Any:
        """The label that a person's correction names.

        Raises:
            ValueError: Why it cannot be one, in words.
        """
        raise ValueError(f"labels of {self.name} cannot be corrected this way; correct them in {self.files.data}/")

    def with_classes(self, text: str, classes: Mapping[str, str]) -> str:
        """The text of the file of allowed answers with more classes in it.

        Args:
            text: Of the file.
            classes: Name → description.

        Raises:
            ValueError: Answers are no classes, in words.
        """
        raise ValueError(f"answers of {self.name} are objects of {self.files.answers}, so there are no classes to add")

    @abstractmethod
    def raw_label(self, answer: str) -> Any:
        """A right answer that a person sent, as rows of a file have their labels: a label, a JSON object.

        Raises:
            ValueError: Why it cannot be one, in words.
        """

    def watched(self, answer: str | None, likeliest: Sequence[tuple[str, float]]) -> Watched:
        """What of an answer the monitor compares between then and now.

        Args:
            answer: The label, or the JSON object as text; None where there was no valid answer.
            likeliest: Labels with their probabilities, likeliest first; of an object, fields with their confidences.
        """
        return Watched({"answer": answer})

    def parts(self, answer: Answer) -> Mapping[str, Any]:
        """What an answer says, part by part: itself; of an object, the fields that it fills."""
        return {self.noun: answer.value}

    @abstractmethod
    def expected_accuracy(self, known: Sequence[KnownRow], likeliest: Sequence[Likeliest]) -> EstimatedAccuracy:
        """The expected score of rows without labels, from how sure a version was of its answers to them.

        Args:
            known: Labelled rows that the version answered and did not learn from.
            likeliest: Of each row, what it found likeliest.
        """

    @abstractmethod
    def names_in(self, label: Any) -> Iterable[str]:
        """What a kept row is counted under: its label; the fields that have a value."""

    def unaligned(self, label: Any) -> Iterable[str]:
        """Fields of a kept row whose value was not found in its text."""
        return ()

    def faults(self) -> Iterator[Fault]:
        """What in the declaration contradicts itself over several files; `tailtune check` shows it."""
        targets, names = self.spec.targets, list(self.answers.names)
        for key, floors in (("recall", targets.recall), ("f1", targets.f1)):
            for name in floors:
                if name not in names:
                    yield Fault(self.files.model_yaml, f"targets.{key}.{name}: {unknown(name, names)}")

    @abstractmethod
    def expectations(self) -> Iterator[Expectation]:
        """What curated rows must satisfy, besides the expectations of every task."""

    @abstractmethod
    def tables(self, rows: Sequence[Row]) -> SuiteTables:
        """The tables that those expectations are about."""

    @abstractmethod
    def fit_context(self, rows: Sequence[Row], embed: Embed) -> FitContext:
        """What a rung may learn from."""

    @abstractmethod
    def goal(self, train: Sequence[Row], dev: Sequence[Row]) -> Goal:
        """What a fine-tune learns from these rows. Imports torch."""

    @abstractmethod
    def codec(self) -> Codec:
        """Between rows and language models: what a prompt may name, how an example is written, how a reply is read."""

    @abstractmethod
    def most_items(self) -> int:
        """Items that a row usually has at most: the scale of its outcomes when rows are bought one after the other."""

    @abstractmethod
    def score(self, rows: Sequence[Row], answers: Sequence[Answer], bins: int = 15) -> Score:
        """Compare answers with the labels of the rows."""

    @abstractmethod
    def details(
        self, rows: Sequence[Row], answers: Sequence[Answer], other: Sequence[Answer] | None, bins: int
    ) -> Details:
        """The winner's results by class or field, beside those of the other candidate."""

    @abstractmethod
    def failure(self, row: Row, answer: Answer, others: Mapping[str, Answer]) -> dict[str, Any]:
        """A row that the winner got wrong, as a line of failures.jsonl.

        Args:
            row: The row.
            answer: The winner's answer.
            others: Other predictor → its answer.
        """

    @abstractmethod
    def wrong_parts(self, row: Row, answers: RowAnswers) -> tuple[WrongPart, ...]:
        """The wrong parts of an answer, each with what the others answered there; at least one for a wrong answer."""
