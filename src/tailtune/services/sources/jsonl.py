"""JSONL: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tailtune.core.json_text import parse_rows_json
from tailtune.services.sources.faults import Faults, missing
from tailtune.services.sources.lines import Lines

PLACE = ""
EXPECTED = "one JSON object per line"
_PEEKED = 100
_KINDS = {list: "array", str: "string", int: "number", float: "number", bool: "truth value", type(None): "null"}


def columns(file: Path, faults: Faults) -> tuple[str, ...]:
    """The keys of the first 100 objects, in order of appearance."""
    keys: dict[str, None] = {}
    for seen, (_, value) in enumerate(objects(file, faults), 1):
        keys.update(dict.fromkeys(value))
        if seen == _PEEKED:
            break
    if not keys and not faults.count:
        faults.add(1, f"no rows; expected {EXPECTED}")
    return tuple(keys)


def records(
    file: Path, names: Sequence[str], faults: Faults, optional: Sequence[str] = ()
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The wanted values of every object, with its line; None for an optional one that is not there."""
    for number, value in objects(file, faults):
        if all(name in value for name in names):
            yield number, tuple(value.get(name) for name in (*names, *optional))
            continue
        for name in dict.fromkeys(names):
            if name not in value:
                faults.add(number, missing(name, list(value)).replace("the file has", "this object has"))


def objects(file: Path, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every object, with its line."""
    lines = Lines(file, faults)
    for line in lines:
        readable = lines.readable
        lines.mark()
        if not readable or not line.strip():
            continue
        if lines.number == 1 and line.lstrip().startswith("["):
            faults.end(1, f"a JSON array; expected {EXPECTED}: convert with  jq -c '.[]'")
            return
        try:
            value = parse_rows_json(line)
        except json.JSONDecodeError as error:
            faults.add(lines.number, f"not JSON: {error.msg} at character {error.pos + 1}; expected {EXPECTED}")
        except (ValueError, RecursionError) as error:  # two values of a key, 5,000 digits, 100,000 brackets
            faults.add(lines.number, f"JSON that cannot be read: {error}; expected {EXPECTED}")
        else:
            if isinstance(value, dict):
                yield lines.number, value
            else:
                faults.add(lines.number, f"a JSON {_KINDS[type(value)]}; expected {EXPECTED}")
