"""What a report says of bought answers: corrected comparisons, and what a model in a folder costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from predictors.prompted.random_model import write_random_model
from project import context, copy

from stages.prompt.prompted import declare, measured, price, prompt
from tailtune.core.errors import MissingInputError
from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import Paired, PromptedRung
from tailtune.services.weights import digest_of
from tailtune.spec.paths import Paths
from tailtune.stages.prompt.results import adjusted
from tailtune.stages.prompt.variance import variance

FOLDER = "lm/tiny"
TIMED = Latency(p50_ms=1, p95_ms=1, p99_ms=1, mean_ms=1, rows=1)


def rung(name: str, p: float | None) -> PromptedRung:
    whole = Estimate(value=0.5, low=0.4, high=0.6, rows=100)
    pair = Paired(
        first=name, second="tfidf", difference=whole, only_first_right=3, only_second_right=1, mcnemar_p=p or 0.0
    )
    return PromptedRung(
        name=name, title=name, metrics={"accuracy": whole}, latency=TIMED,
        fit_s=0, fit_rows=0, model="small", role="base", prompt="zero_shot", prompt_digest="0" * 12, settled="all rows",
        of_rows=100, comparison=None if p is None else pair,
    )  # fmt: skip


def test_comparisons_are_corrected_over_all_rungs() -> None:
    found = adjusted([rung("a", 0.01), rung("b", None), rung("c", 0.04), rung("d", 0.03)])
    assert [one.p_adjusted for one in found] == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]


@pytest.fixture
def paths(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Random weights, declared with a price of tokens that means nothing here."""
    made = copy(measured(tmp_path_factory), tmp_path / "project")
    write_random_model(made.root / FOLDER)
    model = {"name": "tiny", "endpoint": None, "folder": FOLDER, "max_output_tokens": 8, "context_tokens": 4096,
             "concurrency": 32}  # fmt: skip
    declare(made, "", model=model, rungs=["lm_zero_shot"], max_rows=20, stop="never")
    return made


def test_it_costs_core_time_and_no_tokens(paths: Paths) -> None:
    report = prompt(paths)
    (rung,) = report.rungs
    assert rung.hosted
    assert rung.usd_per_1000 == pytest.approx(rung.latency.mean_ms * 0.04 / 3600)
    assert (rung.usd, rung.unpriced_rows, report.usd_spent, report.usd_estimated) == (0, 0, 0, 0)
    assert report.unmeasured == ()


def test_without_a_price_of_a_core_only_its_core_time_is_unknown(paths: Paths) -> None:
    price(paths)
    text = paths.prices.read_text(encoding="utf-8").replace("cpu_core_hour_usd: 0.04\n", "")
    paths.prices.write_text(text, encoding="utf-8")
    report = prompt(paths)
    (rung,) = report.rungs
    assert (rung.usd_per_1000, rung.usd, report.usd_spent) == (None, 0, 0)
    assert report.unmeasured == (), "every answer that was bought has its price: none"


def test_its_weights_are_noted_and_no_others_are_repeated(paths: Paths) -> None:
    report = prompt(paths)
    assert report.weights == {"tiny": digest_of(paths.root / FOLDER)}
    assert variance(context(paths), 2).rung == "Prompt, zero-shot"
    write_random_model(paths.root / FOLDER, seed=6)
    with pytest.raises(MissingInputError, match="the weights of tiny changed since the prompts were measured"):
        variance(context(paths), 2)
    assert prompt(paths).weights != report.weights
