"""What a stage refuses before it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tailtune.core.errors import MissingInputError
from tailtune.core.records import SPLITS, Row
from tailtune.lifecycle import guards
from tailtune.services import store

from .helpers import LABELS, NAME, project

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}
DATA = {"file": "r.jsonl", "fields": "fields"}


@pytest.mark.parametrize("stage", ["ladder", "prompt", "diagnose", "train", "export", "evaluate", "register"])
@pytest.mark.parametrize(
    ("declared", "label", "what"),
    [
        ({"labels": LABELS[:2]}, "refund", "labels.yaml: curated rows have the label refund, which it does not"),
        (
            {"schema": SCHEMA, "data": DATA},
            '{"values":{"city":"Ulm"},"spans":[]}',
            "schema.json: curated rows have the field city, which it does not",
        ),
    ],
)
def test_rows_with_labels_that_are_gone_are_curated_again(
    declared: dict[str, Any], label: str, what: str, stage: str, tmp_path: Path
) -> None:
    context = replace(project(tmp_path, {"r.jsonl": b""}, **declared), stage=stage)
    for split in SPLITS:
        store.write_rows(context.paths.rows(split), [[Row("a", "a text from Ulm", label, "r.jsonl:1", split)]])
    with pytest.raises(MissingInputError, match=what) as raised:
        guards.check(context)
    assert raised.value.hint == f"tailtune run {NAME}"
