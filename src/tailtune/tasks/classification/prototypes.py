"""A handful of labels per class: the mean of a few embedded examples."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from tailtune.core.records import Row
from tailtune.tasks.classification.rungs import ClassifyContext, label_index
from tailtune.tasks.classification.similarity import NearestVector, unit


class Prototypes(NearestVector):
    """Nearest class mean over `shots` examples per class (Snell et al. 2017, on frozen embeddings)."""

    @classmethod
    def fit(cls, context: ClassifyContext) -> Prototypes:
        """Average the chosen examples of each class; a class without rows keeps a zero vector."""
        rows = few_per_class(list(context.rows), context.shots)
        labels = tuple(context.labels)
        sums = np.zeros((len(labels), 384), dtype=np.float32)
        np.add.at(sums, label_index(labels, rows), context.embed([row.text for row in rows]))
        return cls(labels, unit(sums), len(rows), context.embed)


def few_per_class(rows: list[Row], shots: int) -> list[Row]:
    """Up to `shots` rows of each label, chosen by id: stable when other rows come and go."""
    by_label: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.id):
        if len(by_label[row.label]) < shots:
            by_label[row.label].append(row)
    return [row for chosen in by_label.values() for row in chosen]
