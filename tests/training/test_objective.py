"""Each task turns labelled rows into something to learn."""

from __future__ import annotations

from tailtune.core.records import Row
from tailtune.tasks.classification.config import LabelSet
from tailtune.tasks.classification.objective import Classes, classes_of
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.config import ExtractionTargets
from tailtune.tasks.extraction.objective import Fields, fields_of
from training.jobs import LABELS, SCHEMA, claims


def row(text: str, label: str) -> Row:
    return Row(text, text, label, "rows.jsonl:1")


def test_classes_are_numbered_in_the_order_of_the_label_set() -> None:
    answers = LabelSet(dict.fromkeys(LABELS, ""))
    goal = classes_of(answers.names, [row("a", "access"), row("b", "card")], [row("c", "money")])
    assert goal == Classes(["a", "b"], [2, 0], ["c"], [1], LABELS)
    assert goal.metric == "accuracy"


def test_annotations_are_read_from_labels() -> None:
    texts, labels = claims(3, seed=5)
    rows = [row(text, label) for text, label in zip(texts, labels, strict=True)]
    goal = fields_of(SCHEMA, rows[:2], rows[2:])
    assert isinstance(goal, Fields)
    assert list(goal.texts) == texts[:2] and list(goal.labels) == labels[:2] and list(goal.dev_labels) == labels[2:]
    assert all(isinstance(label, Annotation) for label in goal.labels)
    assert goal.metric == ExtractionTargets.METRIC


def test_whatever_decides_the_result_is_part_of_the_digest() -> None:
    texts, labels = claims(2, seed=5)
    plain = Fields(texts, labels, texts, labels, SCHEMA)
    others = [
        Fields(texts[::-1], labels, texts, labels, SCHEMA),
        Fields(texts, labels[::-1], texts, labels, SCHEMA),
        Fields(texts, labels, texts[:1], labels[:1], SCHEMA),
        Fields(texts, labels, texts, labels, SCHEMA, writing=False),
    ]
    digests = {"".join(goal.parts()) for goal in (plain, *others)}
    assert len(digests) == 5
    numbered = [Classes(["a"], [0], ["b"], [1], ("x", "y")), Classes(["a"], [0], ["b"], [1], ("x", "z"))]
    numbered.append(Classes(["a", "0"], [], ["b"], [1], ("x", "y")))
    assert len({"".join(goal.parts()) for goal in numbered}) == 3
