"""What is logged: one record per answered row, and one per right answer that a person sent."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tailtune.core.money import Usd

Route = Literal["model", "passthrough", "shadow"]
"""Who answered: the served version, the declared language model in its place, or a challenger beside it."""
ROUTES: tuple[Route, ...] = get_args(Route)
_HASH_DIGITS, _SLICE_CHARACTERS = 32, 200


@dataclass(frozen=True, slots=True)
class LoggedPrediction:
    """One per answered row.

    Attributes:
        at_us: When it was answered, microseconds since 1970 (UTC).
        use_case: Whose.
        version: Registered version that answered; None where no version did.
        route: Who answered.
        request_id: Of the request; its rows share it.
        latency_ms: From request to answer.
        row: Place of the row in its request, counted from 0.
        client: Who asked, as the server knows it; empty when it does not.
        text: The text, scrubbed by the caller; None when it is not kept (`kept_text`).
        text_hash: Hash of the scrubbed text; None when nothing of the text is kept.
        answer: Label or JSON object, as text; None when there was no usable answer.
        confidence: Calibrated probability of the answer; NaN when there is none.
        likeliest: Up to five answers with calibrated probabilities, likeliest first.
        embedding: The model's own embedding of the text, float16 values in the machine's order; None when not kept.
        novelty: How far the text is from what the model learnt; None when not measured.
        unknown_share: Share of its tokens that the model does not know; None when not measured.
        tokens: Its length; None when not measured.
        usd: Price of the answer; None when unknown, 0 for local work.
        metadata: What the client said about the row.
        slices: Column → value, what the monitor looks at apart.
    """

    at_us: int
    use_case: str
    version: str | None
    route: Route
    request_id: str
    latency_ms: float
    row: int = 0
    client: str = ""
    text: str | None = None
    text_hash: str | None = None
    answer: str | None = None
    confidence: float = math.nan
    likeliest: tuple[tuple[str, float], ...] = ()
    embedding: bytes | None = None
    novelty: float | None = None
    unknown_share: float | None = None
    tokens: int | None = None
    usd: Usd | None = 0.0
    metadata: Mapping[str, object] = field(default_factory=dict)
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggedFeedback:
    """One per right answer that a person sent.

    Attributes:
        at_us: When it came, microseconds since 1970 (UTC).
        use_case: Whose.
        label: The right answer, as text.
        who: The person.
        request_id: Of the request it is about; None where the text is given.
        row: Place of the row in that request.
        text: The text it is about, scrubbed by the caller; None where the request is given.
    """

    at_us: int
    use_case: str
    label: str
    who: str
    request_id: str | None = None
    row: int = 0
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ReceivedFeedback:
    """One per right answer in the store: the fields of `LoggedFeedback`, and the number that the store gave it."""

    id: int
    at_us: int
    request_id: str | None
    row: int
    text: str | None
    label: str
    who: str


def kept_slices(values: Mapping[str, Any], columns: Collection[str]) -> dict[str, str]:
    """What is logged of a row's slices: without surrounding white space, as curation reads them, and cut."""
    known = {name: str(values[name]).strip() for name in columns if values.get(name) is not None}
    return {name: value[:_SLICE_CHARACTERS] for name, value in known.items() if value}


def kept_text(text: str, how: Literal["scrubbed", "hash", "none"]) -> tuple[str | None, str | None]:
    """What is logged of a text: `text` and `text_hash` of its record.

    Limit: a hash hides a text from people who read the log, not from somebody who can guess the text and compare.

    Args:
        text: Scrubbed already.
        how: `serve.log.text` of the use case.
    """
    if how == "none":
        return None, None
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_HASH_DIGITS]
    return (text if how == "scrubbed" else None), digest
