"""JSON of files, stores and servers as plain values, within bounds of depth and of numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tailtune.core.errors import MissingInputError

_LONGEST_NUMBER = 1_000  # characters
_LARGEST = 2**63


def parse_rows_json(text: str) -> Any:
    """Read JSON of people's own rows, as `json.loads` does. A key that stands twice with equal values is harmless.

    Raises:
        json.JSONDecodeError: It is not JSON.
        ValueError: A key with two different values, of which nothing says which is meant, or a number of thousands of
            digits; in a few words.
        RecursionError: Too deep nesting.
    """
    return json.loads(text, object_pairs_hook=_without_twice)


def _without_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        for key, value in pairs:
            one, other = (json.dumps(each, sort_keys=True) for each in (value, values[key]))
            if one != other:
                raise ValueError(f"the key `{key[:40]}` stands twice, as {one[:40]} and as {other[:40]}")
    return values


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


def read_object(path: Path, hint: str = "tailtune run <use-case>") -> dict[str, Any]:
    """Read a JSON object that belongs to a saved model or came from a store.

    Args:
        path: The file.
        hint: The next command an error shows.

    Raises:
        MissingInputError: It is not there, is torn, or is no JSON object within bounds.
    """
    try:
        value = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInputError(f"{path}: no such file", hint) from None
    except ValueError as error:
        raise MissingInputError(f"{path}: torn or damaged, it cannot be read ({error})", hint) from None
    if not isinstance(value, dict):
        raise MissingInputError(f"{path}: expected a JSON object, found a {type(value).__name__}", hint)
    return value


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
