"""Texts of BANKING77 and SNIPS as a served model sees them, for `drift.py`: encoded and answered once."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tailtune.core.monitored import STRANGENESS, Sample
from tailtune.judge.drift import strangeness
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.novelty import Novelty
from tailtune.predictors.passes import recorded
from tailtune.predictors.reading import encoder_path
from tailtune.services.languages import language
from tailtune.tasks.classification.linear import fit_linear

HELD_OUT = 10
"""Intents that neither the model nor the reference knows."""
TRAIN_ROWS, CALIBRATION_ROWS, SNIPS_ROWS = 3_000, 600, 2_000
_SEED, _FORMAT = 77, 3
_STRENGTH = 20.0
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Pools:
    """All rows, column by column, and which of them are what: places in the columns.

    Attributes:
        texts: (n,).
        answers: The model's, (n,).
        languages: (n,).
        numbers: Measure → (n,).
        embeddings: (n, 384).
        intents: True intent; of SNIPS "snips", (n,).
        known: Rows of intents that the model knows, and that it did not learn from.
        typed: For each of `known`, the same text with typing mistakes.
        unseen: Rows of the intents held out.
        foreign: Rows of SNIPS.
        accuracy: Share of `known` that the model answers right.
    """

    texts: NDArray[np.object_]
    answers: NDArray[np.object_]
    languages: NDArray[np.object_]
    numbers: dict[str, NDArray[np.float64]]
    embeddings: NDArray[np.float32]
    intents: NDArray[np.object_]
    known: NDArray[np.int64]
    typed: NDArray[np.int64]
    unseen: NDArray[np.int64]
    foreign: NDArray[np.int64]
    accuracy: float

    def sample(self, places: NDArray[np.int64]) -> Sample:
        """These rows, as the monitor sees them."""
        return Sample(
            places.size,
            {measure: values[places] for measure, values in self.numbers.items()},
            {"answer": self.answers[places].tolist(), "language": self.languages[places].tolist()},
            self.embeddings[places],
        )


def load(banking77: Path, snips: Path, cache: Path) -> Pools:
    """Read, encode and answer; what was encoded before is read from `cache`."""
    random = np.random.default_rng(_SEED)
    rows = [row for name in ("train.csv", "test.csv") for row in _csv(banking77 / name)]
    rows = list(dict.fromkeys(rows))
    intents = sorted({intent for _, intent in rows})
    held_out = set(random.choice(intents, HELD_OUT, replace=False).tolist())
    order = random.permutation(len(rows))
    rows = [rows[place] for place in order]
    unseen = [text for text, intent in rows if intent in held_out]
    rows = [row for row in rows if row[1] not in held_out]
    train, calibration = rows[:TRAIN_ROWS], rows[TRAIN_ROWS : TRAIN_ROWS + CALIBRATION_ROWS]
    known = rows[TRAIN_ROWS + CALIBRATION_ROWS :]
    lines = (snips / "train.jsonl").read_text(encoding="utf-8").splitlines()
    foreign = [json.loads(lines[place])["text"] for place in random.permutation(len(lines))[:SNIPS_ROWS]]
    texts = [text for text, _ in known]
    texts += [mistyped(text, random) for text, _ in known]
    texts += [*unseen, *foreign]
    everything = [*(text for text, _ in (*train, *calibration)), *texts]
    encoded, unknown, tokens, languages = _encoded(everything, cache)
    fitted = len(train) + len(calibration)
    labels = sorted({intent for _, intent in train})
    place = {label: number for number, label in enumerate(labels)}
    targets = np.array([place[intent] for _, intent in train])
    weights, intercepts = fit_linear(encoded[: len(train)], targets, len(labels), _STRENGTH)
    logits = encoded @ weights.T + intercepts
    temperature = _temperature(logits[len(train) : fitted], np.array([place[intent] for _, intent in calibration]))
    shares = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    shares /= shares.sum(axis=1, keepdims=True)
    novelty = Novelty.fit(encoded[: len(train)])
    answers = np.array(labels, dtype=object)[shares.argmax(axis=1)][fitted:]
    true = np.array(
        [intent for _, intent in known] * 2 + ["unseen"] * len(unseen) + ["snips"] * len(foreign), dtype=object
    )
    numbers = {
        "confidence": shares.max(axis=1)[fitted:].astype(np.float64),
        "novelty": np.array([novelty.score(vector) for vector in encoded[fitted:]]),
        "length": np.array([float(len(text)) for text in texts]),
        "tokens": tokens[fitted:],
        "unknown_share": unknown[fitted:],
    }
    numbers[STRANGENESS] = strangeness(numbers["novelty"], numbers["confidence"])
    ends = np.cumsum([len(known), len(known), len(unseen), len(foreign)])
    first, second, third, last = (
        np.arange(start, end, dtype=np.int64) for start, end in zip([0, *ends[:-1]], ends, strict=True)
    )
    right = float((answers[first] == true[first]).mean())
    as_texts = np.array(texts, dtype=object)
    vectors, names = encoded[fitted:], languages[fitted:]
    return Pools(as_texts, answers, names, numbers, vectors, true, first, second, third, last, right)


def mistyped(text: str, random: np.random.Generator) -> str:
    """The text with two slips of the fingers: letters swapped, left out, doubled or struck beside."""
    letters = list(text)
    for _ in range(2):
        places = [
            place for place in range(len(letters) - 1) if letters[place].isalpha() and letters[place + 1].isalpha()
        ]
        if not places:
            break
        at, kind = int(random.choice(places)), int(random.integers(4))
        if kind == 0:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
        elif kind == 1:
            del letters[at]
        else:
            letters.insert(at, letters[at] if kind == 2 else _LETTERS[int(random.integers(26))])
    return "".join(letters)


def _csv(file: Path) -> list[tuple[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return [(row["text"], row["category"]) for row in csv.DictReader(stream)]


def _encoded(texts: Sequence[str], cache: Path) -> tuple[Any, ...]:
    """Vectors, shares of tokens that the encoder does not know, numbers of tokens, and languages."""
    digest = hashlib.sha256("\x1f".join((str(_FORMAT), *texts)).encode()).hexdigest()[:16]
    file = cache / f"{digest}.npz"
    if not file.is_file():
        print(f"encoding {len(texts):,} texts, kept in {file}", flush=True)
        with recorded() as passes:
            vectors = Encoder.load().embed(texts)
        foreign = Tokenizer.from_file(str(encoder_path() / "tokenizer.json")).token_to_id("[UNK]")
        unknown = [sum(each == foreign for each in ids) / len(ids) for ids in passes.ids]
        names, part = np.array([language(text) for text in texts]), file.with_suffix(".part.npz")
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(part, vectors=vectors, unknown=unknown, tokens=[len(ids) for ids in passes.ids], languages=names)
        part.replace(file)
    kept = np.load(file)
    return (
        kept["vectors"],
        kept["unknown"].astype(np.float64),
        kept["tokens"].astype(np.float64),
        kept["languages"].astype(object),
    )


def _temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Of least cross-entropy, over a fine grid."""

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        top = scaled.max(axis=1)
        return float(
            (top + np.log(np.exp(scaled - top[:, None]).sum(axis=1)) - scaled[np.arange(labels.size), labels]).mean()
        )

    return float(min(np.geomspace(0.2, 5, 101), key=loss))
