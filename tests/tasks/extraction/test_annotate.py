from __future__ import annotations

from typing import Any

import pytest

from tailtune.core.records import Span
from tailtune.services.sources import RawRow
from tailtune.tasks.base import PreparedRow
from tailtune.tasks.extraction.annotate import REASONS, RawLabel, prepare_row, unaligned
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.schema_reader import schema_from

DATE = {"type": ["string", "null"], "format": "date"}
SCHEMA = schema_from(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "report_date": DATE,
            "loss_date": {**DATE, "x-relative-to": "report_date"},
            "name": {"type": ["string", "null"]},
            "email": {"type": ["string", "null"], "format": "email"},
            "items": {"type": "array", "items": {"type": "string"}},
            "peril": {"enum": ["fire", "water", None]},
            "injuries": {"type": ["boolean", "null"]},
            "intent": {"enum": ["report", "ask"]},
        },
    }
)


def made(
    text: str, *spans: tuple[str, str], values: dict[str, Any] | None = None, intent: str | None = None, scrub: Any = ()
) -> PreparedRow:
    """A row whose spans are named by what they cover: (field, surface)."""
    given = tuple(Span(at := text.index(surface), at + len(surface), field) for field, surface in spans)
    return prepare_row(SCHEMA, RawRow(text, RawLabel(given, values, intent), "r.jsonl:1"), scrub, ())


def annotation(made: PreparedRow) -> Annotation:
    assert not made.reason, made.detail
    return made.label


def test_spans_alone_are_read() -> None:
    found = annotation(
        made("Report of 6 May 2026: hit yesterday", ("loss_date", "yesterday"), ("report_date", "6 May 2026"))
    )
    assert found.values == {"loss_date": "2026-05-05", "report_date": "2026-05-06"}
    assert [(span.label, span.start, span.end) for span in found.spans] == [
        ("report_date", 10, 20),
        ("loss_date", 26, 35),
    ]


def test_several_spans_are_a_list_or_the_first() -> None:
    found = annotation(
        made("door, hood. ann and bob", ("items", "door"), ("items", "hood"), ("name", "ann"), ("name", "bob"))
    )
    assert found.values == {"items": ["door", "hood"], "name": "ann"}
    assert len(found.spans) == 4


def test_values_alone_are_found_in_the_text() -> None:
    values = {"loss_date": "2026-05-04", "name": "Åsa Öz", "peril": "fire", "injuries": False}
    found = annotation(made("🔥 Åsa Öz, fire on 4 May 2026", values=values))
    assert found.values == values
    assert [(span.label, span.of("🔥 Åsa Öz, fire on 4 May 2026")) for span in found.spans] == [
        ("name", "Åsa Öz"),
        ("loss_date", "4 May 2026"),
    ]


def test_a_value_that_the_text_does_not_say_stays_and_is_counted() -> None:
    row = made("nothing of the kind", values={"name": "Ann", "peril": "fire", "loss_date": "2026-05-04"})
    assert annotation(row).values == {"name": "Ann", "peril": "fire", "loss_date": "2026-05-04"}
    assert sorted(unaligned(SCHEMA, row.label)) == ["loss_date", "name"]


def test_given_values_outrank_what_spans_cover() -> None:
    found = annotation(made("4 May 2026", ("loss_date", "4 May 2026"), values={"loss_date": "2026-05-05"}))
    assert found.values == {"loss_date": "2026-05-05"}
    assert len(found.spans) == 1


def test_values_may_be_written_as_people_do() -> None:
    found = annotation(made("on 4 May 2026", values={"loss_date": "May 4, 2026", "injuries": "no"}))
    assert found.values == {"loss_date": "2026-05-04", "injuries": False}


def test_an_intent_is_the_value_of_its_field() -> None:
    assert annotation(made("hello", intent="ask")).values == {"intent": "ask"}


def test_spans_move_with_cleaning_and_scrubbing() -> None:
    text = "mail  a@b.de\u200b or\tcafe\u0301 Ann"
    row = made(text, ("name", "cafe\u0301 Ann"), scrub=("email",))
    assert row.text == "mail <email> or caf\u00e9 Ann"
    assert row.changes == ("email",)
    (span,) = annotation(row).spans
    assert span.of(row.text) == "caf\u00e9 Ann"


@pytest.mark.parametrize(
    ("text", "span", "reason", "expected"),
    [
        ("abc", (0, 4), "span_outside", "outside"),
        ("abc", (-1, 2), "span_outside", "outside"),
        ("abc", (2, 2), "span_empty", "covers nothing"),
        ("Zoë Ann", (5, 8), "span_bytes", "count characters"),
        ("🔥🔥 Ann", (9, 12), "span_bytes", "count characters"),
    ],
)
def test_a_span_that_cannot_be_used_puts_the_row_aside(
    text: str, span: tuple[int, int], reason: str, expected: str
) -> None:
    label = RawLabel((Span(*span, "name"),))
    row = prepare_row(SCHEMA, RawRow(text, label, "r.jsonl:1"), (), ())
    assert row.reason == reason
    assert expected in row.detail


def test_overlapping_and_crossing_spans_put_the_row_aside() -> None:
    for spans in (((0, 3, "name"), (2, 5, "items")), ((0, 5, "name"), (1, 2, "items"))):
        row = prepare_row(SCHEMA, RawRow("abcdef", RawLabel(tuple(Span(*span) for span in spans)), "r:1"), (), ())
        assert row.reason == "span_overlap"


def test_two_spans_in_one_scrubbed_place_put_the_row_aside() -> None:
    row = made("mail ann@home.example now", ("name", "ann"), ("email", "home.example"), scrub=("email",))
    assert row.reason == "span_overlap"
    assert row.detail.startswith("after scrubbing: ")


@pytest.mark.parametrize(
    "values", [{"loss_date": "soon"}, {"injuries": "maybe"}, {"items": [1, {}]}, {"email": "nobody"}, {"peril": "hail"}]
)
def test_a_value_that_no_reading_makes_valid_puts_the_row_aside(values: dict[str, Any]) -> None:
    row = made("some text", values=values)
    assert row.reason == "bad_value"
    assert row.detail.startswith(f"{next(iter(values))}: ")


def test_every_reason_is_told() -> None:
    assert set(REASONS) == {
        "span_outside",
        "span_empty",
        "span_overlap",
        "span_bytes",
        "span_utf16",
        "span_scrubbed",
        "bad_value",
    }


def test_a_field_that_the_schema_lacks_is_left_to_the_book() -> None:
    row = made("some text", values={"colour": "red"})
    assert (row.reason, row.detail) == ("bad_value", "no such field: colour")


def test_a_span_says_the_value_that_the_fields_leave_out() -> None:
    found = annotation(made("Ann on 4 May 2026", ("name", "Ann"), values={"loss_date": "2026-05-04"}))
    assert found.values == {"name": "Ann", "loss_date": "2026-05-04"}
    assert {span.label for span in found.spans} == {"name", "loss_date"}


def test_a_place_of_what_is_chosen_is_no_span() -> None:
    found = annotation(made("fire in the hall", ("peril", "fire")))
    assert found.values == {"peril": "fire"}
    assert found.spans == ()


def test_what_scrubbing_would_change_in_a_span_puts_the_row_aside() -> None:
    row = made("my card 4111 1111 1111 1111", ("name", "4111 1111 1111 1111"), scrub=("card",))
    assert row.reason == "span_scrubbed"
    assert "card; take it out of curate.scrub_pii" in row.detail
