from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tailtune.config.formats import checker
from tailtune.core.records import Span
from tailtune.tasks.extraction.annotations import Extraction
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import Candidate, Chosen, assemble, object_valid
from tasks.extraction.values.schemas import DATE, EVERY, document, schemas

CHOSEN = {"kind": Chosen("claim", 0.9), "signed": Chosen(True, 0.8)}


def assembled(text: str, *parts: tuple[str, str, float], schema: ObjectSchema = EVERY, **more: Any) -> Extraction:
    """Assemble from surfaces: (field, surface, confidence), each at its first place."""
    found = [
        Candidate(Span(text.index(surface), text.index(surface) + len(surface), name), sure)
        for name, surface, sure in parts
    ]
    return assemble(schema, text, found, more.pop("chosen", CHOSEN), **more)


def test_values_are_typed_and_the_answer_is_json() -> None:
    text = "Policy ab 1234567: $2.5k claimed by Ana  Díaz on 2026-05-04 at 2:05 pm, call (415) 555-0123"
    answer = assembled(
        text,
        ("policy", "ab 1234567", 0.9),
        ("claimed", "$2.5k", 0.8),
        ("name", "Ana  Díaz", 0.7),
        ("report_date", "2026-05-04", 0.95),
        ("loss_time", "2:05 pm", 0.6),
        ("phone", "(415) 555-0123", 0.99),
    )
    expected = {
        "name": "Ana Díaz",
        "policy": "AB1234567",
        "report_date": "2026-05-04",
        "loss_time": "14:05",
        "claimed": {"amount": 2500.0, "currency": "USD"},
        "phone": "+14155550123",
        "kind": "claim",
        "signed": True,
        "items": [],
        "visits": [],
    }
    assert {name: value for name, value in answer.values.items() if value is not None} == expected
    assert tuple(answer.values) == EVERY.names
    assert answer.value is not None and json.loads(answer.value) == answer.values
    assert [span.label for span in answer.spans] == ["policy", "claimed", "name", "report_date", "loss_time", "phone"]
    assert answer.confidence == 0.6 == answer.confidences["loss_time"]
    assert "email" not in answer.confidences and not answer.reasons


def test_the_most_confident_valid_candidate_wins_with_all_places_that_say_the_same() -> None:
    text = "on 4 May 2026, no: 5 May 2026 (05/05/2026), not 31 June 2026"
    answer = assembled(
        text,
        ("report_date", "31 June 2026", 0.9),
        ("report_date", "5 May 2026", 0.8),
        ("report_date", "05/05/2026", 0.3),
        ("report_date", "4 May 2026", 0.5),
    )
    assert answer.values["report_date"] == "2026-05-05"
    assert [span.of(text) for span in answer.spans] == ["5 May 2026", "05/05/2026"]
    assert answer.confidences["report_date"] == 0.8


def test_what_cannot_be_used_is_null_with_its_reason() -> None:
    answer = assembled("on 31 June 2026", ("report_date", "31 June 2026", 0.9))
    assert answer.values["report_date"] is None
    assert "31 june 2026" in answer.reasons["report_date"]
    assert answer.confidences["report_date"] == pytest.approx(0.1)
    assert answer.spans == ()


def test_lists_keep_the_order_of_the_text_without_repeats_and_the_surest_where_room_is_short() -> None:
    text = "hood, bumper, Hood, mirror, door"
    parts = [("items", word, sure) for word, sure in (("mirror", 0.9), ("hood", 0.8), ("bumper", 0.2), ("door", 0.7))]
    again = Candidate(Span(14, 18, "items"), 0.5)
    found = [Candidate(Span(text.index(w), text.index(w) + len(w), n), c) for n, w, c in parts]
    surer = Candidate(Span(14, 18, "items"), 0.85)
    assert assemble(EVERY, text, [*found, surer], CHOSEN).confidences["items"] == 0.7
    assert assemble(EVERY, text, [*found[:2], surer], CHOSEN).confidences["items"] == 0.85
    answer = assemble(EVERY, text, [*found, again], CHOSEN)
    assert answer.values["items"] == ["hood", "mirror", "door"]
    assert answer.confidences["items"] == 0.7
    assert [span.of(text) for span in answer.spans] == ["hood", "Hood", "mirror", "door"]


def test_relative_dates_count_from_their_fields_value() -> None:
    text = "2026-05-12: it happened last Tuesday; we came yesterday and 10 May"
    answer = assembled(
        text,
        ("loss_date", "last Tuesday", 0.9),
        ("visits", "yesterday", 0.8),
        ("visits", "10 May", 0.8),
        ("report_date", "2026-05-12", 0.9),
    )
    assert answer.values["loss_date"] == "2026-05-05"
    assert answer.values["visits"] == ["2026-05-11", "2026-05-10"]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([("loss_date", "yesterday", 0.9)], "report_date has no value"),
        ([("loss_date", "yesterday", 0.9), ("report_date", "today", 0.9)], "report_date has no value"),
        ([("report_date", "yesterday", 0.9)], "counts from another date"),
    ],
)
def test_a_date_that_counts_from_nothing_is_null(parts: list[tuple[str, str, float]], reason: str) -> None:
    answer = assembled("yesterday or today", *parts)
    name = parts[0][0]
    assert answer.values[name] is None
    assert reason in answer.reasons[name]


