from pathlib import Path

import numpy as np
import pytest
import torch
from training.jobs import SCHEMA

from tailtune.core.records import Span
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.layout import Layout, TextScores
from tailtune.tasks.extraction.objective import DevRow, calibrated, dev_score
from tailtune.tasks.extraction.windows import Windows

LAYOUT = Layout.of(SCHEMA)
TEXT = "Ann paid 5 for bike"
NAME, AMOUNT, ITEM = Span(0, 3, "name"), Span(9, 10, "amount"), Span(15, 19, "items")
TAGS = {NAME: (0, 1), AMOUNT: (2, 3), ITEM: (4, 5)}


def row(
    encoder: Path, written: list[Span], peril: str | None, police: bool, label: Annotation, height: float = 4
) -> DevRow:
    """What the heads say of `TEXT`, with a margin of `height`."""
    words = Windows(encoder, 32)([TEXT])[0]
    tags = np.zeros((5, 7), dtype=np.float32)
    picked = dict(TAGS[span] for span in written)
    for at in range(5):
        tags[at, picked.get(at, 0)] = height
    classes = (
        height * np.eye(3, dtype=np.float32)[LAYOUT.classes[0].index(peril)],
        height * np.eye(2, dtype=np.float32)[int(police)],
    )
    targets = torch.from_numpy(LAYOUT.tags.tag(words, label.spans).tags)
    return DevRow(label, TextScores(words, tags, classes), targets, LAYOUT.targets(label.values))


GOLD = Annotation({"peril": "fire", "police": True}, (NAME, ITEM))


def test_quality_is_micro_f1_over_spans_and_choices(tiny_encoder: Path) -> None:
    rows = [
        row(tiny_encoder, [NAME, ITEM], "fire", True, GOLD),  # 4 right of 4 given, 4 expected
        row(tiny_encoder, [NAME, AMOUNT], None, False, GOLD),  # 1 right of 3 given, 4 expected
    ]
    quality, error = dev_score(LAYOUT, rows)
    assert quality == pytest.approx(2 * 5 / (7 + 8))
    residuals = [8 - quality * 8, 2 - quality * 7]
    assert error == pytest.approx(np.hypot(*residuals) / 15)


def test_nothing_given_and_nothing_expected_is_no_quality(tiny_encoder: Path) -> None:
    empty = Annotation({}, ())
    words = Windows(tiny_encoder, 32)([""])[0]
    classes = (np.eye(3, dtype=np.float32)[2],)
    layout = Layout(LAYOUT.tags, LAYOUT.fields[:1], LAYOUT.classes[:1])
    bare = DevRow(empty, TextScores(words, np.zeros((0, 7), dtype=np.float32), classes), torch.empty(0).long(), [2])
    assert dev_score(layout, [bare]) == (0.0, 0.0)


def test_calibration_follows_how_often_dev_is_right(tiny_encoder: Path) -> None:
    right = [row(tiny_encoder, [NAME, ITEM], "fire", True, GOLD)] * 40
    wrong = [row(tiny_encoder, [NAME, AMOUNT], "water", False, GOLD)] * 40
    sure, unsure = calibrated(LAYOUT, right), calibrated(LAYOUT, right + wrong)
    assert sure.tags < 1 < unsure.tags
    assert all(one < 1 < other for one, other in zip(sure.classes, unsure.classes, strict=True))
    assert len(sure.classes) == 2
