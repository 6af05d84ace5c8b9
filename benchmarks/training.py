"""Our training against stock `transformers.Trainer` + peft: rows/s, memory and test accuracy, side by side.

Same encoder, LoRA rank and modules, batch size, learning rate and epochs; the same train, dev and test rows of
BANKING77. Stock is what a user writes today: `AutoModelForSequenceClassification` wrapped by peft,
`DataCollatorWithPadding`, and `Trainer`'s own defaults. Each contender runs in a process of its own, in turns, so that
a busy machine hits both; rows per CPU-second are the steadier figure there.

    python benchmarks/training.py                    # speed of both, accuracy of ours: a few minutes
    python benchmarks/training.py --full             # stock trained to its end too: about 20 minutes more on 2 cores
"""

import argparse
import csv
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

DEV_SHARE = 10  # one row in ten, by hash of its text
SPEED, FULL = "speed", "full"


@dataclass(frozen=True)
class Outcome:
    """One per contender and turn."""

    rows_s: float
    rows_cpu_s: float
    seconds: float
    peak_mb: float
    dev: float | None = None
    test: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Data:
    """BANKING77: train and dev by hash out of train.csv, test as published."""

    train: list[tuple[str, int]]
    dev: list[tuple[str, int]]
    test: list[tuple[str, int]]
    labels: list[str]


def read_data(folder: Path) -> Data:
    def rows(name: str) -> list[tuple[str, str]]:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            return [(row["text"], row["category"]) for row in csv.DictReader(file)]

    pool, test = rows("train.csv"), rows("test.csv")
    labels = sorted({label for _, label in pool})
    number = {label: at for at, label in enumerate(labels)}

    def held_out(text: str) -> bool:
        return int(hashlib.sha256(text.encode()).hexdigest(), 16) % DEV_SHARE == 0

    return Data(
        train=[(text, number[label]) for text, label in pool if not held_out(text)],
        dev=[(text, number[label]) for text, label in pool if held_out(text)],
        test=[(text, number[label]) for text, label in test],
        labels=labels,
    )


