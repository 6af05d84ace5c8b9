"""A JSON Schema as a grammar that decoding is held to: compact, bounded, and as strict as the project's own checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LARGEST = 10**18  # a number of any length could fill the whole answer, and end as infinity
_NAME = r"[^\s@<>()\[\],;:\".\\]+"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_LEAP = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_OTHER_DAY = r"(?:02-(?:[01][0-9]|2[0-8])|(?:0[13-9]|1[0-2])-[0-9]{2})"
_FORMATS: Mapping[str, tuple[str, ...]] = {
    # Beside the grammar's own rule, which has a year 0 and a 29 February in every year.
    "date": (r"^0{0,3}[1-9]", rf"^(?:{_LEAP}-02-29|[0-9]{{4}}-{_OTHER_DAY})$"),
    "time": (rf"^{_CLOCK}(?::[0-5][0-9](?:\.[0-9]{{1,6}})?)?(?:Z|[+-]{_CLOCK})?$",),
    "email": (rf"^{_NAME}(?:\.{_NAME})*@", rf"^[^@]{{1,64}}@(?:{_HOST}\.){{1,4}}[A-Za-z]{{2,24}}$"),
    "phone": (r"^\+[1-9][0-9]{6,14}$",),
}
_BY_GRAMMAR = {"date", "ipv4", "ipv6", "uuid"}
_OPTIONS: dict[str, Any] = {
    "whitespace_flexible": False,  # blanks without end would be valid JSON
    "item_separator": ", ",  # as json.dumps writes, which is how examples in a prompt look
    "key_separator": ": ",
    "json_allowed_escapes": '"\\nt',  # \u could name half a character
    "lenient": True,  # what it does not know is told, not refused
}


@dataclass(frozen=True, slots=True)
class Grammar:
    """One per schema.

    Attributes:
        text: As llguidance reads it; None when the schema could not be made one.
        unique: Whether lists must not repeat an entry, which no grammar can hold.
        note: What answers are not held to; empty mostly.
    """

    text: str | None
    unique: bool
    note: str


def grammar_of(schema: Mapping[str, Any], tokenizer: Any) -> Grammar:
    """The grammar of a schema.

    Args:
        schema: JSON Schema; local references are followed.
        tokenizer: llguidance's, of the model.

    Limit: patterns with look-around cannot be held to; they are left out, and the note says so.
    """
    from llguidance import LLMatcher

    unique, notes = '"uniqueItems": true' in json.dumps(schema), []
    held = _bounded(schema)
    for one in (held, _without_patterns(held)):
        text = LLMatcher.grammar_from_json_schema(json.dumps(one), overrides=_OPTIONS)
        matcher = LLMatcher(tokenizer, text, log_level=0)
        if not matcher.is_error():
            notes += matcher.get_grammar_warnings()
            return Grammar(text, unique, "; ".join(f"not held to the schema: {note}" for note in notes))
        why = matcher.get_error().strip().partition("\n")[0][:120]
        notes.append(f"patterns ({why})")
    return Grammar(None, unique, f"not held to the schema: {why}")


def without_repeats(schema: Mapping[str, Any], text: str) -> tuple[str, bool]:
    """An object with each entry of a `uniqueItems` list kept once, and whether anything was dropped.

    Args:
        schema: What the text satisfies otherwise.
        text: JSON.
    """
    value = json.loads(text)
    kept = _kept_once(schema, value, schema.get("$defs", {}))
    return (text, False) if kept == value else (json.dumps(kept, ensure_ascii=False), True)


def _bounded(node: Any) -> Any:
    """The schema with formats as patterns, numbers of finite length, and without what grammars do not know."""
    if isinstance(node, list):
        return [_bounded(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {
        key: value if key in {"enum", "const", "required", "default", "examples"} else _bounded(value)
        for key, value in node.items()
        if not (key == "uniqueItems" or key.startswith("x-"))
    }
    if isinstance(node.get("properties"), dict):  # its keys are names, not keywords
        made["properties"] = {name: _bounded(value) for name, value in node["properties"].items()}
    if {"number", "integer"} & set(_types(node)):
        made["minimum"] = max(node.get("minimum", -_LARGEST), -_LARGEST)
        made["maximum"] = min(node.get("maximum", _LARGEST), _LARGEST)
    format_ = node.get("format")
    if isinstance(format_, str) and format_ in _FORMATS:
        made["allOf"] = [*made.get("allOf", []), *({"pattern": one} for one in _FORMATS[format_])]
    if isinstance(format_, str) and format_ not in _BY_GRAMMAR:
        made.pop("format", None)
    return made


def _without_patterns(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_patterns(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_patterns(value)
        for key, value in node.items()
        if not (key == "pattern" and isinstance(value, str))
    }


def _types(node: Mapping[str, Any]) -> list[str]:
    named = node.get("type", [])
    return named if isinstance(named, list) else [named]


def _kept_once(node: Any, value: Any, defs: Mapping[str, Any]) -> Any:
    if not isinstance(node, dict):
        return value
    for inner in (*node.get("anyOf", []), *node.get("allOf", []), defs.get(str(node.get("$ref")).rpartition("/")[2])):
        value = _kept_once(inner, value, defs)
    if isinstance(value, list):
        entries = [_kept_once(node.get("items"), one, defs) for one in value]
        if node.get("uniqueItems"):
            entries = [one for at, one in enumerate(entries) if one not in entries[:at]]
        return entries
    if isinstance(value, dict):
        inside = node.get("properties", {})
        return {name: _kept_once(inside.get(name), one, defs) for name, one in value.items()}
    return value
