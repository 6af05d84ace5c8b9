"""What dev rows say of an extractor while it is trained: a cheap quality, and the calibration of its confidences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tailtune.core.records import Span
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.decode import best_tags
from tailtune.tasks.extraction.heads import NOWHERE, Layout, TextScores
from tailtune.tasks.extraction.tag_reading import Calibration, read
from tailtune.training.calibrate import fit_power, fit_temperature

_MOST_WORDS = 200_000  # a temperature is one number; more words change its third digit


@dataclass(frozen=True, slots=True)
class DevRow:
    """One per dev row: what is expected, and what the heads say.

    Attributes:
        label: What is expected.
        scores: What the heads say.
        tag_targets: (words,) int64.
        class_targets: Of each classified field.
    """

    label: Annotation
    scores: TextScores
    tag_targets: Tensor
    class_targets: Sequence[int]


def dev_score(layout: Layout, rows: Sequence[DevRow]) -> tuple[float, float]:
    """Micro F1 over spans (start, end and field equal) and chosen values, with its standard error over rows.

    Values are not normalised here: that takes longer than a pass over dev, and says the same of two epochs.

    Args:
        layout: What scores mean.
        rows: At least one.
    """
    counts = np.array([_counts(layout, row) for row in rows], dtype=np.float64)
    hits, said = 2 * counts[:, 0], counts[:, 1] + counts[:, 2]
    total = max(1.0, float(said.sum()))
    quality = float(hits.sum()) / total
    return quality, float(np.sqrt(np.square(hits - quality * said).sum())) / total


def calibrated(layout: Layout, rows: Sequence[DevRow]) -> Calibration:
    """Fit temperatures of tags and of each classified field, then the powers of what was found and what was not."""
    tags = 1.0
    if layout.tags.names:
        logits = torch.cat([torch.from_numpy(row.scores.tags) for row in rows if row.scores.tags is not None])
        targets = torch.cat([row.tag_targets for row in rows])
        tags = fit_temperature(logits[:_MOST_WORDS], targets[:_MOST_WORDS])
    classes = []
    for at in range(len(layout.fields)):
        known = [row for row in rows if row.class_targets[at] != NOWHERE]
        logits = torch.from_numpy(np.array([row.scores.classes[at] for row in known]))
        classes.append(fit_temperature(logits, torch.tensor([row.class_targets[at] for row in known])))
    first = Calibration(tags, tuple(classes))
    given, absent = _powers(layout, rows, first)
    return Calibration(tags, tuple(classes), given, absent)


def _powers(layout: Layout, rows: Sequence[DevRow], calibration: Calibration) -> tuple[float, float]:
    """Of spans that were found, and of fields that were not, by how often dev finds them right."""
    seen: dict[bool, list[tuple[float, bool]]] = {True: [], False: []}
    for row in rows:
        reading = read(layout, row.scores, calibration)
        expected = set(row.label.spans)
        said = {span.label for span in expected}
        seen[True] += [(one.confidence, one.span in expected) for one in reading.found]
        seen[False] += [(sure, name not in said) for name, sure in reading.absent.items()]
    given, absent = (
        fit_power(np.array([sure for sure, _ in seen[some]]), np.array([right for _, right in seen[some]]))
        for some in (True, False)
    )
    return given, absent


def _counts(layout: Layout, row: DevRow) -> tuple[int, int, int]:
    """Values that are right, that are given, that are expected; null is no value."""
    given = {(name, value) for name, value in _chosen(layout, row) if value is not None}
    values = row.label.values
    expected = {(name, values[name]) for name in layout.fields if values.get(name) is not None}
    spans: set[Span] = set()
    if row.scores.tags is not None and len(row.scores.tags):
        spans = {span for span, _, _ in layout.tags.spans(row.scores.words, best_tags(row.scores.tags).tolist())}
    wanted = {span for span in row.label.spans if span.label in layout.tags.names}
    return len(given & expected) + len(spans & wanted), len(given) + len(spans), len(expected) + len(wanted)


def _chosen(layout: Layout, row: DevRow) -> list[tuple[str, str | bool | None]]:
    return [
        (name, values[int(logits.argmax())])
        for name, values, logits in zip(layout.fields, layout.classes, row.scores.classes, strict=True)
    ]
