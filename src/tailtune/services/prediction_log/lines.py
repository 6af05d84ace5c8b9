"""A line of the spool: what one request leaves, as a JSON array: how many rows were answered, then its records.

A request is one line and one write, so that a line is whole exactly when its last byte, the line feed, is there.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tailtune.core.days import day_of
from tailtune.services.prediction_log.records import ROUTES, LoggedFeedback, LoggedPrediction

_KIND, _PREDICTION, _FEEDBACK, _NOT_LOGGED = "kind", "prediction", "feedback", "not_logged"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_MOST = 2**63


def prediction(record: LoggedPrediction) -> dict[str, Any]:
    """A prediction as JSON values."""
    embedding = record.embedding
    return {
        _KIND: _PREDICTION,
        "at_us": record.at_us,
        "use_case": record.use_case,
        "version": record.version,
        "route": record.route,
        "request_id": record.request_id,
        "row": record.row,
        "client": record.client,
        "text": record.text,
        "text_hash": record.text_hash,
        "answer": record.answer,
        "confidence": record.confidence,
        "likeliest": record.likeliest,
        "embedding": None if embedding is None else base64.b64encode(embedding).decode("ascii"),
        "novelty": record.novelty,
        "unknown_share": record.unknown_share,
        "tokens": record.tokens,
        "latency_ms": record.latency_ms,
        "usd": record.usd,
        "metadata": record.metadata,
        "slices": record.slices,
    }


def feedback(record: LoggedFeedback) -> dict[str, Any]:
    """A person's answer as JSON values."""
    return {
        _KIND: _FEEDBACK,
        "at_us": record.at_us,
        "use_case": record.use_case,
        "request_id": record.request_id,
        "row": record.row,
        "text": record.text,
        "label": record.label,
        "who": record.who,
    }


def not_logged(use_case: str, rows: int, at_us: int) -> dict[str, Any]:
    """A note that rows were answered while nothing could be written."""
    return {_KIND: _NOT_LOGGED, "use_case": use_case, "rows": rows, "at_us": at_us}


def encode(answered: int, records: Iterable[dict[str, Any]]) -> bytes:
    """The line of a request, its line feed included.

    Raises:
        TypeError: A record holds what JSON has not.
        ValueError: The same.
    """
    return (_encode([answered, *records]) + "\n").encode("utf-8", "replace")


def answered_in(line: bytes) -> int:
    """How many answered rows a line holds, without reading the rest of it; 0 for a line that is none."""
    head = line[1:24].partition(b",")[0].rstrip(b"]\n")
    return int(head) if line[:1] == b"[" and head.isdigit() else 0


@dataclass(slots=True)
class Batch:
    """One per transaction: what some lines hold, as rows of the store's tables.

    Attributes:
        predictions: Rows of the table of predictions.
        feedback: Rows of the table of feedback.
        not_logged: (use case, day since 1970) → rows that were answered and could not be logged.
        torn: Lines that could not be read.
    """

    predictions: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    not_logged: dict[tuple[str, int], int] = field(default_factory=dict)
    torn: int = 0

    def add(self, line: bytes) -> None:
        """Take in a line; one that cannot be read is counted as torn, whole."""
        try:
            _, *records = json.loads(line)
            read = [_read(record) for record in records]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self.torn += 1
            return
        for kind, values in read:
            if kind == _PREDICTION:
                self.predictions.append(values)
            elif kind == _FEEDBACK:
                self.feedback.append(values)
            else:
                key = values["use_case"], day_of(values["at_us"])
                self.not_logged[key] = self.not_logged.get(key, 0) + values["rows"]


def _read(record: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A record's kind and values, as the store's columns take them.

    Raises:
        ValueError: It is none, or holds what no column takes.
    """
    kind = record[_KIND]
    return kind, {name: read(record.get(name)) for name, read in _COLUMNS[kind].items()}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text")
    # PostgreSQL takes no NUL; no database takes half a surrogate pair.
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -_MOST <= value < _MOST:
        raise ValueError("expected a whole number")
    return value


def _number(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


def _json(value: Any) -> str:
    return _text(_encode(value))


def _route(value: Any) -> str:
    if value not in ROUTES:
        raise ValueError(f"expected one of {', '.join(ROUTES)}")
    return str(value)


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


_COLUMNS: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    _PREDICTION: {
        "at_us": _whole,
        "use_case": _text,
        "version": _or_none(_text),
        "route": _route,
        "request_id": _text,
        "row": _whole,
        "client": _text,
        "text": _or_none(_text),
        "text_hash": _or_none(_text),
        "answer": _or_none(_text),
        "confidence": _or_none(_number),
        "likeliest": _json,
        "embedding": _or_none(base64.b64decode),
        "novelty": _or_none(_number),
        "unknown_share": _or_none(_number),
        "tokens": _or_none(_whole),
        "latency_ms": _number,
        "usd": _or_none(_number),
        "metadata": _json,
        "slices": _json,
    },
    _FEEDBACK: {
        "at_us": _whole,
        "use_case": _text,
        "request_id": _or_none(_text),
        "row": _whole,
        "text": _or_none(_text),
        "label": _text,
        "who": _text,
    },
    _NOT_LOGGED: {"use_case": _text, "rows": _whole, "at_us": _whole},
}
"""Kind of record → its fields → how a value is checked on its way into the store: what a database would refuse there
would stop the spool for ever."""
