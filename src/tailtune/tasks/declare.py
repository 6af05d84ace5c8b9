"""What `tailtune new` writes for a use case: its model.yaml, and the file of allowed answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUseCase:
    """One per `tailtune new`: its options. A column is None when its option was not used.

    Attributes:
        source: File with labelled rows.
        test: File with test rows; None splits them off.
        test_name: What the test file is called among the data; it may share the source's name.
        schema: File with the schema of the objects.
    """

    name: str
    source: Path
    test: Path | None = None
    test_name: str | None = None
    text: str = "text"
    label: str | None = None
    group: str | None = None
    entities: str | None = None
    fields: str | None = None
    intent: str | None = None
    schema: Path | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """One per new use case: the texts of its files, and notes for the terminal.

    Attributes:
        model_yaml: The spec.
        answers: The file of allowed answers.
        rows: Labelled rows of all files.
        names: Labels or fields.
        notes: Lines for the person who called.
    """

    model_yaml: str
    answers: str
    rows: int
    names: int
    notes: Sequence[str] = ()


def model_yaml(
    new: NewUseCase, task: str, data: Mapping[str, str | None], sections: Mapping[str, Sequence[str]]
) -> str:
    """The text of a model.yaml.

    Args:
        new: The options of `tailtune new`.
        task: The task's name.
        data: Keys of the section `data` besides files, text and group; None leaves one out.
        sections: Section → its lines, in order; one without lines takes the defaults.
    """
    files = {"file": new.source.name, "test_file": new.test_name, "text": new.text, **data}
    files["group"] = new.group
    lines = [f"  {key}: {quoted(value)}" for key, value in files.items() if value is not None]
    head = [
        f"# What the use case is, declared. Fields: models/README.md. Check: tailtune check {new.name}",
        f"task: {task}",
        'description: ""',
        "",
        "data:",
        *lines,
    ]
    body = []
    for section, entries in sections.items():
        body += ["", f"{section}:" if entries else f"{section}: {{}}", *(f"  {line}" for line in entries)]
    return "\n".join([*head, *body]) + "\n"


def words(name: str) -> str:
    """A code name as words."""
    return re.sub(r"[_\-\s]+", " ", name).strip()


def quoted(text: str) -> str:
    """As a YAML scalar; quoted whenever YAML could read it as something else."""
    if re.fullmatch(r"[A-Za-z][A-Za-z _]*[A-Za-z]", text) and text.lower() not in {
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
    }:
        return text
    # JSON's escapes are YAML's; the rest are line breaks and control characters that only YAML knows.
    json_text = json.dumps(text, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", json_text)
