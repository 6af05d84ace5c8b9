"""Objects out of texts by a prompted model: over the protocol, and by random weights held to the schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from doubles.endpoint import Double
from doubles.skill import Hinted, Skilled
from predictors.prompted.random_model import write_random_model

from life.checkout import NAME, Checkout
from life.test_extraction import SCHEMA, claims

pytestmark = pytest.mark.slow
FIELDS = list(SCHEMA["properties"])  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Orders, their ladder measured."""
    folder = tmp_path_factory.mktemp("prompted-extraction")
    checkout = Checkout.bare(folder / "checkout")
    (folder / "orders.jsonl").write_text("".join(json.dumps(row) + "\n" for row in claims()), encoding="utf-8")
    (folder / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    words = ("--from", str(folder / "orders.jsonl"), "--schema", str(folder / "schema.json"))
    checkout.ok("tailtune", "new", NAME, "--task", "extraction", *words)
    checkout.spec(ladder={"latency_rows": 20, "curve_points": 2, "rungs": ["blank", "patterns"]})
    checkout.spec(targets={"field_f1": 0.999, "min_train_rows": 0}, curate={"near_duplicate_similarity": 1.0})
    checkout.spec(evaluate={"latency_rows": 20, "resamples": 200}, value={"requests_per_day": 500})
    checkout.settle()
    for stage in ("curate", "validate", "ladder"):
        checkout.ok("tailtune", stage, NAME)
    return checkout


def truth() -> dict[str, dict[str, Any]]:
    """Text → the whole object, null where the row has no value."""
    return {row["text"]: {name: row["fields"].get(name) for name in FIELDS} for row in claims()}


def test_a_prompted_model_reads_objects_and_its_failures_are_explained(measured: Checkout) -> None:
    with Double(Skilled(truth(), base=0.8, strong=0.98, evidence=0.85, invalid=0.1)) as double:
        model = {"endpoint": double.url, "context_tokens": 16384, "max_output_tokens": 1024}
        models = [{"name": "small", **model}, {"name": "strong", "role": "strong", **model}]
        measured.spec(prompt={"models": models, "min_rows": 20, "batch_rows": 20, "stop": "never", "shots": 3})
        for stage in ("prompt", "diagnose", "decide"):
            measured.ok("tailtune", stage, NAME)
    prompted, diagnosed = measured.report("prompt"), measured.report("diagnose")
    rungs = {rung["name"]: rung for rung in prompted["rungs"]}
    assert list(rungs) == [
        "lm_zero_shot", "lm_few_shot", "lm_chain_of_thought", "lm_retrieval", "lm_constrained", "lm_strong",
    ]  # fmt: skip
    assert rungs["lm_zero_shot"]["invalid_rows"] > 0 and rungs["lm_constrained"]["invalid_rows"] == 0
    assert (
        rungs["lm_constrained"]["metrics"]["schema_valid"]["value"]
        > rungs["lm_zero_shot"]["metrics"]["schema_valid"]["value"]
    )
    assert 0.6 < rungs["lm_retrieval"]["metrics"]["field_f1"]["value"] < 0.97
    assert rungs["lm_strong"]["metrics"]["field_f1"]["value"] > 0.9
    assert diagnosed["failures"] == sum(one["rows"] for one in diagnosed["classes"]) > 0
    assert max(diagnosed["classes"], key=lambda one: one["rows"])["fault"] == "model"
    shown = diagnosed["classes"][0]["examples"][0]
    assert "→" in shown["detail"] or shown["expected"] != shown["answered"]
    assert measured.report("decide")["best_rung"] in {*rungs, "patterns"}


def test_a_searched_prompt_reads_objects_better(measured: Checkout) -> None:
    with Double(Hinted(Skilled(truth(), base=0.6), Skilled(truth(), base=0.95))) as double:
        model = {"endpoint": double.url, "context_tokens": 16384, "max_output_tokens": 1024}
        models = [{"name": "small", **model}, {"name": "strong", "role": "strong", **model}]
        rungs = ["lm_zero_shot", "lm_optimised"]
        measured.spec(prompt={"models": models, "rungs": rungs, "min_rows": 20, "batch_rows": 20, "stop": "never"})
        measured.ok("tailtune", "prompt", NAME)
    zero, better = measured.report("prompt")["rungs"]
    assert (better["name"], better["prompt"], better["prompt_version"]) == ("lm_optimised", "optimised", 1)
    assert better["metrics"]["field_f1"]["value"] > zero["metrics"]["field_f1"]["value"] + 0.2
    assert any("copy it to models/" in note for note in better["notes"])


def test_random_weights_held_to_the_schema_are_always_valid(measured: Checkout, tmp_path: Path) -> None:
    folder = write_random_model(measured.root / "lm" / "random", texts=[json.dumps(SCHEMA)], vocabulary=900)
    model = {"name": "random", "folder": str(folder.relative_to(measured.root)), "context_tokens": 4096,
             "max_output_tokens": 200, "concurrency": 16}  # fmt: skip
    rungs = ["lm_zero_shot", "lm_constrained"]
    measured.spec(
        prompt={"models": [model], "rungs": rungs, "min_rows": 20, "batch_rows": 20, "max_rows": 20, "stop": "never"}
    )
    measured.ok("tailtune", "prompt", NAME)
    free, held = measured.report("prompt")["rungs"]
    assert free["invalid_rows"] >= 15, "random weights write hardly any JSON by themselves"
    assert free["metrics"]["schema_valid"]["value"] == 0.0
    assert held["invalid_rows"] == 0 and held["metrics"]["schema_valid"]["value"] == 1.0
    assert held["usd_per_1000"] > 0 and set(held["latency"]["parts"]) >= {"tokenise", "infer"}
