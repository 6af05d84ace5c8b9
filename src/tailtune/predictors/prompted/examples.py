"""Which labelled rows a prompt shows: none, some chosen once, or the nearest to each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from tailtune.core.records import Row
from tailtune.predictors.base import Embed, Floats, load_arrays, save_arrays
from tailtune.predictors.prompted.codec import Codec

_TWIN = 0.95  # cosine above which a second example of the same says little that is new


def most_covering(keys: Sequence[Sequence[str]], vectors: Floats, shots: int, seed: int) -> list[int]:
    """Choose rows one by one, each the one that shows most that was not shown yet.

    A key that was shown c times counts 0.5 to the power c. Ties go to rows whose keys are more frequent, then to the
    row nearest to the middle of its keys: a typical example, not an odd one. Near-duplicates of a chosen row come last.

    Args:
        keys: What each row shows; n rows.
        vectors: Their sentence vectors, shape (n, d), L2-normalised.
        shots: Rows to choose; fewer when there are fewer.
        seed: Of ties that are left.

    Returns:
        Places of the chosen rows, most telling first.

    Source: greedy maximum coverage (Nemhauser, Wolsey and Fisher 1978).
    """
    names = sorted({key for of_row in keys for key in of_row})
    if not names:
        return list(range(min(shots, len(keys))))
    place = {name: j for j, name in enumerate(names)}
    shows = np.zeros((len(keys), len(names)), dtype=np.float32)
    for i, of_row in enumerate(keys):
        shows[i, [place[key] for key in of_row]] = 1.0
    frequent, typical = _frequency(shows), _typicality(shows, vectors)
    lots = np.random.default_rng(seed).permutation(len(keys))
    counted, twin = np.zeros(len(names)), np.zeros(len(keys), dtype=np.bool_)
    left = np.ones(len(keys), dtype=np.bool_)
    chosen: list[int] = []
    for _ in range(min(shots, len(keys))):
        gain = np.round(shows @ 0.5**counted, 6)
        best = int(np.lexsort((lots, -typical, -frequent, -gain, twin, ~left))[0])
        chosen.append(best)
        left[best] = False
        counted += shows[best]
        twin |= vectors @ vectors[best] > _TWIN
    return chosen


def _frequency(shows: Floats) -> Floats:
    """Mean share of rows that have a row's keys, shape (n,)."""
    share = shows.mean(axis=0)
    result: Floats = np.round(shows @ share / np.maximum(shows.sum(axis=1), 1), 6)
    return result


def _typicality(shows: Floats, vectors: Floats) -> Floats:
    """Mean cosine of a row to the middles of its keys, shape (n,)."""
    middles = shows.T @ vectors
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-9)
    result: Floats = (shows * (vectors @ middles.T)).sum(axis=1) / np.maximum(shows.sum(axis=1), 1)
    return result


Choice = Literal["none", "coverage", "nearest"]
_MOST_FOUND = 10_000  # texts whose nearest rows are remembered


@dataclass(frozen=True, slots=True)
class Example:
    """One per row that a prompt shows.

    Attributes:
        text: What was asked.
        answer: As a reply should have it.
        label: The row's label, a value of its task.
    """

    text: str
    answer: str
    label: Any


class Examples(Protocol):
    """Chooses the examples of each text.

    Attributes:
        note: A remark for whoever reads its figures; mostly empty.
        fit_rows: Labelled rows that are needed to answer.
    """

    note: str
    fit_rows: int

    def near(self, texts: Sequence[str]) -> list[list[Example]]:
        """The examples of each text, in the order they are shown; the last one is the last to be dropped."""

    def save(self, folder: Path) -> None:
        """Write what is needed to choose again."""


def fit_examples(choice: Choice, rows: Sequence[Row], codec: Codec, embed: Embed, shots: int, seed: int) -> Examples:
    """Choose, or index, rows that prompts show.

    Args:
        choice: How.
        rows: Train rows.
        codec: Writes their labels as replies, and says what they cover.
        embed: The encoder.
        shots: Examples of a prompt.
        seed: Of ties.
    """
    if choice == "coverage":
        return Coverage.fit(rows, codec, embed, shots, seed)
    if choice == "nearest":
        return Nearest.fit(rows, codec, embed, shots)
    return NoExamples()


