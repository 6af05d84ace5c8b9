"""Replies to a classification prompt: read leniently, but never guessed."""

from __future__ import annotations

import json
import math

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.predictors.prompted.codec import undescribed
from tailtune.tasks.classification.replies import LabelCodec
from tailtune.tasks.saved import codec_from

LABELS = {"billing": "money", "log_in": "Log in", "refund": "", "refund_request": "wants money back", "7": "seven"}
CODEC = LabelCodec(LABELS)


def wording(reply: str) -> str | None:
    """The label, or the problem in brackets."""
    read = CODEC.read(reply, "a text")
    assert (read.answer.value is None) == bool(read.problem)
    assert math.isnan(read.answer.confidence)
    return f"({read.problem})" if read.problem else read.answer.value


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ('{"label": "billing"}', "billing"),
        ('  {"label":"billing"}  \n', "billing"),
        ('```json\n{"label": "billing"}\n```', "billing"),
        ('It is about money, so: {"label": "billing"}. Anything else?', "billing"),
        ('{"reasoning": "not a refund", "label": "log_in"}', "log_in"),
        ('{"label": "Log-In"}', "log_in"),
        ('{"label": ["billing"]}', "billing"),
        ('{"label": "billing"}\n{"label": "billing"}', "billing"),
        ('{"label": "billing"}\n\nText:\nnext\nAnswer:\n{"label": "refund"}', "billing"),
        ('{"label": 7}', "7"),
        ("billing", "billing"),
        ('"Billing".', "billing"),
        ("`LOG IN`", "log_in"),
        ("**refund request**", "refund_request"),
        ("Label: refund", "refund"),
        ("Answer = 7", "7"),
    ],
)
def test_a_label_is_read_however_it_is_wrapped(reply: str, label: str) -> None:
    assert wording(reply) == label


@pytest.mark.parametrize("label", ["Asset class: bonds", "Label: none", "subclass: x"])
@pytest.mark.parametrize("reply", ["{}", "Label: {}", "**{}**"])
def test_a_label_may_hold_the_words_that_stand_before_one(label: str, reply: str) -> None:
    codec = LabelCodec({label: "", "bonds": "", "none": ""})
    assert codec.read(reply.format(label), "a text").answer.value == label


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("I cannot help with that.", "no JSON"),
        ("It is certainly not refund", "no JSON"),
        ("{'label': 'billing'}", "no JSON"),
        ('{"label": "billing"', "no JSON"),
        ("shipping", "unknown label"),
        ('{"label": "shipping"}', "unknown label"),
        ('{"label": "billings"}', "unknown label"),
        ('{"label": ""}', "unknown label"),
        ("billing or refund", "two labels"),
        ("billing, refund_request", "two labels"),
        ('{"label": "billing / refund"}', "two labels"),
        ('{"label": ["billing", "refund"]}', "two labels"),
        ('{"label": "billing", "label": "refund"}', "two labels"),
        ('{"label": "billing"} or rather {"label": "refund"}', "two labels"),
        ('{"category": "billing"}', "not as the schema says"),
        ('{"label": null}', "not as the schema says"),
        ('{"label": true}', "not as the schema says"),
        ('{"label": {"name": "billing"}}', "not as the schema says"),
        ('{"label": []}', "not as the schema says"),
    ],
)
def test_what_cannot_be_used_says_why(reply: str, problem: str) -> None:
    assert wording(reply) == f"({problem})"


def test_a_label_inside_another_is_not_named_with_it() -> None:
    assert wording("the refund request it is") == "(no JSON)", "refund_request alone is named, not refund beside it"


def test_labels_that_look_alike_are_told_apart_exactly_or_not_at_all() -> None:
    codec = LabelCodec({"add seat": "", "add_seat": "", "other": ""})
    assert codec.read('{"label": "add_seat"}', "").answer.value == "add_seat"
    assert codec.read('{"label": "add seat"}', "").answer.value == "add seat"
    assert codec.read('{"label": "Add-Seat"}', "").problem == "unknown label"
    alike = LabelCodec({"a b": "", "a_b": ""})
    assert alike.read("a b or a_b, I think", "").problem == "no JSON"


def test_a_label_that_is_all_dashes_is_read_as_it_is_declared() -> None:
    codec = LabelCodec({"_  _": "", "a": ""})
    assert codec.read('{"label": "_  _"}', "").answer.value == "_  _"


NAMES = st.lists(st.text("ab_- .{}\"'é", min_size=1, max_size=6).filter(str.strip), min_size=2, unique=True)


@given(NAMES, st.data())
def test_what_an_example_shows_is_read_back_and_as_the_schema_says(names: list[str], data: st.DataObject) -> None:
    codec = LabelCodec(dict.fromkeys(names, ""))
    label = data.draw(st.sampled_from(names))
    shown = codec.shown(label)
    jsonschema.validate(json.loads(shown), codec.schema(False))
    if label == label.strip():
        assert codec.read(shown, "").answer.value == label


@given(st.text(max_size=60))
def test_no_reply_breaks_the_reader(reply: str) -> None:
    assert wording(reply) is not None


def test_the_schema_holds_to_one_label_and_reasons_first() -> None:
    schema = CODEC.schema(True)
    assert list(schema["properties"]) == schema["required"] == ["reasoning", "label"]
    assert list(CODEC.schema(False)["properties"]) == ["label"]
    for wrong in ({"label": "shipping"}, {"label": "billing", "more": 1}, {}, {"label": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, CODEC.schema(False))


def test_a_description_that_only_says_the_name_again_is_none() -> None:
    assert CODEC.variables()["labels"][:2] == [
        {"name": "billing", "description": "money"},
        {"name": "log_in", "description": ""},
    ]
    assert undescribed(CODEC) == ["log_in", "refund"]


def test_a_codec_comes_back_from_its_card() -> None:
    card = json.loads(json.dumps(CODEC.card()))
    again = codec_from(card)
    assert isinstance(again, LabelCodec)
    assert again.variables() == CODEC.variables()
    assert again.read("Billing", "").answer.value == "billing"
    assert CODEC.keys("refund") == ("refund",)
