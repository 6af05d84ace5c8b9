"""The task `classification`: one label of a closed set for each text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.config.model import ModelSpec
from tailtune.core.records import Answer, Row
from tailtune.core.reports import Paired
from tailtune.judge.diagnose import WrongPart
from tailtune.judge.scores import Score
from tailtune.judge.stats import paired
from tailtune.predictors.base import Embed
from tailtune.predictors.prepare.scrub import scrub
from tailtune.services.sources import Columns, RawRow, one_label
from tailtune.tasks import new_prompts
from tailtune.tasks.base import Details, Said, Tables, Task, Tidied
from tailtune.tasks.classification import new, scoring
from tailtune.tasks.classification.config import ClassificationData, ClassificationSpec, LabelSet
from tailtune.tasks.classification.replies import LabelCodec
from tailtune.tasks.classification.rungs import ClassifyContext
from tailtune.tasks.declare import Declaration, Wanted
from tailtune.tasks.expect import Expected, column
from tailtune.tasks.labels import LabelBook
from tailtune.tasks.use_case import UseCase


def columns_of(data: ClassificationData) -> Columns:
    """The columns of a file with one label per row."""
    return Columns(data.text, (data.label,), one_label(data.label), data.group)


@dataclass(frozen=True)
class Classification(Task):
    """One label for each text."""

    name: str = "classification"
    noun: str = "label"
    curve_rung: str = "probe"
    model_type: str = "classifier"
    narrow: str = "a closed label set: every local rung answers with a valid label by construction"

    def declare(self, wanted: Wanted) -> Declaration:
        """Labels as they stand in the files."""
        return new.declare(wanted)

    def columns(self, spec: ModelSpec) -> Columns:
        """Text, label and group."""
        return columns_of(_spec(spec).data)

    def book(self, case: UseCase) -> LabelBook:
        """Holds labels against labels.yaml."""
        project, paths = case.paths.project, case.paths
        return LabelBook(case.answers.names, project.shown(case.answers_file), project.shown(paths.data))

    def tidied(self, case: UseCase, raw: RawRow, cleaned: str, changes: tuple[str, ...]) -> Tidied:
        """Scrub the text; a label has no places in it."""
        scrubbed, kinds = scrub(cleaned, case.spec.curate.scrub_pii)
        return Tidied(scrubbed, raw.label, changes + kinds)

    def counted(self, label: str) -> Iterable[str]:
        """The label itself."""
        return (label,)

    def expectations(self, case: UseCase) -> Iterator[Expected]:
        """Every label is declared, and has enough train rows."""
        file, names = case.paths.project.shown(case.answers_file), list(case.answers.names)
        yield column(
            "rows",
            "expect_column_values_to_be_in_set",
            "label",
            f"Every label is one of the {len(names)} in {file}.",
            value_set=names,
        )
        least = _spec(case.spec).validate_.min_rows_per_class
        yield column(
            "classes",
            "expect_column_values_to_be_between",
            "train_rows",
            f"Every label has at least {least} train rows.",
            min_value=least,
        )

    def tables(self, case: UseCase, rows: Sequence[Row]) -> Tables:
        """Train rows by label."""
        import pandas as pd

        counts = pd.Series([row.label for row in rows if row.split == "train"], dtype=str).value_counts()
        names = list(case.answers.names)
        train = [int(counts.get(label, 0)) for label in names]
        origins = [f"{label} ({n} train rows)" for label, n in zip(names, train, strict=True)]
        frame = pd.DataFrame({"label": names, "train_rows": train, "origin": origins})
        return Tables({"classes": "One per label of the label set."}, {"classes": frame})

    def fitting(self, case: UseCase, rows: Sequence[Row], embed: Embed) -> ClassifyContext:
        """The label set with its descriptions, and how many examples and neighbours rungs take."""
        ladder = _spec(case.spec).ladder
        return ClassifyContext(
            rows=rows, embed=embed, labels=_labels(case), shots=ladder.shots, neighbours=ladder.neighbours
        )

    def codec(self, case: UseCase) -> LabelCodec:
        """Reads `{"label": "…"}`, and what models say instead."""
        return LabelCodec(_labels(case))

    def prompts(self, description: str) -> Mapping[str, str]:
        """Categories with their descriptions, and rules for texts that fit two or none."""
        return new_prompts.of_labels(description)

    def outcomes(self, score: Score) -> NDArray[np.int64]:
        """(1, 0, 0) for a right answer, (0, 1, 1) for any other, so that micro F1 is accuracy."""
        right = score.right.astype(np.int64)
        return np.stack([right, 1 - right, 1 - right], axis=1)

    def most_items(self, case: UseCase) -> int:
        """A row has one label."""
        return 1

    def score(
        self, case: UseCase, rows: Sequence[Row], answers: Sequence[Answer], resamples: int = 2000, bins: int = 15
    ) -> Score:
        """Accuracy and macro F1."""
        return scoring.score([row.label for row in rows], answers, resamples, bins)

    def compare(self, first: Score, second: Score, names: tuple[str, str], resamples: int = 2000) -> Paired:
        """Difference of accuracy, paired by row."""
        return paired(first.right, second.right, names, resamples)

    def details(
        self,
        case: UseCase,
        rows: Sequence[Row],
        answers: Sequence[Answer],
        other: Sequence[Answer] | None,
        score: Score,
        bins: int,
    ) -> Details:
        """Per label, confusions, calibration."""
        expected, values = [row.label for row in rows], [answer.value for answer in answers]
        confidence = np.array([answer.confidence for answer in answers])
        return Details(
            per_class=scoring.per_class(expected, values, None if other is None else [a.value for a in other]),
            confusions=scoring.confusions(expected, values),
            calibration=scoring.calibration(confidence, score.right, bins),
        )

    def failure(self, case: UseCase, row: Row, answer: Answer, others: Mapping[str, Answer]) -> dict[str, Any]:
        """Expected, answered, and how sure."""
        return {
            "origin": row.origin,
            "text": row.text,
            "expected": row.label,
            "answered": answer.value,
            "confidence": round(answer.confidence, 4),
            **{f"{name}_answered": other.value for name, other in others.items()},
        }

    def wrong_parts(self, case: UseCase, row: Row, said: Said) -> tuple[WrongPart, ...]:
        """The label."""
        answered = said.answer.value
        part = WrongPart(
            name="",
            expected=row.label,
            answered=answered,
            strong=None if said.strong is None else said.strong.value,
            strong_right=None if said.strong is None else said.strong.value == row.label,
            local=None if said.local is None else said.local.value,
            suspect=said.suspect,
            evidence=None if said.shown is None else row.label in said.shown,
            pair=None if answered is None else (row.label, answered),
        )
        return (part,)


def _spec(spec: ModelSpec) -> ClassificationSpec:
    if not isinstance(spec, ClassificationSpec):
        raise TypeError(f"expected the spec of a classification, got {type(spec).__name__}")
    return spec


def _labels(case: UseCase) -> Mapping[str, str]:
    if not isinstance(case.answers, LabelSet):
        raise TypeError(f"expected a label set, got {type(case.answers).__name__}")
    return case.answers.labels
