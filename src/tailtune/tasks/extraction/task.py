"""The task `extraction`: one JSON object for each text, valid against the use case's schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailtune.core.errors import Fault
from tailtune.core.records import Answer, Row
from tailtune.judge.diagnose import WrongPart
from tailtune.judge.estimated_accuracy import EstimatedAccuracy, estimated_score
from tailtune.judge.scores import Score
from tailtune.predictors.base import Embed
from tailtune.services.sources import Columns, RawRow
from tailtune.tasks.base import (
    Details,
    Expectation,
    Files,
    KnownRow,
    Likeliest,
    PreparedRow,
    RowAnswers,
    SuiteTables,
    Task,
    Watched,
)
from tailtune.tasks.extraction import annotate, details, diagnosis, gate, new, offsets, scoring, watching
from tailtune.tasks.extraction.annotate import INTENT, RawLabel, columns_of, reader
from tailtune.tasks.extraction.annotations import Annotation, canonical
from tailtune.tasks.extraction.config import ExtractionSpec
from tailtune.tasks.extraction.gate import FieldCheck
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import load_schema

if TYPE_CHECKING:
    from tailtune.tasks.extraction.objective import Fields
    from tailtune.tasks.extraction.replies import ObjectCodec
    from tailtune.tasks.extraction.rungs.base import ExtractContext

_READ_BY_SCHEMA = {"email": "email", "phone": "phone"}  # kind of field → kind of personal data


@dataclass(frozen=True)
class ExtractionTask(Task):
    """One JSON object for each text."""

    name = "extraction"
    noun = "field"
    curve_rung = "token_probe"
    index_rung = "template"
    model_type = "extractor"
    narrow = "a strict schema: every local rung answers with a valid object by construction"
    in_windows = True
    in_parts = True
    reasons = annotate.REASONS
    spec_type = ExtractionSpec
    load_answers = staticmethod(load_schema)
    declare = staticmethod(new.declare)
    starting_prompts = staticmethod(new.starting_prompts)
    parse_label = staticmethod(Annotation.parse)

    spec: ExtractionSpec
    answers: ObjectSchema
    files: Files

    def columns(self) -> Columns[RawLabel]:
        """Text, the declared columns of labels, group."""
        data = self.spec.data
        return Columns(data.text, columns_of(data), reader(data), data.group, data.drop_rejected, data.slices)

    def resolve(self, rows: Callable[[], Iterator[RawRow[RawLabel]]]) -> Iterator[RawRow[RawLabel]]:
        """Rows that say which unit their offsets count in; characters where there are no spans."""
        return rows() if self.spec.data.entities is None else offsets.resolve(rows)

    def label_check(self) -> FieldCheck:
        """Every field, and every value of an enum, is one of schema.json."""
        return FieldCheck(self.answers, self.files.answers, self.files.data)

    def prepare_row(self, raw: RawRow[RawLabel], cleaned: str, changes: tuple[str, ...]) -> PreparedRow:
        """Scrub the text, move the spans with it, and find the values that have no span."""
        return annotate.prepare_row(self.answers, raw, self.spec.curate.scrub_pii, changes)

    def raw_label(self, answer: str) -> RawLabel:
        """An object with values of the schema's fields, which curation then looks for in the text."""
        return annotate.raw_label(self.answers, answer)

    def watched(self, answer: str | None, likeliest: Sequence[tuple[str, float]]) -> Watched:
        """Field by field: whether it has a value, which one where there is a choice, and how sure the model was."""
        return watching.watched(self.answers, answer, likeliest)

    def parts(self, answer: Answer) -> Mapping[str, Any]:
        """The fields that have a value, as canonical JSON: 1 is not True."""
        values = json.loads(answer.value or "{}")
        return {name: canonical(value) for name, value in values.items() if value not in (None, [])}

    def expected_accuracy(self, known: Sequence[KnownRow], likeliest: Sequence[Likeliest]) -> EstimatedAccuracy:
        """From the confidences of the fields."""
        names = self.answers.names
        then, now = (watching.confidences(each, names) for each in ([row.likeliest for row in known], likeliest))
        return estimated_score(then, np.array([row.score for row in known]), now, names)

    def names_in(self, label: Annotation) -> Iterable[str]:
        """The fields that have a value."""
        return tuple(label.values)

    def unaligned(self, label: Annotation) -> Iterable[str]:
        """Fields whose value was not found in the text: they have a value, are no choice, and have no span."""
        return annotate.unaligned(self.answers, label)

    def faults(self) -> Iterator[Fault]:
        """Personal data that is scrubbed and asked for; an intent that the schema does not have."""
        yield from super().faults()
        spec, shown = self.spec, self.files.model_yaml
        for field in self.answers.fields:
            kind = _READ_BY_SCHEMA.get(field.kind)
            if kind is not None and kind in spec.curate.scrub_pii:
                yield Fault(shown, f"curate.scrub_pii: {kind} would scrub away the values of field `{field.name}`")
        if spec.data.intent is not None and INTENT not in {field.name for field in self.answers.classified}:
            yield Fault(shown, f"data.intent: {spec.ANSWERS} has no enum `{INTENT}` for it")

    def expectations(self) -> Iterator[Expectation]:
        """Spans inside their texts and apart, values valid and found, fields with enough rows."""
        return gate.expectations(self.answers, self.files.answers, self.spec.validate_)

    def tables(self, rows: Sequence[Row[Annotation]]) -> SuiteTables:
        """Spans, values and fields of the curated rows."""
        return gate.tables(self.answers, rows)

    def fit_context(self, rows: Sequence[Row[Annotation]], embed: Embed) -> ExtractContext:
        """The schema beside rows and encoder."""
        from tailtune.tasks.extraction.rungs.base import ExtractContext

        return ExtractContext(rows=rows, embed=embed, schema=self.answers)

    def goal(self, train: Sequence[Row[Annotation]], dev: Sequence[Row[Annotation]]) -> Fields:
        """Read the fields."""
        from tailtune.tasks.extraction.objective import fields_of

        return fields_of(self.answers, train, dev)

    def codec(self) -> ObjectCodec:
        """Reads an object with the schema's fields."""
        from tailtune.tasks.extraction.replies import ObjectCodec

        return ObjectCodec(self.answers)

    def most_items(self) -> int:
        """One value for each field; a row with long lists, which may have more, leaves most of the others empty."""
        return len(self.answers.fields)

    def score(self, rows: Sequence[Row[Annotation]], answers: Sequence[Answer], bins: int = 15) -> Score:
        """Field F1 and its companions, and what the targets name of single fields."""
        expected, groups, targets = [row.label for row in rows], [row.group for row in rows], self.spec.targets
        return scoring.score(
            self.answers, expected, answers, bins=bins, groups=groups, recall=targets.recall, f1=targets.f1
        )

    def details(
        self, rows: Sequence[Row[Annotation]], answers: Sequence[Answer], other: Sequence[Answer] | None, bins: int
    ) -> Details:
        """Per field, confusions between fields of a kind, calibration of field answers."""
        return details.details(self.answers, [row.label for row in rows], answers, other, bins)

    def failure(self, row: Row[Annotation], answer: Answer, others: Mapping[str, Answer]) -> dict[str, Any]:
        """The fields that are wrong, and the text marked up."""
        return details.failure(self.answers, row, answer, others)

    def wrong_parts(self, row: Row[Annotation], answers: RowAnswers) -> tuple[WrongPart, ...]:
        """The fields that are wrong; the whole object where there is none."""
        return diagnosis.wrong_parts(self.answers, scoring.Rules.of(self.answers), row, answers)
