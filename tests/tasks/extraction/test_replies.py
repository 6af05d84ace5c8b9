"""Replies to an extraction prompt: values as they were said, for the scorer to judge."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.predictors.prompted.codec import Read, undescribed
from tailtune.tasks.extraction import scoring
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.replies import ObjectCodec
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import object_valid
from tailtune.tasks.saved import codec_from
from tasks.extraction.rungs.claims import ROWS, SCHEMA
from tasks.extraction.values.schemas import EVERY, MONEY, document

CODEC = ObjectCodec(SCHEMA)
WHOLE = {
    "name": "Ada Lopez", "loss_date": "2026-05-04", "amount": {"amount": 100, "currency": "USD"}, "items": ["roof"],
    "peril": "hail", "kind": "mail", "towed": None,
}  # fmt: skip


def read(reply: str | dict[str, Any], codec: ObjectCodec = CODEC) -> Read:
    found = codec.read(reply if isinstance(reply, str) else json.dumps(reply), "a text")
    assert isinstance(found.answer, Extraction)
    assert (found.answer.value is None) == bool(found.problem)
    return found


def values(reply: str | dict[str, Any], codec: ObjectCodec = CODEC) -> dict[str, Any]:
    found = read(reply, codec)
    assert not found.problem
    assert isinstance(found.answer, Extraction)
    assert json.loads(found.answer.value or "") == found.answer.values
    return dict(found.answer.values)


def test_an_object_is_read_with_its_fields_in_order() -> None:
    shuffled = dict(reversed(WHOLE.items()))
    assert list(values(shuffled).items()) == list(WHOLE.items())
    assert values(f"Here it is:\n```json\n{json.dumps(WHOLE)}\n```\nAnything else?") == WHOLE
    assert math.isnan(read(WHOLE).answer.confidence)


def test_values_stay_as_they_were_said() -> None:
    text = {**WHOLE, "loss_date": "4 May 2026", "amount": "$100", "items": "roof", "towed": "no", "peril": "Hail"}
    assert values(text) == text


def test_a_badly_written_value_is_wrong_in_form_and_right_in_meaning() -> None:
    """Two questions; a reader that tidied values up would answer both with yes."""
    gold = [Annotation({"name": "Ada Lopez", "loss_date": "2026-05-04", "kind": "mail"})]
    good = {"name": "Ada Lopez", "loss_date": "2026-05-04", "amount": None, "items": [], "peril": None, "kind": "mail"}
    for text, valid, form, right in ((good, 1.0, 1.0, 1.0), ({**good, "loss_date": "4 May 2026"}, 0.0, 2 / 3, 2 / 3)):
        metrics = scoring.score(SCHEMA, gold, [read({**text, "towed": None}).answer]).metrics
        assert metrics["schema_valid"].value == valid
        assert metrics["format_correct"].value == pytest.approx(form)
        assert metrics["field_f1"].value == pytest.approx(right)
        assert metrics["value_correct"].value == 1.0


def test_unknown_properties_are_dropped_and_told() -> None:
    found = read({**WHOLE, "colour": "red", "reasoning": "Because."}).answer
    assert isinstance(found, Extraction)
    assert found.values == WHOLE
    assert found.reasons == {"colour": "no field of the schema"}


def test_what_is_left_out_stays_out() -> None:
    assert values({"kind": "mail"}) == {"kind": "mail"}
    assert values("{}") == {}


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("", "empty"),
        ("There is nothing in it.", "no JSON"),
        ("{'kind': 'mail'}", "no JSON"),
        ('{"kind": "mail", "amount": {"amount": 1, "currency": "USD"}, "na', "no JSON"),
        ('{"kind": NaN}', "no JSON"),
        ('{"claim": {"kind": "mail"}}', "not as the schema says"),
        ('["mail"]', "no JSON"),
    ],
)
def test_what_is_no_object_of_the_schema_says_why(reply: str, problem: str) -> None:
    found = read(reply)
    assert found.problem == problem
    assert list(found.answer.columns()) == list(read(WHOLE).answer.columns()), "a served model's columns stay"


def test_the_last_object_with_a_field_counts() -> None:
    assert values('A draft: {"kind": "call"}. The answer: {"kind": "mail"} as in {"style": 1}') == {"kind": "mail"}


def test_null_where_a_field_may_only_be_left_out_is_leaving_it_out() -> None:
    codec = ObjectCodec(schema_from(document({"paid": MONEY, "note": {"type": ["string", "null"]}}, [])))
    assert values({"paid": None, "note": None}, codec) == {"note": None}


def test_null_for_a_required_list_is_said_and_not_valid() -> None:
    schema = schema_from(document({"items": {"type": "array", "items": {"type": "string"}}}))
    found = values({"items": None}, ObjectCodec(schema))
    assert found == {"items": None}
    assert not object_valid(schema, found)


@given(st.text(max_size=80) | st.recursive(st.none() | st.text(max_size=5), lambda a: st.dictionaries(
    st.sampled_from([*SCHEMA.names, "x"]), a, max_size=4), max_leaves=5).map(json.dumps))  # fmt: skip
def test_no_reply_breaks_the_reader(reply: str) -> None:
    read(reply)


def test_an_example_shows_every_field_and_is_read_back() -> None:
    assert len(ROWS) > 5
    for row in ROWS:
        shown = json.loads(CODEC.shown(row.label))
        assert list(shown) == list(SCHEMA.names)
        jsonschema.validate(shown, CODEC.schema(False))
        expected = row.label
        assert {name: value for name, value in shown.items() if value not in (None, [])} == {
            name: value for name, value in expected.values.items() if value != []
        }
        assert values(CODEC.shown(row.label)) == shown
        assert set(CODEC.keys(row.label)) == set(expected.values)


def test_the_schema_may_reason_first() -> None:
    assert list(CODEC.schema(True)["properties"]) == ["reasoning", *SCHEMA.names]
    assert CODEC.schema(True)["required"] == ["reasoning", *SCHEMA.names]
    assert list(CODEC.schema(False)["properties"]) == list(SCHEMA.names)
    own = ObjectCodec(schema_from(document({"reasoning": {"type": ["string", "null"]}})))
    assert own.schema(True) == own.schema(False)
    assert values({"reasoning": "mine"}, own) == {"reasoning": "mine"}


def test_prompts_are_told_of_every_field() -> None:
    text = ObjectCodec(EVERY).variables()
    assert [one["name"] for one in text["fields"]] == list(EVERY.names)
    peril = next(one for one in text["fields"] if one["name"] == "peril")
    assert (peril["kind"], peril["choices"]) == ("choice", ["fire", "water", "total_loss"])
    assert json.loads(text["schema"])["required"] == list(EVERY.names)
    assert undescribed(ObjectCodec(EVERY)) == list(EVERY.names)


def test_a_codec_comes_back_from_its_card() -> None:
    again = codec_from(json.loads(json.dumps(CODEC.card())))
    assert isinstance(again, ObjectCodec)
    assert again.schema(True) == CODEC.schema(True)
    readings = [repr(codec.read(json.dumps(WHOLE), "")) for codec in (again, CODEC)]
    assert readings[0] == readings[1], "its confidence is NaN, which equals nothing"
