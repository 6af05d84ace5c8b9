"""Parameters of the requests to an endpoint: which are sent, and what the key `request` of a model may say of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from tailtune.core.secrets import looks_secret

PLACES: Mapping[str, str] = {"$max_output_tokens": "max_tokens", "$temperature": "temperature"}
"""Value of a declared key, as `request` can name it → the parameter that is sent with it by default."""
_KEYS = {parameter: place.removeprefix("$") for place, parameter in PLACES.items()}
_LIMITS = ("max_tokens", "max_completion_tokens", "max_new_tokens", "max_output_tokens", "num_predict", "n_predict")
_OWN = {
    "model": "name it by the key `model` of the model",
    "messages": "prompts are the files in prompts/",
    "stream": "answers are read whole",
    "stream_options": "answers are read whole",
    "n": "one answer is read, and each would be paid",
    "tools": "answers are read from the text",
    "tool_choice": "answers are read from the text",
    "functions": "answers are read from the text",
    "extra_body": "write what it holds right below request",
    "extra_headers": "only the body of a request can be set",
    "extra_query": "only the body of a request can be set",
}
_FORMAT = "response_format"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_MOST_CHARACTERS, _MOST_NESTED = 20_000, 12


def faults_in(request: Mapping[str, Any], structured: str) -> list[str]:
    """Everything that a declared `request` may not say, a sentence each.

    Args:
        request: Parameter → value; null leaves it out.
        structured: How answers are constrained, as declared; `none` leaves `response_format` free.
    """
    faults = [fault for name, value in request.items() for fault in _faults_of(name, value, structured)]
    if not faults and len(json.dumps(request)) > _MOST_CHARACTERS:
        faults.append(f"it is longer than {_MOST_CHARACTERS:,} characters")
    return faults


def _faults_of(name: str, value: Any, structured: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"{name[:80]!r} is no name of a parameter"
    elif name in _OWN:
        yield f"{name} cannot be set here: {_OWN[name]}"
    elif name == _FORMAT and structured != "none":
        yield f"{name} is what constrains answers; set structured: none to send another"
    elif name in (*_KEYS, *_LIMITS) and value is not None and value not in PLACES:
        key = "temperature" if name == "temperature" else "max_output_tokens"
        renamed = "" if name in _KEYS else f", and {name}: ${key} here to send it under that name"
        yield f"{name}: set {key} of the model, beside request{renamed}"
    elif looks_secret(name, value):
        yield f"{name} holds a key or a password; put it into the environment variable that key_env names"
    else:
        yield from (f"{name}: {fault}" for fault in _value_faults(value))


def _value_faults(value: Any, depth: int = 0) -> Iterator[str]:
    """What is no JSON, and places that are none."""
    if depth > _MOST_NESTED:
        yield f"nested more than {_MOST_NESTED} deep"
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                yield f"{name!r} is a key that is no text; put it into quotes"
            elif looks_secret(name, inner):
                yield f"{name} holds a key or a password; put it into the environment variable that key_env names"
            else:
                yield from _value_faults(inner, depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _value_faults(inner, depth + 1)
    elif isinstance(value, str):
        if re.fullmatch(r"\$\{?\w+\}?", value) and value not in PLACES:
            near = get_close_matches(value, PLACES, n=1)
            meant = f"did you mean {near[0]}?" if near else "environment variables are not read here"
            yield f"{value} is none of {', '.join(PLACES)}; {meant}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{value} is no number of JSON"
    elif not isinstance(value, bool | int | float | None):
        yield f"{value} is a {type(value).__name__}, which JSON does not know; put it into quotes"


def parameters(
    request: Mapping[str, Any], max_output_tokens: int, temperature: float, without: Mapping[str, str | None]
) -> dict[str, Any]:
    """What is sent besides model, messages and the form of the answer.

    Args:
        request: As declared, without faults.
        max_output_tokens: As declared.
        temperature: As declared.
        without: Parameter that the server refused → the name to send it under instead, or None to leave it out.

    Returns:
        Parameter → value. What `request` sends under another name is not sent under its usual one, too.
    """
    values: dict[str, Any] = {"$max_output_tokens": max_output_tokens, "$temperature": temperature}
    moved = set(_places_in(request))
    sent = {without.get(name, name): values[place] for place, name in PLACES.items() if place not in moved}
    for name, value in request.items():
        sent.pop(name, None)
        if value is not None:
            sent[name] = _filled(value, values)
    return {name: value for name, value in sent.items() if name is not None}


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(inner, values) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, values) for inner in value]
    return values.get(value, value) if isinstance(value, str) else value


def _places_in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _places_in(inner)
    elif isinstance(value, str) and value in PLACES:
        yield value
