"""What every extraction rung must keep, whatever it is made of; each rung's test runs all of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tailtune.config.model import PII
from tailtune.core.records import Row
from tailtune.predictors.base import Predictor
from tailtune.tasks import saved
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.rungs.base import ExtractContext, Extractor
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import object_valid
from tasks.classification.contract import embed
from tasks.extraction.rungs.claims import ROWS, SCHEMA, UNSEEN, context, labelled

Check = Callable[[type[Extractor], Path], None]

TEXTS = [
    *(row.text for row in UNSEEN[:6]),
    "",
    "   ",
    "?!",
    "😀 Ada 👩‍👩‍👧 said ﬁre é 漢字 on 4 May 2026 for $5",
    "x" * 3000,
]


@cache
def fitted(kind: type[Extractor]) -> Extractor:
    """A rung on all rows, shared: answering changes nothing."""
    return kind.fit(context())


def alike(one: Sequence[Extraction], other: Sequence[Extraction], apart: float = 1e-6) -> None:
    """The same objects and spans; confidences as near as the arithmetic of the rung allows."""
    for first, second in zip(one, other, strict=True):
        assert (first.value, first.spans, first.reasons) == (second.value, second.spans, second.reasons)
        assert first.confidences == pytest.approx(second.confidences, abs=apart)


def an_object_is_always_valid(kind: type[Extractor], _: Path) -> None:
    rung = fitted(kind)
    answers = rung.answer(TEXTS)
    assert len(answers) == len(TEXTS)
    assert isinstance(rung, Predictor)
    for text, answer in zip(TEXTS, answers, strict=True):
        assert object_valid(SCHEMA, answer.values)
        assert tuple(answer.values) == SCHEMA.names
        assert answer.usd == 0
        assert set(answer.confidences) <= set(SCHEMA.names)
        assert all(0 <= sure <= 1 + 1e-6 for sure in answer.confidences.values())
        assert not math.isnan(answer.confidence)
        spanned = {field.name for field in SCHEMA.spanned}
        assert all(0 <= span.start < span.end <= len(text) and span.label in spanned for span in answer.spans)


def every_field_has_a_confidence(kind: type[Extractor], _: Path) -> None:
    for answer in fitted(kind).answer(TEXTS[:6]):
        assert set(answer.confidences) == set(SCHEMA.names)


def a_saved_rung_answers_the_same(kind: type[Extractor], folder: Path) -> None:
    rung = fitted(kind)
    known = next(known for known in saved.RUNG_KINDS.values() if known.load_class() is kind)
    rung.save(folder)
    saved.write_card(folder, known, PII)
    again = saved.load(folder, embed)
    assert isinstance(again, kind)
    assert again.fit_rows == rung.fit_rows
    assert again.schema == rung.schema
    alike(again.answer(TEXTS), rung.answer(TEXTS))
    assert {path.suffix for path in folder.rglob("*")} == {".safetensors", ".json"}, "no pickle"


def each_text_alone_is_answered_as_in_a_batch(kind: type[Extractor], _: Path) -> None:
    rung = fitted(kind)
    alike([rung.answer([text])[0] for text in TEXTS], rung.answer(TEXTS), apart=0.05)
    assert rung.answer([]) == []


def fitting_twice_gives_the_same(kind: type[Extractor], _: Path) -> None:
    alike(kind.fit(context()).answer(TEXTS), fitted(kind).answer(TEXTS))


def one_row_is_enough(kind: type[Extractor], folder: Path) -> None:
    rung = kind.fit(context(ROWS[:1]))
    assert rung.fit_rows == 1
    answers = rung.answer(TEXTS)
    assert all(object_valid(SCHEMA, answer.values) for answer in answers)
    assert answers[0].values["kind"] == "mail", "it saw nothing else"
    rung.save(folder)
    alike(kind.load(folder, embed).answer(TEXTS), answers)


def rows_without_a_word_or_a_value_are_learnt_from(kind: type[Extractor], _: Path) -> None:
    empty = [labelled("…", {"kind": "call"}), labelled(" ", {"kind": "call"})]
    answers = kind.fit(context(empty)).answer(TEXTS)
    assert all(object_valid(SCHEMA, answer.values) for answer in answers)
    assert {answer.values["kind"] for answer in answers} == {"call"}


def a_schema_of_one_sort_of_field_is_enough(kind: type[Extractor], folder: Path) -> None:
    """Only fields that stand in the text, or only chosen ones, one of them called as the rung calls its own arrays."""
    properties = {**SCHEMA.document["properties"], "odds": {"enum": ["hail", "fire", None]}}
    for names in (("name", "loss_date"), ("peril", "towed", "odds")):
        kept = {name: properties[name] for name in names}
        schema = schema_from({**SCHEMA.document, "properties": kept, "required": []})
        rows = [_without(row, schema.names) for row in ROWS[:12]]
        rung = kind.fit(ExtractContext(rows=rows, embed=embed, schema=schema))
        rung.save(folder / names[0])
        answers = rung.answer(TEXTS)
        assert all(object_valid(schema, answer.values) for answer in answers)
        alike(kind.load(folder / names[0], embed).answer(TEXTS), answers)


def _without(row: Row, names: Sequence[str]) -> Row:
    annotation = row.label
    values = {name: value for name, value in annotation.values.items() if name in names} | {
        "odds": annotation.values["peril"]
    }
    spans = tuple(span for span in annotation.spans if span.label in names)
    return replace(row, label=Annotation({name: values[name] for name in values if name in names}, spans))


def a_text_of_20_000_characters_is_answered(kind: type[Extractor], _: Path) -> None:
    long = " ".join(row.text for row in ROWS * 4)[:20_000]
    (answer,) = fitted(kind).answer([long])
    assert object_valid(SCHEMA, answer.values)


CONTRACT: tuple[Check, ...] = (
    an_object_is_always_valid,
    every_field_has_a_confidence,
    a_saved_rung_answers_the_same,
    each_text_alone_is_answered_as_in_a_batch,
    fitting_twice_gives_the_same,
    one_row_is_enough,
    rows_without_a_word_or_a_value_are_learnt_from,
    a_schema_of_one_sort_of_field_is_enough,
    a_text_of_20_000_characters_is_answered,
)
keeps = pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
