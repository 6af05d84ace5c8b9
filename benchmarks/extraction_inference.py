"""Our extractor against a transformers token-classification pipeline with the same weights, one thread, side by side.

A model is trained for one short epoch on sample claims, its adapter merged and saved as a Hugging Face model, and both
answer the same claims of about 60 tokens: in batches, and one at a time, in turns so that a busy machine hits both.
The pipeline tags words (`aggregation_strategy="simple"`); ours also decodes legally, reads the enum and yes / no
fields in the same pass, and is timed with normalisation and assembly to a valid object as well. Parity compares spans
with the pipeline's `first` strategy, which reads each word by its first sub-word, as ours does. How words are written
is left out of the model, because a pipeline cannot be told.

    python benchmarks/extraction_inference.py
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tailtune.cli.sample import example
from tailtune.config.paths import Paths
from tailtune.core.records import Span
from tailtune.predictors.adapter import lora_deltas
from tailtune.predictors.reading import ADAPTER, encoder_path
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.fine_tune import LoraExtractor
from tailtune.tasks.extraction.layout import TAG_BIAS, TAG_WEIGHT, Layout
from tailtune.tasks.extraction.objective import Fields
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import load_schema
from tailtune.tasks.extraction.tag_reading import is_legal
from tailtune.tasks.extraction.windows import Windows
from tailtune.training import checkpoint
from tailtune.training.loop import fit
from tailtune.training.objective import FitJob

REPO = Path(__file__).parents[1]
SCHEMA = REPO / "models" / "insurance-claims" / "schema.json"
TOKENS = range(50, 71)
BATCH_ROWS = 32


@dataclass(frozen=True)
class Speed:
    """One per contender."""

    rows_s: float
    p50_ms: float


def claims(train_rows: int, timed_rows: int) -> tuple[list[tuple[str, Annotation]], list[str]]:
    """Rows to learn from, and other texts of about 60 tokens."""
    made = [claim for claim in example(Paths(REPO), "insurance_claims.generate").generate() if claim.text.strip()]
    rows = [
        (one.text, Annotation(one.values, tuple(sorted(Span(e.start, e.end, e.label) for e in one.entities))))
        for one in made[:train_rows]
    ]
    texts = [one.text for one in made[train_rows : train_rows + 30 * timed_rows]]
    sized = zip(texts, Windows(encoder_path(), 256)(texts), strict=True)
    return rows, [text for text, row in sized if row.tokens in TOKENS][:timed_rows]


def train(rows: list[tuple[str, Annotation]], schema: ObjectSchema, folder: Path) -> None:
    dev_rows = len(rows) // 10
    goal = Fields(
        schema=schema,
        texts=[text for text, _ in rows[dev_rows:]],
        labels=[label for _, label in rows[dev_rows:]],
        dev_texts=[text for text, _ in rows[:dev_rows]],
        dev_labels=[label for _, label in rows[:dev_rows]],
        writing=False,
    )
    job = FitJob(goal, encoder_path(), folder / "checkpoints", epochs=1, max_tokens=256, batch_rows=16)
    checkpoint.save_model(fit(job, lambda progress: None), folder / "model")


def stock(folder: Path, schema: ObjectSchema, strategy: str) -> Any:
    """The pipeline a user would write, on the merged encoder and our tag head."""
    from transformers import AutoTokenizer, BertConfig, BertForTokenClassification, pipeline
    from transformers.utils import logging

    logging.disable_progress_bar()
    layout = Layout.of(schema)
    names = ["O", *(f"{way}-{name}" for name in layout.tags.names for way in "BI")]
    config = BertConfig.from_pretrained(encoder_path(), num_labels=len(names), id2label=dict(enumerate(names)))
    model = BertForTokenClassification(config)
    state = {f"bert.{name}": tensor for name, tensor in load_file(encoder_path() / "model.safetensors").items()}
    for module, delta in lora_deltas(folder / "model" / ADAPTER).items():
        state[f"bert.{module}.weight"] = state[f"bert.{module}.weight"] + delta
    heads = load_file(folder / "model" / "head.safetensors")
    state |= {"classifier.weight": heads[TAG_WEIGHT], "classifier.bias": heads[TAG_BIAS]}
    missing, _ = model.load_state_dict(state, strict=False)
    assert not [name for name in missing if "position_ids" not in name], missing
    model.save_pretrained(folder / "merged")
    tokenizer = AutoTokenizer.from_pretrained(encoder_path())
    merged = BertForTokenClassification.from_pretrained(folder / "merged").eval()
    return pipeline(
        "token-classification", model=merged, tokenizer=tokenizer, aggregation_strategy=strategy, device="cpu"
    )


def timed(texts: Sequence[str], answer: Callable[[Sequence[str]], object], rounds: int) -> Speed:
    """The best of some rounds in batches; the median of all single answers."""
    answer(texts[:BATCH_ROWS])
    best, single = 0.0, []
    for _ in range(rounds):
        begun = time.perf_counter()
        answer(texts)
        best = max(best, len(texts) / (time.perf_counter() - begun))
        for text in texts[:100]:
            begun = time.perf_counter()
            answer([text])
            single.append(1000 * (time.perf_counter() - begun))
    return Speed(best, statistics.median(single))


def parity(texts: Sequence[str], model: LoraExtractor, pipe: Any) -> tuple[float, float]:
    """Share of texts in which both read the same spans from each word's best tag; share in which that is legal too."""
    same = legal = 0
    theirs = pipe(list(texts), batch_size=BATCH_ROWS)
    for scores, found in zip(model.scores(texts), theirs, strict=True):
        assert scores.tags is not None  # fields are tagged
        best = scores.tags.argmax(axis=1)
        ours = {(s.start, s.end, s.label) for s, _, _ in model.layout.tags.spans(scores.words, best.tolist())}
        same += ours == {(one["start"], one["end"], one["entity_group"]) for one in found}
        legal += is_legal(best)
    return same / len(texts), legal / len(texts)


