"""What a model in a folder costs, and which weights were measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from predictors.prompted.random_model import write_random_model
from project import context, copy

from lifecycle.prompt.prompted import declare, measured, price, prompt
from tailtune.config.paths import Paths
from tailtune.core.errors import MissingInputError
from tailtune.lifecycle.prompt.variance import variance
from tailtune.predictors.prompted.weights import digest_of

FOLDER = "lm/tiny"

NOISE = "Prompt, zero-shot: 20 of 20 answers could not be used"


@pytest.fixture
def paths(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Random weights, held to the schema, as nothing else of theirs is usable; a price of tokens means nothing here."""
    made = copy(measured(tmp_path_factory), tmp_path / "project")
    write_random_model(made.root / FOLDER)
    model = {"name": "tiny", "endpoint": None, "folder": FOLDER, "max_output_tokens": 64, "context_tokens": 4096,
             "concurrency": 32}  # fmt: skip
    declare(made, "", model=model, rungs=["lm_zero_shot", "lm_constrained"], max_rows=20, stop="never")
    return made


def test_it_costs_core_time_and_no_tokens(paths: Paths) -> None:
    report = prompt(paths)
    (rung,) = report.rungs
    assert rung.hosted
    assert rung.usd_per_1000 == pytest.approx(rung.latency.mean_ms * 0.04 / 3600)
    assert (rung.usd, rung.unpriced_rows, report.usd_spent, report.usd_estimated) == (0, 0, 0, 0)
    assert [why.split(" (")[0] for why in report.unmeasured] == [NOISE]


def test_without_a_price_of_a_core_only_its_core_time_is_unknown(paths: Paths) -> None:
    price(paths)
    text = paths.prices.read_text(encoding="utf-8").replace("cpu_core_hour_usd: 0.04\n", "")
    paths.prices.write_text(text, encoding="utf-8")
    report = prompt(paths)
    (rung,) = report.rungs
    assert (rung.usd_per_1000, rung.usd, report.usd_spent) == (None, 0, 0)
    assert [why.split(" (")[0] for why in report.unmeasured] == [NOISE], (
        "every answer that was bought has its price: none"
    )


def test_its_weights_are_noted_and_no_others_are_repeated(paths: Paths) -> None:
    report = prompt(paths)
    assert report.weights == {"tiny": digest_of(paths.root / FOLDER)}
    assert variance(context(paths), 2).rung == "Best prompt, answer held to the schema"
    write_random_model(paths.root / FOLDER, seed=6)
    with pytest.raises(MissingInputError, match="the weights of tiny changed since the prompts were measured"):
        variance(context(paths), 2)
    assert prompt(paths).weights != report.weights
