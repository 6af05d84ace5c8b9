"""What is logged of an answer besides the answer, as JSON values that wait beside it until all rows are answered."""

from __future__ import annotations

import base64
import math
import time
from typing import Any

from tailtune.services.prediction_log import LoggedPrediction
from tailtune.serving.batch.kept import KeptAnswer
from tailtune.tasks.answerer import Prediction

LOGGED = "logged"
"""Asks a process that answers for these values."""


def seen_now() -> dict[str, Any]:
    """That a row is answered now, where nothing else is known."""
    return {"at_us": time.time_ns() // 1000}


def seen_of(prediction: Prediction, latency_ms: float) -> dict[str, Any]:
    """Of an answer that has just been given."""
    vector = prediction.embedding
    return seen_now() | {
        "latency_ms": latency_ms,
        "likeliest": prediction.likeliest,
        "embedding": None if vector is None else base64.b64encode(vector).decode("ascii"),
        "novelty": prediction.novelty,
        "unknown_share": prediction.unknown_share,
        "tokens": prediction.tokens,
    }


def logged(kept: KeptAnswer, embeddings: bool, **row: Any) -> LoggedPrediction:
    """A kept answer as it is logged.

    Args:
        kept: The answer.
        embeddings: Whether embeddings are logged.
        row: The fields that say whose answer it is, and to what.
    """
    seen = kept.seen or seen_now()
    vector = seen.get("embedding") if embeddings else None
    return LoggedPrediction(
        at_us=seen["at_us"],
        route="model",
        latency_ms=seen.get("latency_ms", math.nan),
        answer=kept.answer,
        confidence=math.nan if kept.confidence is None else kept.confidence,
        likeliest=tuple((name, share) for name, share in seen.get("likeliest", ())),
        embedding=None if vector is None else base64.b64decode(vector),
        novelty=seen.get("novelty"),
        unknown_share=seen.get("unknown_share"),
        tokens=seen.get("tokens"),
        usd=kept.usd,
        **row,
    )
