from __future__ import annotations

from typing import Any

import pytest

from tailtune.core.records import Span
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema, value_schema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import normalise, propose_schema
from tailtune.tasks.extraction.values.propose import Row


def spans(*surfaces: tuple[str, str], intent: str | None = None) -> Row:
    """A row whose text is its surfaces, one after the other."""
    text, found = "", []
    for label, surface in surfaces:
        found.append(Span(len(text), len(text) + len(surface), label))
        text += surface + " "
    return text, found, None, intent


def valued(text: str = "nothing said", **values: Any) -> Row:
    return text, (), values, None


def proposed(rows: list[Row]) -> ObjectSchema:
    return schema_from(propose_schema(iter(rows)))


def only(rows: list[Row]) -> FieldSpec:
    (field,) = proposed(rows).fields
    return field


def test_labels_and_the_intent_become_fields_in_order() -> None:
    schema = proposed(
        [spans(("artist", "Ann"), ("playList", "x"), intent="play"), spans(("artist", "Bo"), intent="add")]
    )
    assert schema.names == ("intent", "artist", "playList")
    assert (schema["intent"].kind, schema["intent"].choices, schema["intent"].nullable) == (
        "choice",
        ("add", "play"),
        False,
    )
    assert (schema["artist"].kind, schema["artist"].many, schema["artist"].nullable) == ("text", False, True)
    assert schema["playList"].description == "play list"


def test_an_intent_that_some_rows_lack_may_be_null() -> None:
    assert only([("x", (), None, "a"), ("y", (), None, None)]).nullable


def test_several_values_in_more_than_a_hundredth_of_the_rows_make_a_list() -> None:
    once = [spans(("item", "door"))] * 99
    assert not only([*once, spans(("item", "hood"), ("item", "roof"))]).many
    assert only([*once[:97], *[spans(("item", "hood"), ("item", "roof"))] * 2]).many
    assert only([valued(item=["a"])] * 99 + [valued(item=["a", "b"])] * 2).many


def test_kinds_are_those_that_the_values_read_as() -> None:
    surfaces = {
        "date": ["4 May 2026", "2026-05-04", "05/04/2026"],
        "time": ["2:05 pm", "14:05", "noon"],
        "money": ["$2.5k", "EUR 5", "£7"],
        "phone": ["(415) 555-0123", "+49 30 1234567"],
        "email": ["a@b.org", "C@d.org"],
        "integer": ["5", "twelve", "1,200"],
        "number": ["5", "2.5"],
        "text": ["Ann", "5", "yesterday"],
    }
    for kind, text in surfaces.items():
        field = only([spans(("x", one)) for one in text * 20])
        assert field.kind == kind
        assert all(normalise(field, one).ok for one in text)


def test_a_few_values_in_a_hundred_may_be_of_no_kind() -> None:
    good = [spans(("x", "4 May 2026"))] * 98
    assert only([*good, *[spans(("x", "someday"))] * 2]).kind == "date"
    assert only([*good, *[spans(("x", "someday"))] * 3]).kind == "text"


def test_codes_are_no_numbers() -> None:
    for code in ("00123", "94107", "1234567890"):
        assert only([spans(("x", code))] * 5).kind == "text"


def test_values_have_the_types_they_come_in() -> None:
    kinds = {"flag": True, "integer": 5, "number": 2.5, "money": {"amount": 5, "currency": "CHF"}}
    for kind, value in kinds.items():
        assert only([valued(x=value)] * 3).kind == kind
    assert only([valued(x=1), valued(x=2.5)]).kind == "number"


@pytest.mark.parametrize(
    ("values", "codes", "least"),
    [
        ([{"amount": 5, "currency": "$"}, {"amount": "2,50", "currency": "euros"}], ["EUR", "USD"], 0),
        ([{"amount": 5, "currency": "CHF"}, {"amount": -5, "currency": None}], ["CHF"], None),
        ([{"amount": "-$5", "currency": "USD"}], ["USD"], None),
    ],
)
def test_amounts_have_the_codes_and_signs_of_the_values(
    values: list[dict[str, Any]], codes: list[str], least: int | None
) -> None:
    money = value_schema(only([valued(x=value) for value in values] * 3))["properties"]
    assert (money["currency"]["enum"], money["amount"].get("minimum")) == (codes, least)


def test_amounts_without_any_currency_are_no_money() -> None:
    assert only([valued(x={"amount": 5, "currency": None})] * 3).kind == "text"
    assert "minimum" not in value_schema(only([spans(("x", "-5 USD"))] * 3))["properties"]["amount"]


def test_few_strings_that_the_text_does_not_say_are_choices() -> None:
    rows = [valued(x="fire")] * 60 + [valued(x="water")] * 60
    assert (only(rows).kind, only(rows).choices) == ("choice", ("fire", "water"))
    assert only([valued("a fire", x="fire")] * 120).kind == "text"
    assert only([valued(x=f"value {i % 51}") for i in range(2000)]).kind == "text"
    assert only([valued(x="yes"), valued(x="No")]).kind == "flag"


def test_values_count_before_spans_and_nulls_are_none() -> None:
    text, found, _, _ = spans(("x", "4 May 2026"), ("y", "Ann"))
    schema = proposed([(text, found, {"x": "2026-05-04", "z": None}, None)])
    assert {field.name: field.kind for field in schema.fields} == {"x": "date", "y": "text"}