def cut(data: Data, rows: int) -> Data:
    """An even sample of the train rows, for speed alone."""
    step = max(1, len(data.train) // rows)
    return Data(data.train[::step][:rows], data.dev[:200], data.test, data.labels)


class Stopwatch:
    """Times the steps alone, by wall and by CPU: from the end of the first step to the last one seen."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float, float]] = []

    def step(self, rows_done: int) -> None:
        """Note that so many rows are learned."""
        if not self.seen or rows_done > self.seen[-1][0]:  # a dev pass adds no rows
            self.seen.append((rows_done, time.perf_counter(), time.process_time()))

    def speeds(self) -> tuple[float, float]:
        """Rows per second and per CPU-second; over several epochs, dev passes count as training."""
        (first, wall, cpu), (last, wall_end, cpu_end) = self.seen[0], self.seen[-1]
        return (last - first) / (wall_end - wall), (last - first) / (cpu_end - cpu)


def run_ours(data: Data, mode: str, args: argparse.Namespace) -> Outcome:
    from tailtune.predictors.reading import encoder_path
    from tailtune.tasks.classification.fine_tune import LoraPredictor
    from tailtune.tasks.classification.objective import Classes
    from tailtune.training import checkpoint
    from tailtune.training.loop import fit
    from tailtune.training.objective import FitJob

    with tempfile.TemporaryDirectory() as scratch:
        job = FitJob(
            goal=Classes(
                texts=[text for text, _ in data.train],
                labels=[label for _, label in data.train],
                dev_texts=[text for text, _ in data.dev],
                dev_labels=[label for _, label in data.dev],
                names=data.labels,
            ),
            encoder=encoder_path(),
            checkpoint_dir=Path(scratch) / "checkpoints",
            rank=args.rank,
            alpha=2 * args.rank,
            batch_rows=args.batch,
            learning_rate=args.lr,
            epochs=1 if mode == SPEED else args.epochs,
            seed=args.seed,
        )
        watch, begun = Stopwatch(), time.perf_counter()
        result = fit(job, lambda progress: watch.step(progress.rows_done))
        seconds = time.perf_counter() - begun
        test = None
        if mode == FULL:
            checkpoint.save_model(result, Path(scratch) / "model")
            answered = LoraPredictor.load(Path(scratch) / "model").probabilities([text for text, _ in data.test])
            test = float((answered.argmax(axis=1) == [label for _, label in data.test]).mean())
    epochs = ", ".join(f"{epoch.dev_quality:.3f}" for epoch in result.history)
    kept = f"epoch {result.best_epoch} kept of dev {epochs}"
    note = f"{result.precision}, {kept}, temperature {result.objective.temperature:.2f}"
    return Outcome(*watch.speeds(), seconds, peak_mb(), result.dev_quality, test, note)


def run_stock(data: Data, mode: str, args: argparse.Namespace) -> Outcome:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    from tailtune.predictors.reading import encoder_path

    watch = Stopwatch()

    class Watched(TrainerCallback):  # type: ignore[misc]
        """Tells the stopwatch about every step."""

        def on_step_end(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
            watch.step(state.global_step * args.batch)

    tokenizer = AutoTokenizer.from_pretrained(encoder_path())

    def dataset(rows: list[tuple[str, int]]) -> list[dict[str, Any]]:
        encoded = tokenizer([text for text, _ in rows], truncation=True, max_length=128)["input_ids"]
        return [{"input_ids": ids, "label": label} for ids, (_, label) in zip(encoded, rows, strict=True)]

    torch.manual_seed(args.seed)
    model = AutoModelForSequenceClassification.from_pretrained(encoder_path(), num_labels=len(data.labels))
    config = LoraConfig(
        task_type="SEQ_CLS", r=args.rank, lora_alpha=2 * args.rank, target_modules=["query", "key", "value", "dense"]
    )
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=get_peft_model(model, config),
            args=TrainingArguments(
                output_dir=scratch,
                per_device_train_batch_size=args.batch,
                learning_rate=args.lr,
                num_train_epochs=args.epochs,
                max_steps=args.stock_steps + 1 if mode == SPEED else -1,
                seed=args.seed,
                report_to="none",
                disable_tqdm=True,
                save_strategy="no",
            ),
            train_dataset=dataset(data.train),
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[Watched()],
        )
        begun = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - begun
        dev = test = None
        if mode == FULL:
            dev, test = (accuracy(trainer, dataset(rows)) for rows in (data.dev, data.test))
    return Outcome(*watch.speeds(), seconds, peak_mb(), dev, test, "fp32")


def accuracy(trainer: Any, rows: list[dict[str, Any]]) -> float:
    output = trainer.predict(rows)
    return float((output.predictions.argmax(axis=1) == output.label_ids).mean())


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_turn(contender: str, mode: str) -> Outcome:
    """One contender in a fresh process; what it prints on its last line is the outcome."""
    command = [sys.executable, __file__, *sys.argv[1:], "--contender", contender, "--mode", mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{contender} failed:\n{done.stderr[-3000:]}")
    outcome = Outcome(**json.loads(done.stdout.strip().splitlines()[-1]))
    print(
        f"  {contender:<6} {mode:<6} {outcome.rows_s:7.1f} rows/s  {outcome.seconds:6.1f} s  {outcome.note}", flush=True
    )
    return outcome


def table(best: dict[str, Outcome], full: dict[str, Outcome]) -> None:
    ours, stock = best["ours"], best["stock"]

    def percent(value: float | None) -> str:
        return "not run" if value is None else f"{value:.2%}"

    def row(name: str, left: str, right: str, ratio: str = "") -> None:
        print(f"{name:<28}{left:>12}{right:>12}{ratio:>10}")

    print()
    row("", "tailtune", "stock", "ratio")
    row("train rows/s", f"{ours.rows_s:.1f}", f"{stock.rows_s:.1f}", f"{ours.rows_s / stock.rows_s:.1f}x")
    per_cpu = ours.rows_cpu_s / stock.rows_cpu_s
    row("train rows/CPU-second", f"{ours.rows_cpu_s:.1f}", f"{stock.rows_cpu_s:.1f}", f"{per_cpu:.1f}x")
    row("peak memory, MB", f"{ours.peak_mb:.0f}", f"{stock.peak_mb:.0f}", f"{ours.peak_mb / stock.peak_mb:.2f}x")
    left, right = full.get("ours"), full.get("stock")
    row("dev accuracy", percent(left.dev if left else None), percent(right.dev if right else None))
    row("test accuracy, 3,080 rows", percent(left.test if left else None), percent(right.test if right else None))
    if left is not None:
        row("whole training, s", f"{left.seconds:.0f}", "not run" if right is None else f"{right.seconds:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/datasets/banking77"))
    parser.add_argument("--rows", type=int, default=2048, help="train rows of a speed turn of ours")
    parser.add_argument("--stock-steps", type=int, default=12, help="timed steps of a speed turn of stock")
    parser.add_argument("--rounds", type=int, default=2, help="speed turns of each; the best counts")
    parser.add_argument("--full", action="store_true", help="train stock to its end too and compare accuracies")
    parser.add_argument("--speed-only", action="store_true", help="no accuracy at all")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--contender", choices=("ours", "stock"), help=argparse.SUPPRESS)
    parser.add_argument("--mode", choices=(SPEED, FULL), default=SPEED, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not (args.data / "train.csv").is_file():
        print(f"skipped: {args.data / 'train.csv'} is not there; BANKING77 is not part of a clone (--data FOLDER)")
        return
    if args.contender:
        data = read_data(args.data)
        run = run_ours if args.contender == "ours" else run_stock
        print(json.dumps(asdict(run(cut(data, args.rows) if args.mode == SPEED else data, args.mode, args))))
        return
    turns: dict[str, list[Outcome]] = {name: [] for name in ("ours", "stock")}
    for _ in range(args.rounds):
        for name, outcomes in turns.items():
            outcomes.append(in_turn(name, SPEED))
    best = {name: max(outcomes, key=lambda outcome: outcome.rows_s) for name, outcomes in turns.items()}
    names = [] if args.speed_only else ["ours", "stock"] if args.full else ["ours"]
    table(best, {name: in_turn(name, FULL) for name in names})


if __name__ == "__main__":
    main()
