"""The whole life of a tiny extraction: from rows with spans to a served model whose every answer is valid."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from worlds import lives
from worlds.checkout import NAME, Checkout
from worlds.orders import SCHEMA, claims

from tailtune.lifecycle.table import STAGES

NAMES = [stage.name for stage in STAGES]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    return lives.extraction(tmp_path_factory)


@pytest.fixture
def mine(lived: tuple[Checkout, str], tmp_path: Path) -> Checkout:
    """A copy of the finished life, to be changed."""
    return lived[0].copy(tmp_path / "checkout")


def test_every_stage_reports_and_the_summary_tells(lived: tuple[Checkout, str]) -> None:
    checkout, printed = lived
    assert [name for name in NAMES if (checkout.reports / f"{name}.json").is_file()] == NAMES
    for words in ("6 fields", "field F1", "whole object", "schema-valid", "Registered"):
        assert words in printed, words
    assert (checkout.root / checkout.report("register")["page"]).stat().st_size > 10_000


def test_rows_of_no_use_are_counted_with_their_reason(lived: tuple[Checkout, str]) -> None:
    curated = lived[0].report("curate")
    assert curated["dropped"]["span_bytes"] == curated["dropped"]["span_outside"] == 1
    assert curated["rows_read"] == curated["rows_kept"] + sum(curated["dropped"].values())
    assert curated["unit"] == "field"
    assert curated["unaligned"] == {}


def test_every_answer_of_every_candidate_is_valid(lived: tuple[Checkout, str]) -> None:
    from jsonschema import Draft202012Validator

    checkout, _ = lived
    validator = Draft202012Validator(SCHEMA)
    evaluated = checkout.report("evaluate")
    names = [candidate["name"] for candidate in evaluated["candidates"]]
    assert names == ["lora", "blank", "patterns", "template", "token_probe"]
    lines = (checkout.build / "evaluate" / "test_answers.jsonl").read_text(encoding="utf-8").splitlines()
    answers = [json.loads(line) for line in lines]
    assert len(answers) == evaluated["test_rows"] > 20
    for answer, name in itertools.product(answers, names):
        assert validator.is_valid(json.loads(answer[name])), (name, answer[name])
    assert all(candidate["metrics"]["schema_valid"]["value"] == 1 for candidate in evaluated["candidates"])


def test_learning_beats_saying_nothing(lived: tuple[Checkout, str]) -> None:
    found = {one["name"]: one["metrics"]["field_f1"]["value"] for one in lived[0].report("evaluate")["candidates"]}
    assert found["blank"] < 0.5 < min(found["patterns"], found["token_probe"], found["lora"])


def test_failures_show_what_differs_in_the_text(lived: tuple[Checkout, str]) -> None:
    checkout, _ = lived
    lines = (checkout.build / "evaluate" / "failures.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == checkout.report("evaluate")["failures"]
    for line in lines:
        failure = json.loads(line)
        assert failure["origin"].startswith("orders.jsonl:")
        assert failure["wrong"]


def test_the_registered_model_returns_valid_json(lived: tuple[Checkout, str]) -> None:
    checkout, _ = lived
    script = """
import json, sys, mlflow, pandas as pd
mlflow.set_tracking_uri(f"sqlite:///{sys.argv[1]}")
model = mlflow.pyfunc.load_model(sys.argv[2])
print(model.metadata.signature.outputs.input_names())
needed = open(mlflow.pyfunc.get_model_dependencies(sys.argv[2])).read().split()
print(sorted(line.partition("==")[0] for line in needed))
texts = ["or-4321 of 4 May 2026 for $75, please refund", "", "caf\u00e9 \U0001f525 nothing here"]
for row in model.predict(pd.DataFrame({"text": texts})).to_dict("records"):
    print(json.dumps(row))
"""
    store = checkout.root / "mlflow" / "store" / "mlflow.db"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(store), checkout.report("register")["uri"]],
        capture_output=True, text=True, cwd=checkout.root, env=checkout.env, check=True,
    )  # fmt: skip
    columns, needed, *rows = done.stdout.splitlines()
    for name in ("dateparser", "jsonschema", "phonenumbers", "price-parser"):
        assert f"'{name}'" in needed, f"{name} is imported late, and a served model needs it all the same"
    assert columns == "['json', 'confidence', 'confidences', 'reasons']"
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(SCHEMA)
    objects = [json.loads(json.loads(row)["json"]) for row in rows]
    assert len(objects) == 3
    assert all(validator.is_valid(found) for found in objects)
    assert objects[0]["order"] == "OR-4321" and objects[0]["day"] == "2026-05-04"


def test_a_look_compares_objects_field_by_field(mine: Checkout, tmp_path: Path) -> None:
    rows = [{"text": f"please call me back about the garden hose, number {n}"} for n in range(60)]
    file = tmp_path / "strange.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = mine.inside("monitor", NAME, "--in", str(file), "--exit-code")
    assert done.code == 3, "drift"
    assert "Objects without" in done.out or "Objects with " in done.out, done.out
    assert "Confidence of" in done.out


def test_the_second_run_does_nothing(mine: Checkout) -> None:
    before = mine.stamps(NAMES)
    mine.ok("tailtune", "run", NAME)
    assert mine.stamps(NAMES) == before


def test_another_schema_makes_everything_stale(mine: Checkout) -> None:
    path = mine.root / "models" / NAME / "schema.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"status"]', '"status", "other"]'), encoding="utf-8")
    assert f"curate@{NAME}" in mine.ok("dvc", "status")


def test_a_schema_that_cannot_be_met_is_told_with_its_line(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    checkout = Checkout.bare(tmp_path_factory, tmp_path / "checkout")
    rows = tmp_path / "orders.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in claims()[:20]), encoding="utf-8")
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "order": {"type": "string"}}}  # type: ignore[dict-item]
    (tmp_path / "schema.json").write_text(json.dumps(schema, indent=1), encoding="utf-8")
    words = ("--from", str(rows), "--schema", str(tmp_path / "schema.json"))
    done = checkout.inside("new", NAME, "--task", "extraction", *words)
    assert done.code == 1
    assert "schema.json:" in done.err and "order" in done.err and "Next:" in done.err
    assert not (checkout.root / "models" / NAME).exists()