def test_dates_that_count_from_each_other_use_what_stands_fast() -> None:
    circle = schema_from(
        document(
            {"a": DATE | {"x-relative-to": "b"}, "b": DATE | {"x-relative-to": "c"}, "c": DATE | {"x-relative-to": "a"}}
        )
    )
    text = "yesterday, the day before yesterday, tomorrow, 2026-05-12"
    parts = [("a", "yesterday", 0.9), ("b", "the day before yesterday", 0.9), ("c", "tomorrow", 0.9)]
    lost = assembled(text, *parts, schema=circle, chosen={})
    assert lost.values == {"a": None, "b": None, "c": None}
    assert "in turn" in lost.reasons["c"] and set(lost.reasons) == {"a", "b", "c"}
    kept = assembled(text, *parts, ("c", "2026-05-12", 0.4), schema=circle, chosen={})
    assert kept.values == {"a": "2026-05-09", "b": "2026-05-10", "c": "2026-05-12"}


def test_choices_that_are_none_fall_back_to_what_is_valid() -> None:
    chosen = {"peril": Chosen("meteor", 0.9), "injured": Chosen(None, 0.7), "kind": Chosen("poem", 0.9)}
    answer = assemble(EVERY, "", [], chosen, {"email": 0.97})
    assert (answer.values["peril"], answer.confidences["peril"]) == (None, 0.0)
    assert (answer.values["injured"], answer.confidences["injured"]) == (None, 0.7)
    assert (answer.values["kind"], answer.values["signed"]) == ("claim", False)
    assert answer.confidences["kind"] == answer.confidences["signed"] == 0.0
    assert set(answer.reasons) == {"peril", "kind", "signed"}
    assert answer.confidences["email"] == 0.97
    assert object_valid(EVERY, answer.values)


def test_a_field_that_may_be_left_out_but_not_null_is_left_out() -> None:
    schema = schema_from(document({"a": {"type": "string"}, "b": {"type": "boolean"}}, []))
    answer = assemble(schema, "x", [], {})
    assert answer.values == {} and object_valid(schema, answer.values)


def test_spans_outside_the_text_or_of_no_field_are_passed_over() -> None:
    found = [
        Candidate(Span(0, 99, "name"), 0.9),
        Candidate(Span(0, 2, "nobody"), 0.9),
        Candidate(Span(1, 1, "name"), 0.9),
    ]
    answer = assemble(EVERY, "Jo", found, CHOSEN)
    assert answer.values["name"] is None and answer.spans == ()


# fmt: off
_PIECES = st.sampled_from([
    "2026-05-04", "yesterday", "last Tuesday", "4 May", "$2.5k", "EUR 1.250,00", "twelve", "-5", "85,000", "2:05 pm",
    "noon", "a@b.org", "+49 30 1234567", "(415) 555-0123", "AB-12", "fire", "🔥 e\u0301", "\ud83d", "\u200b", "\x00",
    "x", "٣", "1e400", "99999999999999999999", "0.0", "½",
])
# fmt: on


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas(), st.lists(_PIECES | st.text(max_size=8), max_size=6), st.data())
def test_whatever_comes_in_the_object_is_valid(schema: ObjectSchema, pieces: list[str], data: st.DataObject) -> None:
    text = " ".join(pieces)
    ends = st.integers(0, len(text) + 1)
    spans = st.builds(Span, ends, ends, st.sampled_from((*schema.names, "stranger")))
    bounds = [0]
    for piece in pieces:
        bounds.append(bounds[-1] + len(piece) + 1)
    whole = [(bounds[i], bounds[i] + len(pieces[i])) for i in range(len(pieces))]
    if whole:
        exact = st.builds(lambda at, name: Span(*at, name), st.sampled_from(whole), st.sampled_from(schema.names))
        spans = spans | exact
    sure = st.floats(0, 1)
    found = data.draw(st.lists(st.builds(Candidate, spans, sure), max_size=12))
    values = st.sampled_from(["fire", "a", True, False, None, "strange"])
    chosen = data.draw(st.dictionaries(st.sampled_from(schema.names), st.builds(Chosen, values, sure)))
    answer = assemble(schema, text, found, chosen)
    Draft202012Validator(schema.document, format_checker=checker()).validate(dict(answer.values))
    assert set(answer.reasons) | set(answer.confidences) <= set(schema.names)
    for span in answer.spans:
        assert 0 <= span.start < span.end <= len(text) and schema[span.label].spanned
    for field in schema.fields:
        value = answer.values.get(field.name)
        if field.spanned and value not in (None, []):
            assert any(span.label == field.name for span in answer.spans)
