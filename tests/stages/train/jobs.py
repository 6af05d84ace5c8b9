"""Toy jobs: three classes told apart by their words, learned in a second."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tailtune.stages.train.job import FitJob

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


def toy_job(encoder: Path, checkpoints: Path, **changes: Any) -> FitJob:
    """48 train rows in batches of 8, 24 dev rows, 3 epochs."""
    texts, labels = rows(48, seed=1)
    dev_texts, dev_labels = rows(24, seed=2)
    job = FitJob(
        texts=texts,
        labels=labels,
        dev_texts=dev_texts,
        dev_labels=dev_labels,
        n_classes=3,
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
