"""The task `extraction`: one JSON object for each text, valid against the use case's schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tailtune.config.model import ModelSpec
from tailtune.core.errors import Fault
from tailtune.core.records import Answer, Row
from tailtune.core.reports import Paired
from tailtune.judge.diagnose import WrongPart
from tailtune.judge.scores import Score
from tailtune.predictors.base import Embed, FitContext
from tailtune.predictors.prompted.codec import Codec
from tailtune.services.sources import Columns, RawRow
from tailtune.tasks import new_prompts
from tailtune.tasks.base import Details, Said, Tables, Task, Tidied
from tailtune.tasks.declare import Declaration, Wanted
from tailtune.tasks.expect import Expected
from tailtune.tasks.extraction import annotate, diagnosis, gate, marks, new, task_scoring
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.book import FieldBook
from tailtune.tasks.extraction.config import ExtractionSpec
from tailtune.tasks.extraction.reading import INTENT, columns_of, reader
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.use_case import UseCase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_READ_BY_SCHEMA = {"email": "email", "phone": "phone"}  # kind of field → kind of personal data


@dataclass(frozen=True)
class ExtractionTask(Task):
    """One JSON object for each text."""

    name: str = "extraction"
    noun: str = "field"
    curve_rung: str = "token_probe"
    model_type: str = "extractor"
    narrow: str = "a strict schema: every local rung answers with a valid object by construction"
    reasons: Mapping[str, str] = field(default_factory=lambda: annotate.REASONS)

    def declare(self, wanted: Wanted) -> Declaration:
        """The given schema, or one proposed from the data."""
        return new.declare(wanted)

    def columns(self, spec: ModelSpec) -> Columns:
        """Text, the declared columns of labels, group."""
        data = _spec(spec).data
        return Columns(data.text, columns_of(data), reader(data), data.group)

    def book(self, case: UseCase) -> FieldBook:
        """Holds fields and enum values against schema.json."""
        project = case.paths.project
        return FieldBook(schema_of(case), project.shown(case.answers_file), project.shown(case.paths.data))

    def tidied(self, case: UseCase, raw: RawRow, cleaned: str, changes: tuple[str, ...]) -> Tidied:
        """Scrub the text, move the spans with it, and find the values that have no span."""
        return annotate.tidied(schema_of(case), raw, case.spec.curate.scrub_pii, changes)

    def counted(self, label: str) -> Iterable[str]:
        """The fields that have a value."""
        return tuple(Annotation.decode(label).values)

    def unaligned(self, case: UseCase, label: str) -> Iterable[str]:
        """Fields whose value was not found in the text: they have a value, are no choice, and have no span."""
        return annotate.unaligned(schema_of(case), label)

    def faults(self, case: UseCase) -> Iterator[Fault]:
        """Personal data that is scrubbed and asked for; an intent that the schema does not have."""
        spec, schema, shown = _spec(case.spec), schema_of(case), case.paths.project.shown(case.paths.model_yaml)
        for found in schema.fields:
            kind = _READ_BY_SCHEMA.get(found.kind)
            if kind is not None and kind in spec.curate.scrub_pii:
                yield Fault(shown, f"curate.scrub_pii: {kind} would scrub away the values of field `{found.name}`")
        if spec.data.intent is not None and INTENT not in {found.name for found in schema.classified}:
            yield Fault(shown, f"data.intent: {case.spec.ANSWERS} has no enum `{INTENT}` for it")

    def expectations(self, case: UseCase) -> Iterator[Expected]:
        """Spans inside their texts and apart, values valid and found, fields with enough rows."""
        return gate.expectations(case, _spec(case.spec).validate_)

    def tables(self, case: UseCase, rows: Sequence[Row]) -> Tables:
        """Spans, values and fields of the curated rows."""
        return gate.tables(schema_of(case), rows)

    def fitting(self, case: UseCase, rows: Sequence[Row], embed: Embed) -> FitContext:
        """The schema beside rows and encoder."""
        from tailtune.tasks.extraction.rungs.base import ExtractContext

        return ExtractContext(rows=rows, embed=embed, schema=schema_of(case))

    def codec(self, case: UseCase) -> Codec:
        """Reads an object with the schema's fields."""
        from tailtune.tasks.extraction.replies import ObjectCodec

        return ObjectCodec(schema_of(case))

    def prompts(self, description: str) -> Mapping[str, str]:
        """Fields with their forms and descriptions, and rules for values that are absent or said twice."""
        return new_prompts.of_objects(description)

    def outcomes(self, score: Score) -> NDArray[np.int64]:
        """Values that were right, wrong and missed, over all fields of a row."""
        return task_scoring.outcomes(score)

    def most_items(self, case: UseCase) -> int:
        """One value for each field; a row with long lists, which may have more, leaves most of the others empty."""
        return len(schema_of(case).fields)

    def score(
        self, case: UseCase, rows: Sequence[Row], answers: Sequence[Answer], resamples: int = 2000, bins: int = 15
    ) -> Score:
        """Field F1 and its companions."""
        return task_scoring.score(schema_of(case), rows, answers, resamples, bins)

    def compare(self, first: Score, second: Score, names: tuple[str, str], resamples: int = 2000) -> Paired:
        """Difference of field F1, paired by row; McNemar over wholly right objects."""
        return task_scoring.compare(first, second, names, resamples)

    def details(
        self,
        case: UseCase,
        rows: Sequence[Row],
        answers: Sequence[Answer],
        other: Sequence[Answer] | None,
        score: Score,
        bins: int,
    ) -> Details:
        """Per field, confusions between fields of a kind, calibration of field answers."""
        return task_scoring.details(schema_of(case), rows, answers, other, score, bins)

    def failure(self, case: UseCase, row: Row, answer: Answer, others: Mapping[str, Answer]) -> dict[str, Any]:
        """The fields that are wrong, and the text marked up."""
        schema = schema_of(case)
        return marks.failure(schema, task_scoring.rules(schema), row, answer, others)

    def wrong_parts(self, case: UseCase, row: Row, said: Said) -> tuple[WrongPart, ...]:
        """The fields that are wrong; the whole object where there is none."""
        schema = schema_of(case)
        return diagnosis.wrong_parts(schema, task_scoring.rules(schema), row, said)


def schema_of(case: UseCase) -> ObjectSchema:
    """The schema of an extraction use case.

    Raises:
        TypeError: The use case is of another task.
    """
    if not isinstance(case.answers, ObjectSchema):
        raise TypeError(f"expected the schema of an extraction, got {type(case.answers).__name__}")
    return case.answers


def _spec(spec: ModelSpec) -> ExtractionSpec:
    if not isinstance(spec, ExtractionSpec):
        raise TypeError(f"expected the spec of an extraction, got {type(spec).__name__}")
    return spec
