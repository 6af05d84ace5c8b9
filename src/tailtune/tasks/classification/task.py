"""The task `classification`: one label of a closed set for each text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from tailtune.core.records import Answer, Row
from tailtune.judge.ceiling import Opinions
from tailtune.judge.diagnose import WrongPart
from tailtune.judge.estimated_accuracy import EstimatedAccuracy, Labelled, TopLabels, estimated_accuracy
from tailtune.judge.scores import Score, calibration
from tailtune.predictors.base import Embed
from tailtune.predictors.prepare.scrub import scrub
from tailtune.services.sources import Columns, RawRow, one_label
from tailtune.tasks.base import (
    COUNTS,
    Details,
    Expectation,
    Files,
    KnownRow,
    Likeliest,
    PreparedRow,
    RowAnswers,
    SuiteTables,
    Task,
    expect_column,
)
from tailtune.tasks.classification import new, scoring
from tailtune.tasks.classification.config import ClassificationData, ClassificationSpec, LabelSet, load_labels
from tailtune.tasks.classification.opinions import opinions
from tailtune.tasks.classification.replies import LabelCodec
from tailtune.tasks.classification.rungs import Classifier, ClassifyContext
from tailtune.tasks.declare import quoted
from tailtune.tasks.label_check import RESPELLED, NameCheck, visible

if TYPE_CHECKING:
    from tailtune.tasks.classification.objective import Classes


def columns_of(data: ClassificationData) -> Columns[str]:
    """The columns of a file with one label per row."""
    return Columns(data.text, (data.label,), one_label(data.label), data.group, data.drop_rejected, data.slices)


@dataclass(frozen=True)
class Classification(Task):
    """One label for each text."""

    name = "classification"
    noun = "label"
    curve_rung = "probe"
    index_rung = "retrieval"
    model_type = "classifier"
    respelling = new.RESPELLING
    label_judges = ("probe", "retrieval")
    narrow = "a closed label set: every local rung answers with a valid label by construction"
    spec_type = ClassificationSpec
    load_answers = staticmethod(load_labels)
    declare = staticmethod(new.declare)
    starting_prompts = staticmethod(new.starting_prompts)

    spec: ClassificationSpec
    answers: LabelSet
    files: Files

    @staticmethod
    def parse_label(text: str) -> str:
        """The label is its text."""
        return text

    def columns(self) -> Columns[str]:
        """Text, label and group."""
        return columns_of(self.spec.data)

    def label_check(self) -> NameCheck:
        """Every label is one of labels.yaml, or one of its other spellings there."""
        return NameCheck(self.answers.names, self.files.answers, self.files.data, name_of=self.answers.label_of)

    def prepare_row(self, raw: RawRow[str], cleaned: str, changes: tuple[str, ...]) -> PreparedRow:
        """Scrub the text, and give the row the declared spelling of its label; a label has no places in the text."""
        scrubbed, kinds = scrub(cleaned, self.spec.curate.scrub_pii)
        label = self.answers.label_of(raw.label)
        return PreparedRow(scrubbed, label, changes + kinds + (() if label == raw.label else (RESPELLED,)))

    def opinions(self, rows: Sequence[Row[str]], judges: Sequence[Classifier]) -> Opinions:
        """What the probe finds most probable besides the label, and whether the neighbours agree."""
        head, neighbours = judges
        return opinions(rows, head, neighbours)

    def correction(self, label: str) -> str:
        """A declared label, in whatever spelling is declared for it."""
        name = self.answers.label_of(label)
        if name not in self.answers.labels:
            near = get_close_matches(label, self.answers.names, n=1, cutoff=0.6)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"label `{visible(label)}` is not in {self.files.answers}{meant}")
        return name

    def with_classes(self, text: str, classes: Mapping[str, str]) -> str:
        """The text of labels.yaml with more labels at its end; what stands in it stays as it is."""
        lines = "".join(f"{quoted(name)}: {json.dumps(about, ensure_ascii=False)}\n" for name, about in classes.items())
        return text + ("\n" if text and not text.endswith("\n") else "") + lines

    def raw_label(self, answer: str) -> str:
        """A declared label, in whatever spelling is declared for it."""
        return self.correction(answer)

    def expected_accuracy(self, known: Sequence[KnownRow], likeliest: Sequence[Likeliest]) -> EstimatedAccuracy:
        """From the probabilities of the likeliest labels."""
        then = TopLabels.of(row.likeliest for row in known)
        return estimated_accuracy(Labelled(then, [row.label for row in known]), TopLabels.of(likeliest))

    def names_in(self, label: str) -> Iterable[str]:
        """The label itself."""
        return (label,)

    def expectations(self) -> Iterator[Expectation]:
        """Every label is declared, and has enough train rows."""
        names = list(self.answers.names)
        yield expect_column(
            "rows",
            "expect_column_values_to_be_in_set",
            "label",
            f"Every label is one of the {len(names)} in {self.files.answers}.",
            value_set=names,
        )
        least = self.spec.validate_.min_rows_per_class
        yield expect_column(
            "classes",
            "expect_column_values_to_be_between",
            "train_rows",
            f"Every label has at least {least} train rows.",
            min_value=least,
        )

    def tables(self, rows: Sequence[Row[str]]) -> SuiteTables:
        """Train rows by label."""
        import pandas as pd

        counts = pd.Series([row.label for row in rows if row.split == "train"], dtype=str).value_counts()
        names = list(self.answers.names)
        train = [int(counts.get(label, 0)) for label in names]
        counted = [f"{label} ({n} train row{'s' * (n != 1)})" for label, n in zip(names, train, strict=True)]
        frame = pd.DataFrame({"label": names, "train_rows": train, COUNTS: counted})
        return SuiteTables({"classes": "One per label of the label set."}, {"classes": frame})

    def fit_context(self, rows: Sequence[Row[str]], embed: Embed) -> ClassifyContext:
        """The label set with its descriptions, and how many examples and neighbours rungs take."""
        ladder = self.spec.ladder
        return ClassifyContext(
            rows=rows, embed=embed, labels=self.answers.labels, shots=ladder.shots, neighbours=ladder.neighbours
        )

    def goal(self, train: Sequence[Row[str]], dev: Sequence[Row[str]]) -> Classes:
        """Tell the labels apart."""
        from tailtune.tasks.classification.objective import classes_of

        return classes_of(self.answers.names, train, dev)

    def codec(self) -> LabelCodec:
        """Reads `{"label": "…"}`, and what models say instead."""
        return LabelCodec(self.answers.labels, self.answers.aliases)

    def most_items(self) -> int:
        """A row has one label."""
        return 1

    def score(self, rows: Sequence[Row[str]], answers: Sequence[Answer], bins: int = 15) -> Score:
        """Accuracy, macro F1, and what the targets name of single labels."""
        targets, groups = self.spec.targets, [row.group for row in rows]
        return scoring.score([row.label for row in rows], answers, bins, groups, targets.recall, targets.f1)

    def details(
        self, rows: Sequence[Row[str]], answers: Sequence[Answer], other: Sequence[Answer] | None, bins: int
    ) -> Details:
        """Per label, confusions, calibration."""
        expected, values = [row.label for row in rows], [answer.value for answer in answers]
        right = np.array([value == label for value, label in zip(values, expected, strict=True)])
        confidence = np.array([answer.confidence for answer in answers])
        return Details(
            per_class=scoring.per_class(expected, values, None if other is None else [a.value for a in other]),
            confusions=scoring.confusions(expected, values),
            calibration=calibration(confidence, right, bins),
        )

    def failure(self, row: Row[str], answer: Answer, others: Mapping[str, Answer]) -> dict[str, Any]:
        """Expected, answered, and how sure; null where the predictor has no probability."""
        return {
            "origin": row.origin,
            "text": row.text,
            "expected": row.label,
            "answered": answer.value,
            "confidence": None if math.isnan(answer.confidence) else round(answer.confidence, 4),
            **{f"{name}_answered": other.value for name, other in others.items()},
        }

    def wrong_parts(self, row: Row[str], answers: RowAnswers) -> tuple[WrongPart, ...]:
        """The label."""
        answered, strong, local = answers.answer.value, answers.strong, answers.local
        wrong = WrongPart(
            name="",
            expected=row.label,
            answered=answered,
            strong=None if strong is None else strong.value,
            strong_right=None if strong is None else strong.value == row.label,
            local=None if local is None else local.value,
            suspect=answers.suspect,
            evidence=None if answers.shown is None else row.label in answers.shown,
            pair=None if answered is None else (row.label, answered),
        )
        return (wrong,)
