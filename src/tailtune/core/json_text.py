"""JSON of files, stores and servers as plain values, within bounds of depth and of numbers."""

from __future__ import annotations

import json
import math
from typing import Any

_LONGEST_NUMBER = 1_000  # characters
_LARGEST = 2**63


def parse_json(text: str) -> Any:
    """Read a JSON document whose numbers a 64-bit machine can hold.

    Raises:
        json.JSONDecodeError: It is not JSON; with the line.
        ValueError: A number that is infinite, none at all or beyond 64 bits, or too deep nesting; in a few words.
    """
    try:
        return json.loads(text, parse_constant=_constant, parse_float=_float, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _float(digits: str) -> float:
    number = float(digits) if len(digits) <= _LONGEST_NUMBER else math.inf
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is too large or too long for a number")
    return number


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -_LARGEST <= (number := int(digits)) < _LARGEST:
        raise ValueError(f"{digits[:40]} is too large for a whole number (64 bits)")
    return number
