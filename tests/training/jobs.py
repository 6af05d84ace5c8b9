"""Toy jobs, learned in a second: three classes told apart by their words; claims with a few fields."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tailtune.core.records import Span
from tailtune.tasks.classification.objective import Classes
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.objective import Fields
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.training.objective import FitJob

_WORDS = (
    ("card", "pin", "chip", "plastic"),
    ("refund", "charged", "money", "fee"),
    ("login", "password", "app", "code"),
)
LABELS = ("card", "money", "access")


def rows(n: int, seed: int) -> tuple[list[str], list[int]]:
    """Texts of two to nine words, most of them their class's own."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n).tolist()
    fillers = ("the", "my", "please", "now", "again")
    texts = [
        " ".join([*random.choice(_WORDS[label], 2), *random.choice(fillers, random.integers(0, 8))]) for label in labels
    ]
    return texts, labels


def toy_classes(**changes: Any) -> Classes:
    """48 train rows, 24 dev rows."""
    texts, labels = rows(48, seed=1)
    dev_texts, dev_labels = rows(24, seed=2)
    return replace(Classes(texts, labels, dev_texts, dev_labels, LABELS), **changes)


def toy_job(encoder: Path, checkpoints: Path, **changes: Any) -> FitJob:
    """The toy classes in batches of 8, 3 epochs."""
    job = FitJob(
        goal=toy_classes(),
        encoder=encoder,
        checkpoint_dir=checkpoints,
        rank=4,
        alpha=8,
        learning_rate=5e-3,
        head_learning_rate=5e-2,
        epochs=3,
        patience=3,
        batch_rows=8,
        max_tokens=32,
        checkpoint_s=1e9,
    )
    return replace(job, **changes)


SCHEMA = schema_from(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "amount", "items", "peril", "police"],
        "properties": {
            "name": {"type": ["string", "null"]},
            "amount": {"type": ["integer", "null"]},
            "items": {"type": "array", "items": {"type": "string"}},
            "peril": {"enum": ["fire", "water", None]},
            "police": {"type": "boolean"},
        },
    }
)
_NAMES = ("Ann Lee", "Bob", "Zoë O'Hara", "Max Power")
_ITEMS = ("bike", "sofa", "old lamp")
_PERILS = {"fire": "flames and smoke", "water": "a burst pipe", None: "something"}


def claims(n: int, seed: int) -> tuple[list[str], list[Annotation]]:
    """Texts of ten to twenty words with a name, an amount, two items; half of them have each."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(n):
        text, spans, values = "", [], {}
        peril = list(_PERILS)[random.integers(0, 3)]
        police = bool(random.random() < 0.5)
        values["peril"], values["police"] = peril, police
        for lead, field, value in (
            ("reported by", "name", random.choice(_NAMES)),
            ("for $", "amount", str(random.integers(10, 9999))),
            ("broken:", "items", random.choice(_ITEMS)),
            ("broken:", "items", random.choice(_ITEMS)),
        ):
            if random.random() < 0.5:
                continue
            text += f" {lead} "
            spans.append(Span(len(text), len(text) + len(value), field))
            text += str(value)
            if field == "items":
                values.setdefault("items", []).append(str(value))
            else:
                values[field] = int(value) if field == "amount" else str(value)
        text += f" due to {_PERILS[peril]}, {'police came' if police else 'nobody came'}"
        texts.append(text)
        labels.append(Annotation({name: value for name, value in values.items() if value is not None}, tuple(spans)))
    return texts, labels


def toy_fields(**changes: Any) -> Fields:
    """48 train rows, 24 dev rows."""
    texts, labels = claims(48, seed=1)
    dev_texts, dev_labels = claims(24, seed=2)
    return replace(Fields(texts, labels, dev_texts, dev_labels, SCHEMA), **changes)
