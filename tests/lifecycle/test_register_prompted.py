"""Registering prompted models: what trying and comparing them buys, and a champion that cannot be asked any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from doubles.conduct import Conduct
from doubles.endpoint import Double
from doubles.skill import Skilled
from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY, case, made_store, tracker, uri  # noqa: F401 - fixtures
from services.mlflow.examples import publish

from lifecycle.helpers import perform
from tailtune.config.prompting import LanguageModelSpec
from tailtune.config.settings import Settings
from tailtune.core.errors import ServiceError, TailTuneError
from tailtune.core.progress import Silent
from tailtune.core.reports import EvaluateReport, RegisterReport
from tailtune.lifecycle.context import Context
from tailtune.predictors.prompted.examples import NoExamples
from tailtune.predictors.prompted.rung import Prompted
from tailtune.predictors.prompted.templates import Template
from tailtune.services import store
from tailtune.services.mlflow import Tracker, connect, registry
from tailtune.services.mlflow.lookup import FILES, PREDICTOR_FILES
from tailtune.tasks import saved as predictors
from tailtune.tasks.classification.replies import LabelCodec
from tailtune.tasks.use_case import UseCase, load_use_case

pytestmark = THIRD_PARTY
RUNG = "lm_zero_shot"


def texts(case: UseCase) -> dict[str, dict[str, Any]]:  # noqa: F811
    return {row.text: {"label": row.label} for row in store.read_rows(case.paths.rows("test"), "test", case.name)}


@pytest.fixture
def double(case: UseCase) -> Iterator[Double]:  # noqa: F811
    """Right for about four test rows in five: better than the majority class, worse than the linear model."""
    with Double(Skilled(texts(case), base=0.8)) as running:
        yield running


def declared(double: Double, **more: Any) -> dict[str, Any]:
    return {"name": "small", "endpoint": double.url, "price": "small", "retries": 0, "max_output_tokens": 32, **more}


def prompting(case: UseCase, model: dict[str, Any], **section: Any) -> UseCase:  # noqa: F811
    """Declare the model, price it, and let a rung that asks it win the test."""
    spec = yaml.safe_load(case.paths.model_yaml.read_text(encoding="utf-8"))
    spec["prompt"] = {"models": [model], **section}
    case.paths.model_yaml.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    prices = {"small": {"input_usd_per_million": 100, "output_usd_per_million": 200}}
    case.paths.project.prices.write_text(yaml.safe_dump({"as_of": "2026-11-01", "tokens": prices}), encoding="utf-8")
    changed = load_use_case(case.paths.project, case.name)
    examples.make_life(changed)
    won = store.read_report(case.paths.report("evaluate"), EvaluateReport, case.name)
    candidate = won.candidates[0].model_copy(update={"name": RUNG, "title": "Prompt, zero-shot"})
    won = won.model_copy(update={"winner": RUNG, "candidates": (*won.candidates, candidate)})
    store.write_report(case.paths.report("evaluate"), won)
    template = Template("zero_shot", "Sort.", "Text:\n{{ text }}\nAnswer:")
    labels = dict.fromkeys(examples.LABELS, "A category.")
    spec = LanguageModelSpec.model_validate(model)
    folder = case.paths.stage("prompt") / "rungs" / RUNG
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    Prompted(RUNG, template, LabelCodec(labels), spec, NoExamples()).save(folder)
    predictors.write_card(folder, predictors.RUNG_KINDS[RUNG], ())
    return changed


def registered(case: UseCase, uri: str, at: str = "2026-11-20T10:07:00+00:00") -> tuple[RegisterReport, Context]:  # noqa: F811
    ctx = Context(case, Settings(), Silent(), connect(uri, case))
    report = perform("register", ctx)
    publish(ctx.tracker, examples.stamped(case, report, at))
    return report, ctx


def paid(double: Double, since: tuple[int, int] = (0, 0)) -> float:
    return ((double.input_tokens - since[0]) * 100 + (double.output_tokens - since[1]) * 200) / 1e6


def tokens(double: Double) -> tuple[int, int]:
    return double.input_tokens, double.output_tokens


def test_trying_the_winner_is_two_answers_and_is_in_the_bill(case: UseCase, uri: str, double: Double) -> None:  # noqa: F811
    report, ctx = registered(prompting(case, declared(double)), uri)
    assert report.aliases == ("champion",)
    assert len(double.seen) == 2, "in a process of its own, and by MLflow as a server would"
    assert ctx.bought_usd == pytest.approx(paid(double)) and paid(double) > 0


def test_without_a_price_what_trying_it_cost_is_not_known(case: UseCase, uri: str, double: Double) -> None:  # noqa: F811
    _, ctx = registered(prompting(case, declared(double, price=None)), uri)
    assert double.seen
    assert ctx.bought_usd is None


def test_a_prompted_champion_is_asked_again_and_paid(case: UseCase, uri: str, double: Double) -> None:  # noqa: F811
    case = prompting(case, declared(double))
    registered(case, uri)
    before, requests = tokens(double), len(double.seen)
    examples.make_life(case)
    report, ctx = registered(case, uri, "2026-11-21T10:00:00+00:00")
    assert report.comparison is not None and report.comparison.second == "champion v1"
    assert len(double.seen) - requests == len(texts(case)) == report.comparison.difference.rows
    assert ctx.bought_usd == pytest.approx(paid(double, before)) and ctx.bought_usd


def refuse(double: Double) -> None:
    double.conduct = Conduct(key="another")


def retire(double: Double) -> None:
    double.conduct = Conduct(models=("newer",))


@pytest.mark.parametrize(("change", "expected"), [(refuse, "key"), (retire, "it offers newer")])
def test_a_champion_that_cannot_be_asked_keeps_its_alias_and_the_version_is_made(
    case: UseCase,  # noqa: F811
    uri: str,  # noqa: F811
    tracker: Tracker,  # noqa: F811
    double: Double,
    change: Any,
    expected: str,
) -> None:
    case = prompting(case, declared(double))
    registered(case, uri)
    change(double)
    examples.make_life(case)
    report, _ = registered(case, uri, "2026-11-21T10:00:00+00:00")
    assert (report.version, report.aliases, report.champion_version) == ("2", ("challenger",), "1")
    assert report.comparison is None and not report.promotion.yes
    assert "could not be compared with champion v1: small at 127.0.0.1" in report.promotion.reason
    assert expected in report.promotion.reason and "move the alias `champion`" in report.promotion.reason
    version = registry.get(tracker, case.name, "2")
    assert version.tags[registry.PROMOTION] == report.promotion.reason
    assert case.paths.page.is_file()
    double.conduct = Conduct()
    again, _ = registered(case, uri, "2026-11-22T10:00:00+00:00")
    assert again.version == "2" and again.comparison is not None, "with the endpoint back it meets the gate"


def test_a_champion_whose_endpoint_is_not_declared_here_is_sent_nothing(
    case: UseCase,  # noqa: F811
    uri: str,  # noqa: F811
    double: Double,
) -> None:
    registered(prompting(case, declared(double)), uri)
    requests = len(double.seen)
    examples.make_life(case)
    report, _ = registered(case, uri, "2026-11-21T10:00:00+00:00")  # as it was before the model was declared
    assert (report.version, report.aliases, report.champion_version) == ("2", ("challenger",), "1")
    assert f"small: not asked: it would send texts to {double.url}, which models/" in report.promotion.reason
    assert f'export TAILTUNE_ENDPOINTS="{double.url}"' in report.promotion.reason
    assert len(double.seen) == requests


def test_a_limit_that_is_reached_while_comparing_is_a_refusal_and_what_was_bought_counts(
    case: UseCase,  # noqa: F811
    uri: str,  # noqa: F811
    double: Double,
) -> None:
    changed = prompting(case, declared(double, concurrency=1))
    registered(changed, uri)
    before, requests = tokens(double), len(double.seen)
    poor = prompting(changed, declared(double, concurrency=1), max_cost_usd=0.02)
    examples.make_life(poor)
    report, ctx = registered(poor, uri, "2026-11-21T10:00:00+00:00")
    assert report.aliases == ("challenger",) and "max_cost_usd is reached" in report.promotion.reason
    assert 0 < len(double.seen) - requests < len(texts(case))
    assert ctx.bought_usd == pytest.approx(paid(double, before)) and ctx.bought_usd


def test_a_champion_whose_files_are_damaged_is_still_an_error(
    case: UseCase,  # noqa: F811
    uri: str,  # noqa: F811
    tracker: Tracker,  # noqa: F811
    double: Double,
) -> None:
    registered(prompting(case, declared(double)), uri)
    (there,) = [path for path in case.paths.project.mlflow_store.rglob("prompt.json") if "artifacts" in path.parts]
    there.write_text("{}", encoding="utf-8")
    examples.make_life(case)
    with pytest.raises(ServiceError, match=r"models:/.*/1 are missing, or not those that were registered"):
        registered(case, uri, "2026-11-21T10:00:00+00:00")
    for digest in (FILES, PREDICTOR_FILES):  # as in a version of before
        tracker.client.delete_model_version_tag(case.name, "1", digest)
    with pytest.raises(TailTuneError, match=r"cannot load the champion's files"):
        registered(case, uri, "2026-11-22T10:00:00+00:00")
