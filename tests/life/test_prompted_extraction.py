"""Objects out of texts by a prompted model: over the protocol, and by random weights held to the schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from doubles.endpoint import Double
from doubles.skill import Hinted, Skilled
from predictors.prompted.random_model import write_random_model
from worlds import lives
from worlds.checkout import NAME, Checkout
from worlds.orders import SCHEMA, claims

pytestmark = pytest.mark.slow
FIELDS = list(SCHEMA["properties"])  # type: ignore[call-overload]


@pytest.fixture
def measured(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Orders whose ladder is measured: a copy of the finished life."""
    checkout = lives.extraction(tmp_path_factory)[0].copy(tmp_path / "checkout")
    checkout.spec(value={"requests_per_day": 500})
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
            measured.does(stage, NAME)
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
    cheaper = {rung["name"] for rung in measured.report("ladder")["rungs"]}
    assert measured.report("decide")["best_rung"] in {*rungs, *cheaper}


def test_a_searched_prompt_reads_objects_better(measured: Checkout) -> None:
    with Double(Hinted(Skilled(truth(), base=0.6), Skilled(truth(), base=0.95))) as double:
        model = {"endpoint": double.url, "context_tokens": 16384, "max_output_tokens": 1024}
        models = [{"name": "small", **model}, {"name": "strong", "role": "strong", **model}]
        rungs = ["lm_zero_shot", "lm_optimised"]
        measured.spec(prompt={"models": models, "rungs": rungs, "min_rows": 20, "batch_rows": 20, "stop": "never"})
        measured.does("prompt", NAME)
    zero, better = measured.report("prompt")["rungs"]
    assert (better["name"], better["prompt"], better["prompt_version"]) == ("lm_optimised", "optimised", 1)
    assert better["metrics"]["field_f1"]["value"] > zero["metrics"]["field_f1"]["value"] + 0.2
    assert any("copy it to models/" in note for note in better["notes"])


def test_random_weights_held_to_the_schema_are_always_valid(measured: Checkout) -> None:
    folder = write_random_model(measured.root / "lm" / "random", texts=[json.dumps(SCHEMA)], vocabulary=900)
    model = {"name": "random", "folder": str(folder.relative_to(measured.root)), "context_tokens": 4096,
             "max_output_tokens": 200, "concurrency": 16}  # fmt: skip
    rungs = ["lm_zero_shot", "lm_constrained"]
    measured.spec(
        prompt={"models": [model], "rungs": rungs, "min_rows": 20, "batch_rows": 20, "max_rows": 20, "stop": "never"}
    )
    measured.does("prompt", NAME)
    report = measured.report("prompt")
    (content,) = report["rungs"]
    (unusable,) = re.findall(r"(\d+) of 18 answers could not be used", "; ".join(report["unmeasured"]))
    assert int(unusable) >= 15, "random weights write hardly any JSON by themselves"
    assert content["invalid_rows"] == 0 and content["metrics"]["schema_valid"]["value"] == 1.0
    assert content["usd_per_1000"] > 0 and set(content["latency"]["parts"]) >= {"tokenise", "infer"}
