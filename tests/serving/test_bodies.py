"""What may be sent: MLflow's protocol in all its forms, and words that say what is wrong."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from tailtune.core.errors import RefusedError
from tailtune.serving.bodies import FeedbackBody, InvocationsBody, PredictBody, invocation_texts, refused

JSON = "application/json"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["text"], "data": [["a"], ["b"]]}},
        {"dataframe_split": {"index": [0, 1], "columns": ["id", "text"], "data": [[1, "a"], [2, "b"]]}},
        {"dataframe_records": [{"text": "a"}, {"text": "b", "id": 2}]},
        {"inputs": ["a", "b"]},
        {"inputs": {"text": ["a", "b"]}},
        {"instances": [{"text": "a"}, {"text": "b"}]},
        {"instances": ["a", "b"], "params": {}},
    ],
)
def test_mlflows_forms_are_read(body: dict[str, Any]) -> None:
    assert invocation_texts(json.dumps(body).encode(), JSON) == ["a", "b"]


def test_csv_is_read() -> None:
    assert invocation_texts(b'\xef\xbb\xbfid,text\n1,a\n2,"b\nc"\n', "text/csv; charset=utf-8") == ["a", "b\nc"]


def test_a_missing_text_is_an_empty_one() -> None:
    assert invocation_texts(b'{"dataframe_records": [{"text": null}, {}]}', JSON) == ["", ""]


@pytest.mark.parametrize(
    ("raw", "kind", "status", "words"),
    [
        (b"{", JSON, 400, "EOF"),
        (b"\xff\xfe", JSON, 400, "body"),
        (b'{"inputs": "\\ud800"}', JSON, 400, "hex escape"),
        (b"{}", JSON, 422, "one of dataframe_split, dataframe_records, inputs, instances"),
        (b"[1]", JSON, 422, "body"),
        (b'{"dataframe_split": {"columns": ["x"], "data": []}}', JSON, 422, "in a column `text`"),
        (b'{"dataframe_split": {"columns": ["text"], "data": 3}}', JSON, 422, "in a column `text`"),
        (b'{"instances": [3]}', JSON, 422, "text: expected text, found int"),
        (b"[" * 100_000, JSON, 400, "recursion"),
        (b'{"instances": [' + b"9" * 10_000 + b"]}", JSON, 400, "out of range"),
        (b"\xff", "text/csv", 400, "CSV in UTF-8"),
        (b"a,b\n1,2\n", "text/csv", 422, "in a column `text`"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(raw: bytes, kind: str, status: int, words: str) -> None:
    with pytest.raises(RefusedError) as raised:
        invocation_texts(raw, kind)
    assert raised.value.status == status
    assert words in raised.value.message


@given(VALUES)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for name in ("dataframe_split", "dataframe_records", "inputs", "instances"):
        for inner in (value, [value], {"text": value}, {"columns": ["text"], "data": value}):
            try:
                texts = invocation_texts(json.dumps({name: inner}).encode(), JSON)
            except RefusedError as error:
                assert error.status in (400, 422)
            else:
                assert all(isinstance(text, str) for text in texts)


@pytest.mark.parametrize("value", [{}, {"text": "a", "rows": [{"text": "b"}]}, {"rows": []}, {"text": "a", "x": 1}])
def test_one_text_or_several_but_not_both(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PredictBody.model_validate(value)


def test_several_texts_have_metadata_of_their_own() -> None:
    body = PredictBody.model_validate({"rows": [{"text": "a", "metadata": {"x": 1}}, {"text": "b"}]})
    assert [row.metadata for row in body.all_rows] == [{"x": 1}, {}]
    assert PredictBody.model_validate({"text": "", "metadata": {"x": 1}}).all_rows[0].metadata == {"x": 1}


@pytest.mark.parametrize(
    "value", [{}, {"request_id": "r", "text": "t"}, {"text": "t", "row": -1}, {"text": "t", "row": 2**70}]
)
def test_feedback_names_a_request_or_a_text(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        FeedbackBody.model_validate({"label": "billing", "who": "ada", **value})
    assert refused(raised.value).status == 422


BODIES: list[tuple[type[BaseModel], dict[str, Any]]] = [
    *((PredictBody, {"text": text, "rows": rows}) for text in (None, "", "a") for rows in (None, [{"text": "a"}])),
    *((PredictBody, body) for body in ({}, {"text": "a"}, {"rows": [{"text": "a"}]}, {"rows": []}, {"text": 3})),
    *(
        (FeedbackBody, {"label": "a", "who": "b", "request_id": request, "text": text})
        for request in (None, "r", "")
        for text in (None, "")
    ),
    (FeedbackBody, {"label": {"a": 1}, "who": "b", "text": "c"}),
    (FeedbackBody, {"label": "a", "text": "c"}),
]


@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_the_documented_schema_takes_what_the_server_takes(kind: type[BaseModel], body: dict[str, Any]) -> None:
    documented = jsonschema.Draft202012Validator(kind.model_json_schema()).is_valid(body)
    try:
        kind.model_validate(body)
    except ValidationError:
        assert not documented
    else:
        assert documented


@pytest.mark.parametrize(("body", "valid"), [({}, False), ({"inputs": None}, False), ({"inputs": ["a"]}, True)])
def test_the_documented_schema_asks_for_one_of_mlflows_forms(body: dict[str, Any], valid: bool) -> None:
    assert jsonschema.Draft202012Validator(InvocationsBody.model_json_schema()).is_valid(body) is valid
