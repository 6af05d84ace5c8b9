from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailtune.core.records import Span
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import Aligned, align, normalise
from tasks.extraction.values.schemas import DATE, EVERY, TEXT, document

TEXTUAL = (
    "Dear all, policy AB 123 4567 (ref cl-26-01234). José  Núñez 😀 reported on 12 May 2026 that last Tuesday at "
    "around 2:05 p.m. a burnper and the left mirror were hit. Claim: $2.5k; mileage 85,000; share 12,5 %. Call "
    "(415) 555-0123 / 5 days or Jose@Mail.org. Paid EUR 1.250,00. Born 5/12/1980."
)
VALUES = {
    "policy": "AB1234567",
    "ref": "CL-26-01234",
    "name": "Jose Nunez",
    "report_date": "2026-05-12",
    "loss_date": "2026-05-05",
    "loss_time": "14:05",
    "items": ["bumper", "left mirror"],
    "claimed": {"amount": 2500.0, "currency": "USD"},
    "mileage": 85000,
    "share": 12.5,
    "phone": "+14155550123",
    "email": "jose@mail.org",
    "paid": {"amount": 1250, "currency": "EUR"},
    "birth_date": "1980-12-05",
    "kind": "claim",
}


def covered(aligned: Aligned, text: str) -> list[tuple[str, str]]:
    return [(span.label, span.of(text)) for span in aligned.spans]


def of(**properties: Any) -> ObjectSchema:
    return schema_from(document({name: one or TEXT for name, one in properties.items()}))


def test_each_kind_is_found_however_it_is_said() -> None:
    found = align(EVERY, TEXTUAL, VALUES)
    assert covered(found, TEXTUAL) == [
        ("policy", "AB 123 4567"),
        ("ref", "cl-26-01234"),
        ("name", "José  Núñez"),
        ("report_date", "12 May 2026"),
        ("loss_date", "last Tuesday"),
        ("loss_time", "2:05 p.m."),
        ("items", "burnper"),
        ("items", "left mirror"),
        ("claimed", "$2.5k"),
        ("mileage", "85,000"),
        ("share", "12,5"),
        ("phone", "(415) 555-0123"),
        ("email", "Jose@Mail.org"),
        ("paid", "EUR 1.250,00"),
        ("birth_date", "5/12/1980"),
    ]
    assert (found.missing, found.shared) == ((), ())


def test_what_the_text_does_not_say_is_missing() -> None:
    values = {
        "name": "Zoë",
        "report_date": "1999-01-01",
        "items": ["mirror", "spoiler"],
        "claimed": VALUES["paid"],
        "share": 7.0,
    }
    found = align(EVERY, "the mirror, $1,250 on 4 May 2026", values)
    assert found.missing == ("name", "report_date", "claimed", "share", "items")  # of the items, one
    assert covered(found, "the mirror, $1,250 on 4 May 2026") == [("items", "mirror")]


def test_offsets_count_characters() -> None:
    text = "😀😀 cafe\u0301 Zoe\u0308 at Straße 5"
    found = align(of(a=None, b=None, c=None), text, {"a": "café", "b": "zoë", "c": "STRASSE 5"})
    assert covered(found, text) == [("a", "cafe\u0301"), ("b", "Zoe\u0308"), ("c", "Straße 5")]


def test_fields_with_one_value_take_places_of_their_own_by_the_words_around() -> None:
    schema = of(report_date=DATE, loss_date=DATE, visit_date=DATE)
    text = "Loss: 4 May 2026. Report: 4 May 2026."
    values = {"report_date": "2026-05-04", "loss_date": "2026-05-04"}
    found = align(schema, text, values)
    assert [(span.label, span.start) for span in found.spans] == [("loss_date", 6), ("report_date", 26)]
    more = align(schema, text, values | {"visit_date": "2026-05-04"})
    assert (more.missing, more.shared) == ((), ("visit_date",))
    assert len(more.spans) == 2


def test_the_longest_place_wins_and_then_the_first() -> None:
    schema = of(day=DATE)
    text = "04.05.2026 / Monday, 4 May 2026 / 4 May 2026"
    assert covered(align(schema, text, {"day": "2026-05-04"}), text) == [("day", "Monday, 4 May 2026")]
    assert align(of(x=None), "Ann, Ann", {"x": "ann"}).spans == (Span(0, 3, "x"),)


def test_words_are_whole_unless_only_a_part_says_it() -> None:
    assert align(of(x=None), "Anna Ann", {"x": "Ann"}).spans == (Span(5, 8, "x"),)
    assert covered(align(of(x=None), "two bumpers", {"x": "bumper"}), "two bumpers") == [("x", "bumper")]
    assert align(of(x=None), "Danna", {"x": "Ann"}).missing == ("x",)


@pytest.mark.parametrize(
    ("text", "value", "surface"),
    [
        ("seen by Micbael Thornpson today", "Michael Thompson", "Micbael Thornpson"),
        ("w1ndscreen broken", "windscreen", "w1ndscreen"),
        ("Rue  de\n l'Église", "rue de l'eglise", "Rue  de\n l'Église"),
        ("something else", "windscreen", None),
        ("Mia", "Mio", None),
    ],
)
def test_scanning_errors_are_seen_through(text: str, value: str, surface: str | None) -> None:
    found = align(of(x=None), text, {"x": value})
    assert covered(found, text) == ([] if surface is None else [("x", surface)])


def test_places_that_are_taken_stay_free_of_others() -> None:
    text = "Ann and Ann"
    taken = [Span(0, 3, "other")]
    assert align(of(x=None), text, {"x": "Ann"}, taken).spans == (Span(8, 11, "x"),)
    found = align(of(x=None), "Ann", {"x": "Ann"}, taken)
    assert (found.spans, found.shared) == ((), ("x",))


def test_an_amount_without_currency_is_taken_where_none_says_it() -> None:
    text = "estimate 2,500; price $2,500"
    found = align(EVERY, text, {"claimed": VALUES["claimed"]})
    assert covered(found, text) == [("claimed", "$2,500")]
    assert covered(align(EVERY, "price 2.5k", {"claimed": VALUES["claimed"]}), "price 2.5k") == [("claimed", "2.5k")]
    assert align(EVERY, "price €2,500", {"claimed": VALUES["claimed"]}).missing == ("claimed",)


_WRITTEN = st.sampled_from(
    ["4 May 2026", "Ann", "$2.5k", "2:05 pm", "(415) 555-0123", "a@b.org", "85,000", "AB 1234567", "😀", "e\u0301"]
)


@settings(max_examples=50, deadline=None)
@given(st.lists(_WRITTEN | st.text(max_size=5), max_size=8), st.data())
def test_spans_are_inside_apart_and_say_their_value(pieces: list[str], data: st.DataObject) -> None:
    text = " ; ".join(pieces)
    values = {}
    for field in EVERY.spanned:
        made = normalise(field, data.draw(_WRITTEN))
        if made.ok:
            values[field.name] = [made.value] if field.many else made.value
    found = align(EVERY, text, values)
    ends = 0
    for span in found.spans:
        assert ends <= span.start < span.end <= len(text)
        ends = span.end
    placed = {span.label for span in found.spans}
    assert not placed & {*found.missing, *found.shared}
    assert placed | {*found.missing, *found.shared} == set(values)


@pytest.mark.parametrize("unit", ["1 ", "1,", "twelve ", "$1 ", "rn0", "1-", "@", "+1", "12/", TEXTUAL + " é "])
def test_long_texts_take_well_under_a_second(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    began = time.process_time()
    align(EVERY, text, VALUES)
    assert time.process_time() - began < 2
