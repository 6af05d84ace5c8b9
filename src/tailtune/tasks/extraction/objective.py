"""The objective of extraction: a tag for each word and a class for each field that is read from the whole text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from tailtune.core.errors import TrainingError
from tailtune.core.records import Row, Span
from tailtune.predictors.fine_tuned import HEAD
from tailtune.tasks.extraction.annotations import Annotation, canonical
from tailtune.tasks.extraction.fine_tune import CALIBRATION, SCHEMA
from tailtune.tasks.extraction.heads import Packed, Scores, empty_heads, extra_of, loss, pack, score, start_biases
from tailtune.tasks.extraction.layout import NOWHERE, Layout, Tagged, TextScores, batches
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.tag_reading import Calibration, best_tags, read
from tailtune.tasks.extraction.windows import KINDS, Windowed, Windows
from tailtune.training.calibrate import fit_power, fit_temperature
from tailtune.training.loop import micro_batches
from tailtune.training.model import AdaptedEncoder
from tailtune.training.objective import DevScore, FitJob, Goal, Objective, Visit

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
    hits, size = 2 * counts[:, 0], counts[:, 1] + counts[:, 2]
    total = max(1.0, float(size.sum()))
    quality = float(hits.sum()) / total
    return quality, float(np.sqrt(np.square(hits - quality * size).sum())) / total


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
        present = {span.label for span in expected}
        seen[True] += [(candidate.confidence, candidate.span in expected) for candidate in reading.found]
        seen[False] += [(sure, name not in present) for name, sure in reading.absent.items()]
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
    marked = {span for span in row.label.spans if span.label in layout.tags.names}
    return (
        len(given & expected) + len(spans & marked),
        len(given) + len(spans),
        len(expected) + len(marked),
    )


def _chosen(layout: Layout, row: DevRow) -> list[tuple[str, str | bool | None]]:
    return [
        (name, values[int(logits.argmax())])
        for name, values, logits in zip(layout.fields, layout.classes, row.scores.classes, strict=True)
    ]


HEAD_DROPOUT = 0.1


@dataclass(frozen=True)
class Fields(Goal):
    """One per job that reads fields. A label is an annotation.

    Attributes:
        schema: What is read.
        writing: Whether the encoder is told how each word is written (capitals, digits).
    """

    metric = "field_f1"

    schema: ObjectSchema
    writing: bool = True

    def allowed(self) -> Sequence[str]:
        """The schema, and whether writing is seen."""
        return canonical(dict(self.schema.document)), str(self.writing)

    def begin(self, job: FitJob, model: AdaptedEncoder) -> FieldObjective:
        """Check that there is something to learn; see `Goal`."""
        faults = self.row_faults()
        if not self.schema.fields:
            faults.append("schema: no fields, expected at least one")
        if faults:
            raise TrainingError("\n".join(faults))
        return FieldObjective(self, job, model)


@dataclass(frozen=True)
class _Targets:
    """One per row: the tag of each word, and the class of each classified field."""

    tagged: Tagged
    classes: list[int]

    @property
    def tags(self) -> Tensor:
        """(words,) int64."""
        return torch.from_numpy(self.tagged.tags)


class FieldObjective(Objective):
    """Rows as windows, and the heads (heads.py).

    Attributes:
        widened: Train spans that begin or end inside a word, learnt as the whole word.
        lost: Train spans under which no word is free, not learnt.
    """

    def __init__(self, goal: Fields, job: FitJob, model: AdaptedEncoder) -> None:
        """Tokenise and tag; the heads start as zeros."""
        self._schema, self._layout = goal.schema, Layout.of(goal.schema)
        self._token_dropout = job.token_dropout
        self._windows = Windows(job.encoder, min(job.max_tokens, model.max_positions))
        self._rows, self._dev = self._windows(goal.texts), self._windows(goal.dev_texts)
        self._targets = [self._target(*labelled) for labelled in zip(self._rows, goal.labels, strict=True)]
        self._dev_targets = [self._target(*labelled) for labelled in zip(self._dev, goal.dev_labels, strict=True)]
        self._dev_labels = goal.dev_labels
        self.widened = sum(target.tagged.widened for target in self._targets)
        self.lost = sum(target.tagged.lost for target in self._targets)
        self.lengths = [row.tokens for row in self._rows]
        self._mean_words = max(1.0, float(np.mean([len(row.starts) for row in self._rows])))
        self.heads = empty_heads(self._layout, model.width, KINDS if goal.writing else 0, model.device)
        self.calibration = Calibration()

    def start(self, model: AdaptedEncoder) -> None:
        """Let the biases say how frequent each tag and each class is."""
        targets = self._targets
        start_biases(self.heads, self._layout, [row.tags for row in targets], [row.classes for row in targets])

    def losses(self, model: AdaptedEncoder, batch: Sequence[int], visit: Visit) -> Iterator[Tensor]:
        """Cross-entropy of tags and classes; some tokens are hidden behind `[MASK]`, so that the tags stay in place."""
        random = np.random.default_rng([visit.seed, visit.epoch, visit.batch])
        for rows in micro_batches(batch, self.lengths):
            packed = pack([self._rows[row] for row in rows])
            self._hide(packed.ids, random)
            scores = self._scores(model, packed, training=True)
            yield self._loss(scores, [self._targets[row] for row in rows])

    def score(self, model: AdaptedEncoder) -> DevScore:
        """The loss, and micro F1 over spans (start, end and field equal) and chosen values, null values aside."""
        total, rows = self._over_dev(model)
        quality, error = dev_score(self._layout, rows)
        return DevScore(total / len(rows), quality, error)

    def calibrate(self, model: AdaptedEncoder) -> None:
        """Fit temperatures, then the powers of fields' confidences."""
        self.calibration = calibrated(self._layout, self._over_dev(model)[1])
        self.temperature = self.calibration.tags

    def write(self, folder: Path) -> Mapping[str, object]:
        """Write `head.safetensors` and `schema.json`."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.heads.items()}
        save_file(tensors, folder / HEAD)
        document = json.dumps(dict(self._schema.document), indent=1, ensure_ascii=False)
        (folder / SCHEMA).write_text(document + "\n", encoding="utf-8")
        return {
            "max_tokens": self._windows.max_tokens,
            CALIBRATION: asdict(self.calibration),
            "train_spans": {"widened": self.widened, "lost": self.lost},
        }

    def _target(self, words: Windowed, label: Annotation) -> _Targets:
        return _Targets(self._layout.tags.tag(words, label.spans), self._layout.targets(label.values))

    def _hide(self, ids: Tensor, random: np.random.Generator) -> None:
        if self._token_dropout == 0:
            return
        hidden = torch.from_numpy(random.random(tuple(ids.shape)) < self._token_dropout)
        for special in self._windows.special_ids:
            hidden &= ids != special
        ids[hidden] = self._windows.mask_id  # padding too: nobody looks at it

    def _scores(self, model: AdaptedEncoder, packed: Packed, *, training: bool = False) -> Scores:
        hidden = model.hidden(packed.ids, packed.mask, extra_of(self.heads, packed), training=training)
        states = functional.dropout(packed.states(hidden), HEAD_DROPOUT, training)
        return score(self.heads, self._layout, states, packed.present)

    def _loss(self, scores: Scores, targets: Sequence[_Targets]) -> Tensor:
        device = self.heads[next(iter(self.heads))].device
        tags = torch.nn.utils.rnn.pad_sequence(
            [target.tags for target in targets], batch_first=True, padding_value=NOWHERE
        )
        classes = torch.tensor([target.classes for target in targets], dtype=torch.long)
        return loss(scores, tags.to(device), classes.to(device), self._mean_words)

    def _over_dev(self, model: AdaptedEncoder) -> tuple[float, list[DevRow]]:
        """The summed loss, and each dev row with its scores."""
        total, found = 0.0, {}
        with torch.no_grad():
            for rows in batches(self._dev):
                packed = pack([self._dev[row] for row in rows])
                scores = self._scores(model, packed)
                total += float(self._loss(scores, [self._dev_targets[row] for row in rows]))
                for row, text_scores in zip(rows, scores.of_texts([self._dev[row] for row in rows]), strict=True):
                    target = self._dev_targets[row]
                    found[row] = DevRow(self._dev_labels[row], text_scores, target.tags, target.classes)
        return total, [found[row] for row in range(len(self._dev))]


def fields_of(schema: ObjectSchema, train: Sequence[Row[Annotation]], dev: Sequence[Row[Annotation]]) -> Fields:
    """The goal of an extraction use case with this schema."""
    return Fields(
        texts=[row.text for row in train],
        labels=[row.label for row in train],
        dev_texts=[row.text for row in dev],
        dev_labels=[row.label for row in dev],
        schema=schema,
    )
