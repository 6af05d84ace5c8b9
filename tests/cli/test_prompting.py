"""What prompting would cost, and how much answers vary, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double
from doubles.skill import Skilled
from lifecycle.prompt.prompted import declare, measured, prompt, truth
from project import NAME, copy, respec, untracked

from tailtune.cli.prompting import estimate, repeat
from tailtune.config.paths import Paths
from tailtune.core.errors import EndpointError, MissingInputError, UsageError

Factory = pytest.TempPathFactory


@pytest.fixture
def paths(tmp_path: Path, tmp_path_factory: Factory, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("TAILTUNE_PROGRESS", "none")
    return copy(measured(tmp_path_factory), tmp_path / "project")


def test_an_estimate_asks_nothing(paths: Paths) -> None:
    with Double(Skilled(truth())) as double:
        declare(paths, double.url)
        head, *rungs, text = estimate(paths, NAME)
        assert not double.seen
    assert head.split()[:2] == ["rung", "model"]
    assert [line.split("small")[0].strip() for line in rungs] == ["Prompt, zero-shot", "Prompt with retrieved examples"]
    assert "2 rungs × 66 rows would cost about $" in text and "the limit is $1.00" in text


def test_without_a_price_an_estimate_says_that_no_limit_holds(paths: Paths) -> None:
    declare(paths, "http://127.0.0.1:9/v1", model={"price": None})
    assert "cannot hold" in list(estimate(paths, NAME))[-1]


def test_without_a_model_there_is_nothing_to_estimate(paths: Paths) -> None:
    respec(paths, {})
    (only,) = estimate(paths, NAME)
    assert "nothing to estimate" in only


@pytest.mark.parametrize("wavers", [0.0, 1.0], ids=["steady", "wavering"])
def test_repeats_go_past_the_kept_answers(wavers: float, paths: Paths) -> None:
    with Double(Skilled(truth(), base=0.5, evidence=0.5, wavers=wavers)) as double:
        declare(paths, double.url, rungs=["lm_zero_shot"], min_rows=30)
        prompt(paths)
        requests = len(double.seen)
        before = double.input_tokens, double.output_tokens
        with untracked() as published:
            head, qualities, changed, paid = repeat(paths, NAME, 3)
        assert len(double.seen) - requests == 3 * 30
    assert "30 dev rows, asked 3 times" in head and qualities.count("%") == 3 and "$" in paid
    steady = changed.startswith("rows whose answer changed: 0.0")
    assert steady == (wavers == 0)
    (charge,) = published.charges
    read, written = double.input_tokens - before[0], double.output_tokens - before[1]
    assert (charge.stage, charge.what, charge.status) == ("prompt", "repeats", "FINISHED")
    assert charge.cost.bought_usd == pytest.approx((read * 1.0 + written * 2.0) / 1e6)


def test_repeats_that_are_cut_short_are_charged_for_what_they_bought(paths: Paths) -> None:
    with Double(Skilled(truth(), base=0.5, evidence=0.5)) as double:
        declare(paths, double.url, rungs=["lm_zero_shot"], min_rows=30, model={"retries": 0, "concurrency": 1})
        prompt(paths)
        before = double.input_tokens, double.output_tokens
        double.conduct.every, double.conduct.mishap = len(double.seen) + 10, Mishap(status=503)
        with untracked() as published, pytest.raises(EndpointError, match="503"):
            list(repeat(paths, NAME, 3))
        read, written = double.input_tokens - before[0], double.output_tokens - before[1]
    (charge,) = published.charges
    assert (charge.what, charge.status) == ("repeats failed", "FAILED") and "503" in charge.note
    assert charge.cost.bought_usd == pytest.approx((read * 1.0 + written * 2.0) / 1e6) and read > 0


def test_one_repeat_shows_no_variance(paths: Paths) -> None:
    declare(paths, "http://127.0.0.1:9/v1")
    with pytest.raises(UsageError, match="at least 2"):
        list(repeat(paths, NAME, 1))


def test_nothing_measured_is_nothing_to_repeat(paths: Paths) -> None:
    respec(paths, {})
    prompt(paths)
    with pytest.raises(MissingInputError, match="nothing to repeat"):
        list(repeat(paths, NAME, 3))
