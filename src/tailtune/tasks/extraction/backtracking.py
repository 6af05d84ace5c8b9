"""Patterns that RE2 cannot read, such as look-around: used where Python's engine cannot take long over them."""

from __future__ import annotations

import math
import re
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 200
"""Characters of a text that such a pattern is tried on; it does not match a longer one."""
_MOST_PATHS = 100_000
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


def backtracking_fault(pattern: str) -> str:
    """Why Python's engine may not try a pattern; empty when it may."""
    try:
        paths = _log_paths(_parser.parse(pattern))
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        return f"no regular expression: {why[:120]}"
    if paths > math.log(_MOST_PATHS):
        return "may take ages on some texts; expected fewer repetitions, or none of the look-around that needs them"
    return ""


def _log_paths(items: Any) -> float:
    """Logarithm of an upper bound on the ways through a pattern, on a text of 200 characters."""
    return math.fsum(_log_paths_of(kind, value) for kind, value in items)


def _log_paths_of(kind: Any, value: Any) -> float:
    if kind in _REPEATS:
        least, most, inner = value
        times, paths = min(int(most), LONGEST), _log_paths(inner)
        return math.log(max(times - int(least), 0) + 1) + times * paths
    if kind is _constants.BRANCH:
        return math.log(math.fsum(math.exp(min(_log_paths(way), 700)) for way in value[1]))
    if kind is _constants.SUBPATTERN:
        return _log_paths(value[-1])
    if kind in (_constants.ASSERT, _constants.ASSERT_NOT):
        return _log_paths(value[1])
    if kind is _constants.ATOMIC_GROUP:
        return _log_paths(value)
    if kind is _constants.GROUPREF_EXISTS:
        return math.log(2) + _log_paths(value[1]) + _log_paths(value[2] or ())
    return 0.0
