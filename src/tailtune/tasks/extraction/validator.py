"""JSON Schema as it is obeyed here: formats are checked, and patterns are matched in bounded time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from tailtune.config.formats import checker
from tailtune.tasks.extraction.backtracking import LONGEST, backtracking_fault

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_MOST_CHARACTERS = 1_000  # of a pattern


def validator_of(schema: Mapping[str, Any]) -> Draft202012Validator:
    """A validator of JSON Schema 2020-12, formats included."""
    return _kind()(schema, format_checker=checker())


def pattern_fault(pattern: str) -> str:
    """Why a pattern cannot be used; empty when it can."""
    if len(pattern) > _MOST_CHARACTERS:
        return f"{len(pattern):,} characters; expected at most {_MOST_CHARACTERS:,}"
    return "" if _linear(pattern) else backtracking_fault(pattern)


def matches(pattern: str, text: str) -> bool:
    """Whether a text has a place that a pattern matches; the pattern has no fault."""
    if _linear(pattern):
        return _matches_linearly(pattern, text)
    return len(text) <= LONGEST and re.search(pattern, text) is not None


@lru_cache(maxsize=1024)
def _linear(pattern: str) -> bool:
    """Whether RE2 can read a pattern: it takes time linear in the text."""
    try:
        _matches_linearly(pattern, "")
    except ValueError:
        return False
    return True


def _matches_linearly(pattern: str, text: str) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    value = pa.scalar(text.encode("utf-8", "replace").decode())  # half a character is no UTF-8
    return bool(pc.match_substring_regex(value, pattern.encode("utf-8", "replace").decode()).as_py())


@cache
def _kind() -> type[Draft202012Validator]:
    from jsonschema import Draft202012Validator, ValidationError, validators

    remembered = lru_cache(maxsize=4096)(matches)

    def obeyed(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
        if isinstance(value, str) and not remembered(pattern, value):
            yield ValidationError(f"{value!r} does not match {pattern!r}")

    def whole_times(_: object, step: float, value: object, __: object) -> Iterator[ValidationError]:
        if isinstance(value, int | float) and not isinstance(value, bool) and not _is_multiple(value, step):
            yield ValidationError(f"{value!r} is not a multiple of {step!r}")

    made: type[Draft202012Validator] = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": obeyed, "multipleOf": whole_times}
    )
    return made


def _is_multiple(value: float, step: float) -> bool:
    """Whether a number is a multiple as they are written in decimals: 19.99 of 0.01, which binary fractions are not."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    numerator, denominator = (Fraction(str(number)) for number in (value, step))
    return (numerator / denominator).denominator == 1
