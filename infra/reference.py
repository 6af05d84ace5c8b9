"""Write models/README.md, the field reference, from the specs themselves: `python infra/reference.py`."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tailtune.config.model import ModelSpec
from tailtune.config.prices import PriceSpec
from tailtune.tasks.table import TASKS

PAGE = Path(__file__).resolve().parents[1] / "models" / "README.md"
_HEAD = """\
# What a use case declares

One folder a use case: `model.yaml`, and the file that says what an answer may be. For a classification that is
`labels.yaml` (label → what belongs to it, one sentence each; the zero-shot rung reads the sentences;
`{description: …, also: [other spellings]}` counts rows and answers in other spellings too), for an extraction
`schema.json` (JSON Schema 2020-12, [how it is read](../docs/guides/extract-objects.md)). Beside them `prompts/`, the
prompts of language models ([how they are written](../docs/guides/prompted-models.md)). One `prices.yaml` for all. An
unknown key is an error that tells the line and the nearest key.

    tailtune check USE-CASE     validates spec, labels, prices and rows; changes nothing
    tailtune new NAME …         writes a folder like these from a file of labelled rows

This page is generated from the specs in `src/tailtune/config/` and `src/tailtune/tasks/`: `make docs` renews it.
"""
_COLUMNS = ("key", "type", "default", "allowed", "meaning")
_BOUNDS = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
_NAMES: dict[type, str] = {
    str: "text",
    int: "integer",
    float: "number",
    Decimal: "amount",
    bool: "true or false",
    date: "day",
}


def reference() -> str:
    """The whole page, ending in a newline; equal for equal specs."""
    chapters = [_chapter("## model.yaml", ModelSpec)]
    for name, model in _sections(ModelSpec):
        chapters += [_chapter(f"### {name}", model, under=name), *_entries(model)]
        chapters += [_chapter(f"#### {inner} of {name}", section) for inner, section in _sections(model)]
    for task, entry in TASKS.items():
        spec = entry.load_class().spec_type
        chapters.append(f"## task: {task}\n\n{_sentence(spec)} Besides the keys above:\n")
        chapters += [
            _chapter(f"### {name} of {task}", model, own)
            for name, model in _sections(spec)
            if (own := own_keys(ModelSpec, spec, name))
        ]
    chapters += [_chapter("## prices.yaml", PriceSpec), *_entries(PriceSpec)]
    return "\n".join([_HEAD, *chapters])


def _entries(model: type[BaseModel]) -> list[str]:
    """A chapter for each key that holds a list or mapping of further sections."""
    return [_chapter(f"#### each of {name}", entry) for name, field in _fields(model) if (entry := entry_of(field))]


def entry_of(field: FieldInfo) -> type[BaseModel] | None:
    """What a list or mapping holds, where that has keys of its own."""
    if get_origin(field.annotation) not in (tuple, dict):
        return None
    entries = [kind for kind in get_args(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return entries[0] if entries else None


def own_keys(shared: type[BaseModel], spec: type[BaseModel], section: str) -> list[str]:
    """Keys that a task adds to a section, or gives another default or other words."""
    before, after = (dict(_fields(dict(_sections(model))[section])) for model in (shared, spec))
    return [
        name for name, field in after.items() if name not in before or _row(name, before[name]) != _row(name, field)
    ]


def _sections(model: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    return [(name, section) for name, field in _fields(model) if (section := _model(field)) is not None]


def _chapter(title: str, model: type[BaseModel], only: list[str] | None = None, under: str = "") -> str:
    return f"{title}\n\n{_sentence(model)}\n\n{_table(model, only, under)}"


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    return ((field.alias or name, field) for name, field in model.model_fields.items())


def _model(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _sentence(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition("\n\n")[0].strip()


def _table(model: type[BaseModel], only: list[str] | None, under: str) -> str:
    rows = [_row(name, field, under) for name, field in _fields(model) if only is None or name in only]
    lines = [_COLUMNS, tuple("---" for _ in _COLUMNS), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _row(name: str, field: FieldInfo, under: str = "") -> tuple[str, ...]:
    section = _model(field)
    if section is not None:
        needs = any(key.is_required() for _, key in _fields(section))
        default = "required" if needs else "required; `{}` takes the defaults"
        default = default if field.is_required() else "may be left out"
        anchor = f"{name}-of-{under}" if under else name
        return (f"`{name}`", "section", default, "", _cell(f"{_sentence(section)} [Fields](#{anchor})"))
    kind = _without_none(field.annotation)
    return (f"`{name}`", _type(kind), _default(field), _cell(_allowed(kind, field)), _cell(field.description or ""))


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        kept = [choice for choice in get_args(kind) if choice is not type(None)]
        return kept[0] if len(kept) == 1 else kind
    return kind


def _type(kind: Any) -> str:
    if get_origin(kind) in (tuple, dict):
        return "list" if get_origin(kind) is tuple else "mapping"
    if get_origin(kind) is Literal:
        return "word"
    return _NAMES[kind]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(_entry, value))}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == {}:
        return "`{}`"
    return '`""`' if value == "" else f"`{value}`"


def _entry(value: Any) -> str:
    """An entry of a list as it would be written; of a section the keys that differ from their defaults."""
    if not isinstance(value, BaseModel):
        return str(value)
    return f"{{{', '.join(f'{key}: {given}' for key, given in value.model_dump(exclude_defaults=True).items())}}}"


def _allowed(kind: Any, field: FieldInfo) -> str:
    bounds = [
        f"{sign} {bound:g}" if isinstance(bound, float) else f"{sign} {bound:,}"
        for item in field.metadata
        for key, sign in _BOUNDS
        if (bound := getattr(item, key, None)) is not None
    ]
    least = [f"at least {item.min_length}" for item in field.metadata if getattr(item, "min_length", None)]
    return ", ".join([*_words(kind), *bounds, *least])


def _words(kind: Any) -> list[str]:
    """The words that a choice, or a list of choices, may hold."""
    if get_origin(kind) is tuple:
        return _words(get_args(kind)[0])
    return [f"`{word}`" for word in get_args(kind)] if get_origin(kind) is Literal else []


def _cell(text: str) -> str:
    """Text that neither ends the cell nor reads as an HTML tag; code spans are left as they are."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if at % 2 else re.sub(r"<(?=\w)", "&lt;", part) for at, part in enumerate(parts))


def main() -> None:
    """Renew the page and say so."""
    PAGE.write_text(reference(), encoding="utf-8", newline="\n")
    print("models/README.md  written")


if __name__ == "__main__":
    main()
