"""What may be sent to a server, and what comes back: the bodies of its own and of MLflow's protocol."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tailtune.core.errors import RefusedError


def _either(first: str, second: str) -> dict[str, Any]:
    """JSON Schema of a body with one of two fields; the other may be null."""
    return {
        "oneOf": [
            {"required": [given], "properties": {given: {"not": {"type": "null"}}, other: {"type": "null"}}}
            for given, other in ((first, second), (second, first))
        ]
    }


class AskedRow(BaseModel):
    """One per text."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="As somebody typed it.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Kept in the log; slices are read from it.")


class PredictBody(BaseModel):
    """One text, or many."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_either("text", "rows"))

    text: str | None = Field(None, description="A text; or give `rows`.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Of that text.")
    rows: list[AskedRow] | None = Field(None, min_length=1, description="Several texts, instead of `text`.")

    @model_validator(mode="after")
    def _one_of_both(self) -> PredictBody:
        if (self.text is None) == (self.rows is None):
            raise ValueError("give either `text` or `rows`")
        return self

    @property
    def all_rows(self) -> list[AskedRow]:
        """The texts that are asked about."""
        return self.rows or [AskedRow(text=self.text or "", metadata=self.metadata)]


class PredictedRow(BaseModel):
    """One per text."""

    answer: Any = Field(description="The label, or the JSON object; null when there is no valid answer.")
    confidence: float | None = Field(description="Calibrated probability of the answer, 0 to 1; null when not known.")
    likeliest: list[tuple[str, float]] = Field(
        description="Labels and their probabilities, likeliest first; of an object, its fields with their confidences."
    )


class PredictAnswer(BaseModel):
    """The answers, in the order of the texts."""

    request_id: str = Field(description="Name it in feedback.")
    version: str
    answers: list[PredictedRow]


class FeedbackBody(BaseModel):
    """The right answer to a text that was asked about."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_either("request_id", "text"))

    request_id: str | None = Field(
        None, min_length=1, max_length=100, description="`x-request-id` of the answer, or a completion's id; or `text`."
    )
    row: int = Field(0, ge=0, lt=100_000, description="Place of the text in that request.")
    text: str | None = Field(None, description="The text itself, instead of the request.")
    label: str | dict[str, Any] = Field(description="The right answer: a label, or a JSON object.")
    who: str = Field(min_length=1, max_length=200, description="Who says so.")

    @model_validator(mode="after")
    def _one_of_both(self) -> FeedbackBody:
        if (self.request_id is None) == (self.text is None):
            raise ValueError("give either `request_id` or `text`")
        return self


class FeedbackAnswer(BaseModel):
    """That it is kept."""

    kept: bool


class InvocationsBody(BaseModel):
    """What `mlflow models serve` takes: one of these."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
                for name in ("dataframe_split", "dataframe_records", "inputs", "instances")
            ]
        },
    )

    dataframe_split: dict[str, Any] | None = Field(None, description='`{"columns": ["text"], "data": [["…"]]}`')
    dataframe_records: list[dict[str, Any]] | None = Field(None, description='`[{"text": "…"}]`')
    inputs: Any = Field(None, description='`["…"]` or `{"text": ["…"]}`')
    instances: Any = Field(None, description='`["…"]` or `[{"text": "…"}]`')


class InvocationsAnswer(BaseModel):
    """MLflow's answer: a record per text."""

    predictions: list[dict[str, Any]]


def refused(error: ValidationError) -> RefusedError:
    """The first faults of a body, in words."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    words = [
        f"{'.'.join(map(str, fault['loc'])) or 'body'}: {_what(fault['type'], fault['msg'])}" for fault in faults[:5]
    ]
    is_json = faults[0]["type"] != "json_invalid"
    return RefusedError(422 if is_json else 400, "invalid_body" if is_json else "invalid_json", "; ".join(words))


def _what(kind: str, message: str) -> str:
    return "unknown key; /docs lists those there are" if kind == "extra_forbidden" else message


def invocation_texts(raw: bytes, content_type: str) -> list[str]:
    """Texts of a request in MLflow's protocol, JSON or CSV.

    Raises:
        RefusedError: It holds no column `text`.
    """
    if content_type.startswith("text/csv"):
        return _csv_texts(raw)
    try:
        body = InvocationsBody.model_validate_json(raw)
    except ValidationError as error:
        raise refused(error) from None
    if body.dataframe_split is not None:
        columns, data = body.dataframe_split.get("columns"), body.dataframe_split.get("data")
        if not isinstance(columns, list) or "text" not in columns or not isinstance(data, list):
            raise _no_text("dataframe_split")
        at = columns.index("text")
        return [_text(row[at] if isinstance(row, list) and at < len(row) else None) for row in data]
    if body.dataframe_records is not None:
        return [_text(record.get("text")) for record in body.dataframe_records]
    found = body.inputs if body.inputs is not None else body.instances
    if isinstance(found, Mapping):
        found = found.get("text")
    if isinstance(found, str):
        return [found]
    if isinstance(found, Sequence):
        return [_text(each.get("text") if isinstance(each, Mapping) else each) for each in found]
    raise _no_text("one of dataframe_split, dataframe_records, inputs, instances")


def _csv_texts(raw: bytes) -> list[str]:
    try:
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RefusedError(400, "invalid_csv", f"expected CSV in UTF-8: {error}") from None
    if not rows or "text" not in rows[0]:
        raise _no_text("CSV")
    return [row["text"] or "" for row in rows]


def _text(value: Any) -> str:
    """A missing text is an empty one, as MLflow's own server takes it."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusedError(422, "invalid_body", f"text: expected text, found {type(value).__name__}")
    return value


def _no_text(where: str) -> RefusedError:
    return RefusedError(422, "invalid_body", f"{where}: expected texts, in a column `text`")
