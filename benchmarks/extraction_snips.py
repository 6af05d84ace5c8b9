"""Slots and intents of SNIPS (Coucke et al. 2018) with the embedded encoder: how near 22 million weights come.

Trained by the engine that `tailtune run` uses, on train.jsonl without the texts that stand in test.jsonl too; one row
in ten, by hash of its text, is dev, and dev alone chooses the epoch. A slot counts when start, end and label are right
(as conlleval counts); a sentence when its intent and all its slots are. BERT-base with a CRF is at 97.2 / 93.6.

    python benchmarks/extraction_snips.py --data FOLDER              # one training: a few minutes on 2 cores
    python benchmarks/extraction_snips.py --data FOLDER --ablations  # and one for each thing left out
    python benchmarks/extraction_snips.py --data FOLDER --rows 200 --epochs 1  # does it run at all?
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from tailtune.core.records import Span
from tailtune.predictors.reading import encoder_path
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.fine_tune import LoraExtractor
from tailtune.tasks.extraction.layout import TextScores
from tailtune.tasks.extraction.objective import Fields
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.tag_reading import best_tags
from tailtune.training import checkpoint
from tailtune.training.loop import fit
from tailtune.training.objective import FitJob, Progress

DEV_SHARE = 10  # one row in ten
FOLDER = "TAILTUNE_BENCH_SNIPS"
INTENT = "intent"
Decode = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Data:
    """SNIPS: texts with their annotations."""

    train: list[tuple[str, Annotation]]
    dev: list[tuple[str, Annotation]]
    test: list[tuple[str, Annotation]]
    schema: ObjectSchema


@dataclass(frozen=True)
class Measured:
    """One per set of rows and way of decoding: shares from 0 to 1."""

    slot_f1: float
    sentences: float
    intents: float

    def __str__(self) -> str:
        return f"slot F1 {self.slot_f1:6.2%}  sentence {self.sentences:6.2%}  intent {self.intents:6.2%}"


def read_data(folder: Path, most: int | None = None) -> Data:
    """Both files, or about so many rows of each, spread over it."""

    def rows(name: str) -> list[tuple[str, Annotation]]:
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        lines = lines[:: max(len(lines) // most, 1)] if most else lines
        return [annotated(json.loads(line)) for line in lines]

    test = rows("test.jsonl")
    seen = {text for text, _ in test}
    pool = [row for row in rows("train.jsonl") if row[0] not in seen]
    in_dev = [int(hashlib.sha256(text.encode()).hexdigest(), 16) % DEV_SHARE == 0 for text, _ in pool]
    train = [row for row, out in zip(pool, in_dev, strict=True) if not out]
    dev = [row for row, out in zip(pool, in_dev, strict=True) if out]
    return Data(train, dev, test, schema_of(train))


def annotated(row: dict[str, Any]) -> tuple[str, Annotation]:
    spans = sorted(Span(one["start"], one["end"], one["label"]) for one in row["entities"])
    return row["text"], Annotation({INTENT: row["intent"]}, tuple(spans))


def schema_of(rows: list[tuple[str, Annotation]]) -> ObjectSchema:
    slots = sorted({span.label for _, label in rows for span in label.spans})
    intents = sorted({label.values[INTENT] for _, label in rows})
    lists = {slot: {"type": "array", "items": {"type": "string"}} for slot in slots}
    return schema_from(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": False,
            "required": [INTENT],
            "properties": {INTENT: {"enum": intents}, **lists},
        }
    )


def greedy(tags: np.ndarray) -> np.ndarray:
    best: np.ndarray = tags.argmax(axis=1)
    return best


def measured(
    model: LoraExtractor, scores: list[TextScores], rows: list[tuple[str, Annotation]], way: Decode
) -> Measured:
    right = given = expected = whole = intents = 0
    for one, (_, label) in zip(scores, rows, strict=True):
        assert one.tags is not None  # slots are tagged
        spans = {span for span, _, _ in model.layout.tags.spans(one.words, way(one.tags).tolist())}
        intent = model.layout.classes[0][int(one.classes[0].argmax())] == label.values[INTENT]
        gold = set(label.spans)
        right, given, expected = right + len(spans & gold), given + len(spans), expected + len(gold)
        whole, intents = whole + (intent and spans == gold), intents + intent
    return Measured(2 * right / (given + expected), whole / len(rows), intents / len(rows))


def job_of(data: Data, args: argparse.Namespace, checkpoints: Path) -> FitJob:
    goal = Fields(
        schema=data.schema,
        texts=[text for text, _ in data.train],
        labels=[label for _, label in data.train],
        dev_texts=[text for text, _ in data.dev],
        dev_labels=[label for _, label in data.dev],
    )
    return FitJob(
        goal=goal,
        encoder=encoder_path(),
        checkpoint_dir=checkpoints,
        rank=args.rank,
        alpha=2 * args.rank,
        epochs=args.epochs,
        learning_rate=args.lr,
        head_learning_rate=args.head_lr,
        token_dropout=args.token_dropout,
        max_tokens=256,
        seed=args.seed,
    )


def trained(name: str, job: FitJob, data: Data) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        job = replace(job, checkpoint_dir=Path(scratch) / "checkpoints")
        begun = time.perf_counter()
        result = fit(job, teller(name))
        seconds = time.perf_counter() - begun
        checkpoint.save_model(result, Path(scratch) / "model")
        model = LoraExtractor.load(Path(scratch) / "model")
        print(f"\n{name}: {seconds:.0f} s, {result.rows_s:.0f} rows/s, epoch {result.best_epoch} of {job.epochs} kept")
        for split, rows in (("dev", data.dev), ("test", data.test)):
            scores = model.scores([text for text, _ in rows])
            for decoding, way in (("best tag of each word", greedy), ("legal, Viterbi", best_tags)):
                print(f"  {split:<5} {decoding:<22} {measured(model, scores, rows, way)}", flush=True)


def teller(name: str) -> Callable[[Progress], None]:
    reported = [0]

    def tell(now: Progress) -> None:
        if now.epoch != reported[0]:
            reported[0] = now.epoch
            dev = "" if now.dev_quality is None else f", dev F1 so far {now.dev_quality:.2%}"
            print(f"  {name}: epoch {now.epoch}/{now.epochs}{dev}", file=sys.stderr, flush=True)

    return tell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get(FOLDER), help=f"or the variable {FOLDER}")
    parser.add_argument("--ablations", action="store_true", help="also train without each thing that helps")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--head-lr", type=float, default=5e-3)
    parser.add_argument("--token-dropout", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--rows", type=int, help="of each file, spread over it; all unless given")
    args = parser.parse_args()
    if args.data is None or not (args.data / "train.jsonl").is_file():
        print(f"skipped: no SNIPS at {args.data}; it is not part of a clone (--data FOLDER, or {FOLDER})")
        return
    data = read_data(args.data, args.rows)
    print(f"SNIPS: {len(data.train):,} train, {len(data.dev):,} dev, {len(data.test):,} test rows")
    job = job_of(data, args, Path())
    trained("all", job, data)
    if args.ablations:
        trained(
            "without how words are written", replace(job, goal=replace(cast(Fields, job.goal), writing=False)), data
        )
        trained("without hidden tokens", replace(job, token_dropout=0.0), data)
        trained("half the rank", replace(job, rank=args.rank // 2, alpha=args.rank), data)


if __name__ == "__main__":
    main()