def table(speeds: dict[str, Speed]) -> None:
    names, theirs = list(speeds), speeds["pipeline"]
    print(f"\n{'one thread':<34}{'rows/s':>10}{'ratio':>9}{'p50 ms':>10}{'ratio':>9}")
    for name in names:
        one = speeds[name]
        ratios = one.rows_s / theirs.rows_s, theirs.p50_ms / one.p50_ms
        print(f"{name:<34}{one.rows_s:>10.1f}{ratios[0]:>8.2f}x{one.p50_ms:>10.2f}{ratios[1]:>8.2f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train-rows", type=int, default=3000)
    parser.add_argument("--rows", type=int, default=256, help="claims that are answered")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    schema = load_schema(SCHEMA, SCHEMA.name, None)
    rows, texts = claims(args.train_rows, args.rows)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        train(rows, schema, folder)
        torch.set_num_threads(1)
        model = LoraExtractor.load(folder / "model")
        simple, first = (stock(folder, schema, strategy) for strategy in ("simple", "first"))
        mean = statistics.mean(row.tokens for row in Windows(encoder_path(), 256)(texts))
        print(f"{len(texts)} claims of {mean:.0f} tokens on average; {json.dumps(len(schema.fields))} fields")
        same, legal = parity(texts, model, first)
        print(f"best tags: the pipeline's spans in {same:.1%} of texts; legal as they are in {legal:.1%}")
        contenders: dict[str, Callable[[Sequence[str]], object]] = {
            "pipeline": lambda some: simple(list(some), batch_size=BATCH_ROWS),
            "tailtune, spans and choices": model.read,
            "tailtune, valid objects": model.answer,
        }
        table({name: timed(texts, answer, args.rounds) for name, answer in contenders.items()})


if __name__ == "__main__":
    main()