class NoExamples:
    """A prompt that shows none."""

    note, fit_rows = "", 0

    def near(self, texts: Sequence[str]) -> list[list[Example]]:
        """None for each text."""
        return [[] for _ in texts]

    def save(self, folder: Path) -> None:
        """Note that there is none."""
        _save(folder, "none", (), {}, self.note)


class Coverage:
    """The same examples for every text, chosen once so that they show as many labels or fields as they can.

    What is most frequent is covered first, and stands last: what stands last weighs most, and is dropped last.
    """

    def __init__(self, examples: Sequence[Example], note: str) -> None:
        self._examples, self.note = list(examples), note
        self.fit_rows = len(self._examples)

    @classmethod
    def fit(cls, rows: Sequence[Row], codec: Codec, embed: Embed, shots: int, seed: int) -> Coverage:
        """Choose examples, see `coverage.most_covering`."""
        ranked = sorted(rows, key=lambda row: row.id)
        keys = [codec.keys(row.label) for row in ranked]
        chosen = most_covering(keys, embed([row.text for row in ranked]), shots, seed)
        every = {key for of_row in keys for key in of_row}
        shown = {key for i in chosen for key in keys[i]}
        note = "" if shown == every else f"examples show {len(shown)} of {len(every)}, the most frequent first"
        return cls([_example(ranked[i], codec) for i in reversed(chosen)], note)

    def near(self, texts: Sequence[str]) -> list[list[Example]]:
        """All of them for each text."""
        return [list(self._examples) for _ in texts]

    def save(self, folder: Path) -> None:
        """Write the examples."""
        _save(folder, "coverage", self._examples, {}, self.note)


class Nearest:
    """The train rows nearest to a text by cosine similarity, the most similar last."""

    note = ""

    def __init__(self, examples: Sequence[Example], index: Floats, shots: int, embed: Embed) -> None:
        """Keep examples, one per row of `index` (n, 384)."""
        self._examples, self._index, self._embed = list(examples), index, embed
        self.fit_rows = len(self._examples)
        self._shots = min(shots, self.fit_rows)
        self._found: dict[str, list[int]] = {}

    @classmethod
    def fit(cls, rows: Sequence[Row], codec: Codec, embed: Embed, shots: int) -> Nearest:
        """Embed the rows."""
        return cls([_example(row, codec) for row in rows], embed([row.text for row in rows]), shots, embed)

    def near(self, texts: Sequence[str]) -> list[list[Example]]:
        """The nearest rows of each text; ties go to the row that was indexed first.

        Texts are encoded one by one: in a batch the last bits of a vector hang on the other texts, rows that are as
        near change places, and a prompt that differs is an answer that is paid again.
        """
        return [[self._examples[j] for j in self._nearest(text)] for text in texts]

    def _nearest(self, text: str) -> list[int]:
        """Places of the nearest rows; looked up once for the forecast, the prompt and the diagnosis of a text."""
        if text not in self._found:
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
            order = np.argsort(-(self._index @ self._embed([text])[0]), kind="stable")[: self._shots]
            self._found[text] = order[::-1].tolist()
        return self._found[text]

    def save(self, folder: Path) -> None:
        """Write examples, index and how many are shown."""
        _save(folder, "nearest", self._examples, {"index": self._index}, self.note, self._shots)


def chosen_by_text(folder: Path) -> bool:
    """Whether a saved rung's examples are the nearest ones of each text."""
    return bool(load_arrays(folder)[1]["choice"] == "nearest")


def load_examples(folder: Path, embed: Embed, codec: Codec) -> Examples:
    """Read what `save` wrote."""
    arrays, meta = load_arrays(folder)
    examples = [Example(text, answer, codec.parse_label(label)) for text, answer, label in meta["examples"]]
    if meta["choice"] == "nearest":
        return Nearest(examples, arrays["index"], meta["shots"], embed)
    return Coverage(examples, meta["note"]) if meta["choice"] == "coverage" else NoExamples()


def _example(row: Row, codec: Codec) -> Example:
    return Example(row.text, codec.shown(row.label), row.label)


def _save(
    folder: Path, choice: Choice, examples: Sequence[Example], arrays: dict[str, Any], note: str, shots: int = 0
) -> None:
    shown = [[example.text, example.answer, str(example.label)] for example in examples]
    save_arrays(folder, arrays, {"choice": choice, "examples": shown, "note": note, "shots": shots})
