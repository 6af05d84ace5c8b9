"""Logged rows as a server would write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tailtune.services.prediction_log import LoggedPrediction
from tailtune.services.prediction_log.spool import SEGMENT

DAY_US = 86_400_000_000
NOON_US = 20_000 * DAY_US + DAY_US // 2
"""Noon of day 20,000 since 1970."""


def row(number: int = 0, **values: Any) -> LoggedPrediction:
    """A row answered `number` seconds after noon."""
    made: dict[str, Any] = {
        "at_us": NOON_US + number * 1_000_000,
        "use_case": "inbox",
        "version": "3",
        "route": "model",
        "request_id": f"r{number}",
        "latency_ms": 1.5,
        "text": f"text {number}",
        "answer": "billing",
    }
    return LoggedPrediction(**{**made, **values})


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SEGMENT}"))
