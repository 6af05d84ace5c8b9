"""Columns that a new use case needs and its file does not have: which ones there are instead, as a command."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from tailtune.core.errors import DataError, Fault
from tailtune.services import sources
from tailtune.services.sources.faults import missing, nearest
from tailtune.tasks.declare import NewUseCase
from tailtune.tasks.table import DEFAULT_TASK

_TEXT_NAMES = (
    "nachricht",
    "texte",
    "texto",
    "text",
    "body",
    "message",
    "content",
    "sentence",
    "utterance",
    "description",
    "question",
    "query",
)
_LABEL_NAMES = (
    "kategorie",
    "klasse",
    "catégorie",
    "classe",
    "categoría",
    "categoria",
    "clase",
    "label",
    "labels",
    "category",
    "class",
    "topic",
    "intent",
    "target",
    "tag",
    "sentiment",
    "answer",
)
_SPLITS = frozenset({"train", "training", "dev", "val", "valid", "validation", "test", "testing", "eval"})
_MARKS = frozenset({"accept", *sources.REJECTED["answer"]})
_OPTIONS = ("text", "label", "group", "entities", "fields", "intent", "schema")
Column = Sequence[Any]
"""Values of one column in the first rows of a file."""


def refuse_missing(new: NewUseCase, task: str, needed: Mapping[str, str | None]) -> None:
    """Check that a file has the columns that a use case reads.

    Args:
        new: The options of `tailtune new`.
        task: The task's name.
        needed: Option → the column that it names; None where it names none.

    Raises:
        DataError: A column is not there; the next command names the columns that look right.
    """
    there = sources.peek(new.source)
    faults = [
        Fault(str(new.source), missing(column, there))
        for column in needed.values()
        if column is not None and column not in there
    ]
    if faults:
        named = {option: column for option, column in needed.items() if column is not None}
        meant = {option: column if column in there else nearest(column, there) for option, column in named.items()}
        options = {option: column for option, column in meant.items() if column is not None}
        raise DataError(faults, command(new, task, needed, options))


def command(new: NewUseCase, task: str, needed: Iterable[str], known: Mapping[str, str]) -> str:
    """`tailtune new` with columns that are there.

    Args:
        new: The options of `tailtune new`.
        task: The task's name.
        needed: Options that name a column each; those that are not in `known` are guessed from the data.
        known: Option → column that is there.
    """
    values = sources.sample(new.source)
    chosen = dict(known)
    for option in needed:
        if option not in chosen and option in _LIKELY:
            free = {name: column for name, column in values.items() if name not in chosen.values()}
            best = max(free, key=lambda name: _LIKELY[option](name, free[name]), default=None)
            if best is not None and _LIKELY[option](best, free[best]) > 0:
                chosen[option] = best
    if "label" in needed and "label" not in chosen:
        objects = [option for option in ("entities", "fields") if _holds(option, values)]
        if objects:
            text = {option: column for option, column in chosen.items() if option == "text"}
            return command(new, "extraction", ("text", *objects), text)
    given = {option: getattr(new, option) for option in _OPTIONS if option not in needed and getattr(new, option)}
    options = {"text": "COLUMN", **({"label": "COLUMN"} if "label" in needed else {}), **given, **chosen}
    of_task = () if task == DEFAULT_TASK else ("--task", task)
    parts = ["tailtune", "new", new.name, *of_task, "--from", str(new.source)]
    parts += [] if new.test is None else ["--test", str(new.test)]
    for option in _OPTIONS:
        if option in options and (option, options[option]) != ("text", "text"):
            parts += [f"--{option}", str(options[option])]
    return shlex.join(parts)


def file_notes(new: NewUseCase, left_out: str, test_left_out: str = "") -> list[str]:
    """What a person wants to know about the files beside their labels: rows left out, a column of splits.

    Args:
        new: The options of `tailtune new`.
        left_out: About rejected rows of the file; may be empty.
        test_left_out: Of the test file.
    """
    notes = [
        f"{name}: {words}" for name, words in ((new.source.name, left_out), (new.test_name, test_left_out)) if words
    ]
    for name, values in sources.sample(new.source).items():
        splits = {str(value).strip().lower() for value in values}
        read = (new.text, new.label or "label", new.group)
        if splits and splits <= _SPLITS and new.test is None and name not in read:
            dealt = "rows are dealt out by hash; your own test rows go into a file of their own: --test FILE"
            notes.append(f"{new.source.name}: the column `{name}` ({', '.join(sorted(splits))}) is not read: {dealt}")
    return notes


def _holds(option: str, values: Mapping[str, Column]) -> bool:
    return any(_LIKELY[option](name, column) > 0 for name, column in values.items())


def _like_text(name: str, values: Column) -> float:
    texts = [value for value in values if isinstance(_parsed(value), str) and value.strip()]
    if len(texts) * 2 <= len(values):
        return 0.0
    distinct = len(set(texts)) / len(texts)
    return fmean(map(len, texts)) * distinct * (3 if _named(name, _TEXT_NAMES) else 1)


def _like_label(name: str, values: Column) -> float:
    """Above 0 for a column whose few values come back; the more often, the higher."""
    plain = [value for value in values if isinstance(value, str | int) and str(value).strip()]
    distinct = len(set(plain))
    if {str(value).strip().lower() for value in plain} <= _MARKS:  # it says which rows are of use
        return 0.0
    if len(plain) < len(values) or not plain or max(len(str(value)) for value in plain) > 100:
        return 0.0
    named = _named(name, _LABEL_NAMES)
    if distinct > max(1, len(plain) / 2) and not named:
        return 0.0
    return (10 if named else 1) / max(distinct, 1) + (10 if named else 0)


def _like_entities(name: str, values: Column) -> float:
    rows = [spans for spans in map(_parsed, values) if isinstance(spans, list) and spans]
    return float(sum(all(map(_is_span, spans)) for spans in rows))


def _is_span(value: Any) -> bool:
    return isinstance(value, dict) and {"start", "end", "label"} <= value.keys()


def _like_fields(name: str, values: Column) -> float:
    return float(sum(isinstance(_parsed(value), dict) for value in values))


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _named(name: str, usual: Sequence[str]) -> bool:
    words = name.lower().replace("-", "_").split("_")
    return any(word in usual or word.removesuffix("s") in usual for word in words)


_LIKELY: dict[str, Callable[[str, Column], float]] = {
    "text": _like_text,
    "label": _like_label,
    "entities": _like_entities,
    "fields": _like_fields,
}
