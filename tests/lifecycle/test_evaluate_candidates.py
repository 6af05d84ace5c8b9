"""A best rung that is prompted is asked for the test rows: at a told price, from a budget, and never paid twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from doubles.endpoint import Double
from doubles.skill import Skilled
from predictors.prompted.random_model import write_random_model
from project import LABELS, NAME, Heard, context, copy, jsonl, lived, respec, rows_of, untracked

from lifecycle.helpers import perform
from tailtune.config.paths import Paths
from tailtune.config.prompting import LanguageModelSpec
from tailtune.config.settings import Settings
from tailtune.core.errors import MissingInputError, TailTuneError
from tailtune.core.records import Estimate
from tailtune.core.reports import DecideReport, LadderReport, PromptedRung, PromptReport
from tailtune.lifecycle.runner import run_stage
from tailtune.predictors.prompted.examples import NoExamples
from tailtune.predictors.prompted.rung import Prompted
from tailtune.predictors.prompted.templates import Template
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.classification.replies import LabelCodec

BEST = "lm_zero_shot"
PRICES = (
    "as_of: 2026-11-01\ncpu_core_hour_usd: 0.04\nmachine_cores: 2\nperson_hour_usd: 75\nlabel_usd: 0.08\n"
    "storage_gb_month_usd: 0.02\ntokens:\n  small: {input_usd_per_million: 100, output_usd_per_million: 100}\n"
)


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """Knows the true answer of three texts in four, and so does not stay."""
    paths = lived(tmp_path_factory)
    truth = {row.text: {"label": row.label} for split in ("dev", "test") for row in rows_of(paths, split)}  # type: ignore[arg-type]
    with Double(Skilled(truth, base=0.75)) as running:
        yield running


@pytest.fixture
def paths(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, double: Double) -> Paths:
    """The toy project after training, whose decision names a prompt as the best rung."""
    made = copy(lived(tmp_path_factory), tmp_path / "p")
    model = {
        "name": "small",
        "role": "base",
        "endpoint": double.url,
        "price": "small",
        "concurrency": 4,
        "max_output_tokens": 32,
    }
    respec(made, {"prompt": {"models": [model]}})
    made.prices.write_text(PRICES, encoding="utf-8")
    case = made.case(NAME)
    save(case.stage("prompt") / "rungs" / BEST, LanguageModelSpec.model_validate(model))
    digest = store.read_report(case.report("ladder"), LadderReport, NAME).rows_digest
    store.write_report(case.report("prompt"), report(digest))
    ticket = store.read_json(case.ticket, "a test", "")
    store.write_json(case.ticket, ticket | {"best_rung": BEST})
    decided = store.read_report(case.report("decide"), DecideReport, NAME)
    store.write_report(case.report("decide"), decided.model_copy(update={"best_rung": BEST}))
    double.seen.clear()
    return made


def save(folder: Path, spec: LanguageModelSpec) -> None:
    template = Template("zero_shot", "Sort.", "Text:\n{{ text }}\nAnswer:")
    folder.mkdir(parents=True)
    Prompted(BEST, template, LabelCodec(LABELS), spec, NoExamples()).save(folder)
    saved.write_card(folder, saved.RUNG_KINDS[BEST], ())


def report(digest: str) -> PromptReport:
    quality = Estimate(value=0.75, low=0.65, high=0.85, rows=66)
    rung = PromptedRung(
        name=BEST, title=saved.title(BEST), metrics={"accuracy": quality, "macro_f1": quality}, fit_s=0, fit_rows=0,
        latency={"p50_ms": 9, "p95_ms": 9, "p99_ms": 9, "mean_ms": 9, "rows": 66},  # type: ignore[arg-type]
        usd_per_1000=2.0, usd_low=1.9, usd_high=2.1, usd=0.2, model="small", role="base", prompt="zero_shot",
        prompt_digest="0" * 12, settled="all rows", of_rows=66,
    )  # fmt: skip
    return PromptReport(use_case=NAME, stage="prompt", rows_digest=digest, rungs=(rung,), best=BEST)


def test_its_answers_are_bought_scored_and_timed(paths: Paths, double: Double) -> None:
    ctx = context(paths)
    found = perform("evaluate", ctx)
    assert len(double.seen) == found.test_rows == 54
    assert {one.text for one in double.seen} == {row.text for row in rows_of(paths, "test")}
    (prompt,) = [one for one in found.candidates if one.name == BEST]
    answers = jsonl(paths.case(NAME).stage("evaluate") / "test_answers.jsonl")
    assert prompt.quality.value == sum(one[BEST] == one["expected"] for one in answers) / 54
    assert 0.5 < prompt.quality.value < 0.95
    assert prompt.latency is not None and prompt.latency.rows == 54 and prompt.latency.parts["wait"] > 0
    tokens = double.input_tokens, double.output_tokens
    assert prompt.usd_per_1000 is not None and found.usd_spent == pytest.approx(prompt.usd_per_1000 * 54 / 1000)
    assert found.usd_spent <= sum(tokens) * 100 / 1e6
    assert found.comparison is not None and found.comparison.second == BEST
    assert found.final is not None and found.winner in ("lora", BEST)
    assert isinstance(ctx.progress, Heard)
    assert any("54 test rows for at most about $" in line for line in ctx.progress.lines)


def test_a_second_evaluation_pays_nothing_and_says_the_same(paths: Paths, double: Double) -> None:
    first, requests = perform("evaluate", context(paths)), len(double.seen)
    again = perform("evaluate", context(paths))
    assert len(double.seen) == requests
    assert again.usd_spent == 0
    assert (again.final, again.comparison) == (first.final, first.comparison)
    assert [one.usd_per_1000 for one in again.candidates if one.name == BEST] == [
        one.usd_per_1000 for one in first.candidates if one.name == BEST
    ]


def test_when_the_money_ends_it_says_where_and_what_to_raise_and_goes_on_there(paths: Paths, double: Double) -> None:
    declared = yaml.safe_load(paths.case(NAME).model_yaml.read_text(encoding="utf-8"))
    limited(paths, declared, 0.03)
    with pytest.raises(TailTuneError, match=r"test rows were answered by Prompt, zero-shot; .* not paid") as out:
        perform("evaluate", context(paths))
    kept = len(double.seen)
    assert 0 < kept < 54 and f"after {kept:,} of 54" in out.value.message
    with untracked() as published, pytest.raises(TailTuneError, match="not paid again"):
        shutil.rmtree(paths.answers.parent)
        run_stage("evaluate", NAME, paths, Settings(), Heard())
    (charge,) = published.charges
    assert (charge.stage, charge.what) == ("evaluate", "failed") and 0 < (charge.cost.bought_usd or 0) <= 0.03
    kept = len(double.seen) - kept
    double.seen[:] = double.seen[-kept:]
    assert out.value.hint == f"raise prompt.max_cost_usd in models/toy/model.yaml, then tailtune run {NAME}"
    limited(paths, declared, 1.0)
    assert perform("evaluate", context(paths)).test_rows == len(double.seen) == 54


def test_money_that_ends_at_rows_that_must_not_fail_says_so(paths: Paths) -> None:
    perform("evaluate", context(paths))  # answers to test are kept
    declared = yaml.safe_load(paths.case(NAME).model_yaml.read_text(encoding="utf-8"))
    declared["targets"]["must_not_fail"] = "must.jsonl"
    must = [{"text": f"never fail number {n}", "label": "refund", "origin": f"must.jsonl:{n}"} for n in range(3)]
    passed = paths.case(NAME).passed
    store.write_json(passed, json.loads(passed.read_text(encoding="utf-8")) | {"must_not_fail": must})
    limited(paths, declared, 1e-9)
    with pytest.raises(TailTuneError, match="after 0 of 3 rows that must not fail were answered") as out:
        perform("evaluate", context(paths))
    assert out.value.hint == f"raise prompt.max_cost_usd in models/toy/model.yaml, then tailtune run {NAME}"


def limited(paths: Paths, declared: dict[str, Any], usd: float) -> None:
    declared["prompt"]["max_cost_usd"] = usd
    paths.case(NAME).model_yaml.write_text(yaml.safe_dump(declared), encoding="utf-8")


def test_without_a_price_its_cost_is_unknown_and_not_0(paths: Paths) -> None:
    declared = yaml.safe_load(paths.case(NAME).model_yaml.read_text(encoding="utf-8"))
    declared["prompt"]["models"][0]["price"] = None
    paths.case(NAME).model_yaml.write_text(yaml.safe_dump(declared), encoding="utf-8")
    spec = LanguageModelSpec.model_validate(declared["prompt"]["models"][0])
    folder = paths.case(NAME).stage("prompt") / "rungs" / BEST
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    save(folder, spec)
    found = perform("evaluate", context(paths))
    assert found.usd_spent is None
    assert [one.usd_per_1000 for one in found.candidates if one.name == BEST] == [None]


def test_a_model_in_a_folder_costs_core_time_on_test_as_on_dev(paths: Paths, double: Double) -> None:
    declared = yaml.safe_load(paths.case(NAME).model_yaml.read_text(encoding="utf-8"))
    model = {"name": "tiny", "folder": "lm/tiny", "context_tokens": 4096, "max_output_tokens": 8, "concurrency": 54}
    declared["prompt"]["models"] = [model]
    paths.case(NAME).model_yaml.write_text(yaml.safe_dump(declared), encoding="utf-8")
    write_random_model(paths.root / "lm" / "tiny")
    folder = paths.case(NAME).stage("prompt") / "rungs" / BEST
    shutil.rmtree(folder)
    save(folder, LanguageModelSpec.model_validate(model))
    found = perform("evaluate", context(paths))
    (prompt,) = [one for one in found.candidates if one.name == BEST]
    assert double.seen == [] and prompt.latency is not None and prompt.latency.mean_ms > 0
    assert prompt.usd_per_1000 == pytest.approx(prompt.latency.mean_ms * 0.04 / 3600)
    assert found.usd_spent == 0


def test_the_failures_of_a_prompt_that_wins_are_in_order(paths: Paths) -> None:
    """It has no confidence to sort by."""
    ticket = store.read_json(paths.case(NAME).ticket, "a test", "")
    store.write_json(paths.case(NAME).ticket, ticket | {"train": False})
    (paths.case(NAME).stage("train") / "model" / saved.CARD).unlink()
    found = perform("evaluate", context(paths))
    assert found.winner == BEST
    test = [row.origin for row in rows_of(paths, "test")]
    failed = [one["origin"] for one in jsonl(paths.case(NAME).stage("evaluate") / "failures.jsonl")]
    assert len(failed) == found.failures > 1
    assert failed == sorted(failed, key=test.index)


def test_a_missing_prompt_is_told(paths: Paths) -> None:
    shutil.rmtree(paths.case(NAME).stage("prompt") / "rungs" / BEST)
    with pytest.raises(MissingInputError, match="no Prompt, zero-shot; its files are not there"):
        perform("evaluate", context(paths))
