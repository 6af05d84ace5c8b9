"""Finished lives, each lived once a run by `tailtune run`: command, flow, DVC and a process per stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from predictors.prompted.random_model import write_random_model

from worlds import orders
from worlds.checkout import CLASSES, NAME, Checkout, rows
from worlds.once import once

MEASURED = {"latency_rows": 20, "resamples": 200}
PROMPTED = "lm_constrained"
"""The rung that wins the prompted life."""


def classification(factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    """Five intents, one in ten rows labelled wrong, and a fine-tune; returns what the run printed besides.

    It is lived as a new user does, without a Prefect server; the others use the run's.
    """
    return _lived(factory, "classification", _classification)


def extraction(factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    """Orders with six fields, and a fine-tune; returns what the run printed besides."""
    return _lived(factory, "extraction", _extraction)


def prompted(factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    """Intents that a model in a folder answers: random weights held to the labels reach a target that asks for nothing,
    and cost least to own. Returns what the run printed besides."""
    return _lived(factory, "prompted", _prompted)


def _lived(
    factory: pytest.TempPathFactory, name: str, declare: Callable[[pytest.TempPathFactory, Path], Checkout]
) -> tuple[Checkout, str]:
    def build(folder: Path) -> None:
        folder.mkdir()
        checkout = declare(factory, folder / "checkout")
        if name != "classification":
            checkout.served(factory)
        done = checkout.run("tailtune", "run", NAME, timeout=900)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        (folder / "printed.txt").write_text(done.stdout, encoding="utf-8")

    made = once(factory, name, build)
    return Checkout(made / "checkout"), (made / "printed.txt").read_text(encoding="utf-8")


def _classification(factory: pytest.TempPathFactory, root: Path) -> Checkout:
    made = Checkout.bare(factory, root)
    made.bring(rows(per_class=60))
    made.spec(ladder={"latency_rows": 20, "curve_points": 2}, targets={"accuracy": 0.99, "min_train_rows": 0})
    made.spec(train={"epochs": 2, "rank": 4, "max_tokens": 32}, evaluate=MEASURED)
    made.settle()
    return made


def _extraction(factory: pytest.TempPathFactory, root: Path) -> Checkout:
    made = Checkout.bare(factory, root)
    (root.parent / "orders.jsonl").write_text("".join(json.dumps(row) + "\n" for row in orders.claims()), "utf-8")
    (root.parent / "schema.json").write_text(json.dumps(orders.SCHEMA), encoding="utf-8")
    words = ("--from", str(root.parent / "orders.jsonl"), "--schema", str(root.parent / "schema.json"))
    made.does("new", NAME, "--task", "extraction", *words)
    made.spec(ladder={"latency_rows": 20, "curve_points": 2}, targets={"field_f1": 0.999, "min_train_rows": 0})
    made.spec(curate={"near_duplicate_similarity": 1.0}, evaluate=MEASURED)
    made.spec(train={"epochs": 2, "rank": 4, "max_tokens": 64, "when": "always"})
    made.settle()
    return made


def _prompted(factory: pytest.TempPathFactory, root: Path) -> Checkout:
    made = Checkout.bare(factory, root)
    made.bring(rows(per_class=30))
    made.spec(ladder={"latency_rows": 20, "curve_points": 2, "rungs": ["tfidf"]}, evaluate=MEASURED)
    made.spec(targets={"accuracy": 0.001, "head_room": 1, "min_train_rows": 0})
    made.spec(value={"requests_per_day": 10, "error_usd": 0.0001, "change_every_days": 60})
    made.settle()
    write_random_model(made.root / "lm" / "tiny", texts=[json.dumps({"label": label}) for label in CLASSES])
    model = {"name": "tiny", "folder": "lm/tiny", "context_tokens": 4096, "max_output_tokens": 24, "concurrency": 16}
    made.spec(prompt={"models": [model], "rungs": ["lm_zero_shot", PROMPTED], "stop": "never"})
    return made
