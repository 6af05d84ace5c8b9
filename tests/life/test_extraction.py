"""The whole life of a tiny extraction: from rows with spans to a served model whose every answer is valid."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from life.checkout import NAME, Checkout
from tailtune.lifecycle.table import STAGES

NAMES = [stage.name for stage in STAGES]
pytestmark = pytest.mark.slow
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["order", "day", "amount", "request", "urgent"],
    "properties": {
        "order": {"type": ["string", "null"], "pattern": "^OR-\\d{4}$", "x-normal": "upper"},
        "day": {"type": ["string", "null"], "format": "date"},
        "amount": {
            "type": ["object", "null"],
            "properties": {"amount": {"type": "number", "minimum": 0}, "currency": {"enum": ["USD", "EUR"]}},
            "required": ["amount", "currency"],
            "additionalProperties": False,
        },
        "items": {"type": "array", "items": {"type": "string"}},
        "request": {"enum": ["refund", "exchange", "status"]},
        "urgent": {"type": ["boolean", "null"]},
    },
}
ASKED = {
    "refund": ("i want my money back", "please refund", "return the amount"),
    "exchange": ("send me another one", "exchange it please", "i need a different size"),
    "status": ("where is it", "has it shipped", "any news"),
}
DAYS = {
    "4 May 2026": "2026-05-04",
    "2026-06-11": "2026-06-11",
    "July 3, 2026": "2026-07-03",
    "8 August 2026": "2026-08-08",
}
ITEMS = ("lamp", "chair", "green kettle", "bread knife", "rug")
HURRY = {"this is urgent": True, "no hurry": False, "": None}


def claims() -> list[dict[str, Any]]:
    """Some hundred orders; each field stands where another may stand in the next."""
    made = []
    wishes = [(request, words) for request, said in ASKED.items() for words in said]
    for n, ((request, words), (day, iso), item, (hurry, urgent)) in enumerate(
        itertools.product(wishes, DAYS.items(), ITEMS, HURRY.items())
    ):
        if n % 2:
            continue
        order, amount = f"or-{1000 + n * 7}", 20 + n % 90
        parts = [
            ("order", order),
            (None, "of"),
            ("day", day),
            (None, "the"),
            ("items", item),
            (None, f"for {chr(8203)}"),
        ]
        parts += [("amount", f"${amount}"), (None, f", {words} {hurry}")]
        if n % 3 == 0:
            parts = [*parts[-1:], (None, "it was"), *parts[2:3], (None, "and"), *parts[6:7], (None, "for"), *parts[0:1]]
        text, entities = "", []
        for field, words_ in parts:
            text += " " if text else ""
            if field:
                entities.append({"start": len(text), "end": len(text) + len(words_), "label": field})
            text += words_
        fields: dict[str, Any] = {"order": order.upper(), "day": iso, "request": request, "urgent": urgent}
        fields["amount"] = {"amount": amount, "currency": "USD"}
        if n % 3:
            fields["items"] = [item]
        made.append({"text": text, "entities": entities, "fields": fields})
    bad = {
        "text": "caf\u00e9 order or-1234",
        "entities": [{"start": 12, "end": 19, "label": "order"}],
        "fields": {"request": "status"},
    }
    outside = {
        "text": "short",
        "entities": [{"start": 2, "end": 60, "label": "order"}],
        "fields": {"request": "status"},
    }
    return [*made, bad, outside]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    folder = tmp_path_factory.mktemp("extraction")
    checkout = Checkout.bare(folder / "checkout")
    (folder / "orders.jsonl").write_text("".join(json.dumps(row) + "\n" for row in claims()), encoding="utf-8")
    (folder / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    words = ("--from", str(folder / "orders.jsonl"), "--schema", str(folder / "schema.json"))
    checkout.ok("tailtune", "new", NAME, "--task", "extraction", *words)
    checkout.spec(ladder={"latency_rows": 20, "curve_points": 2}, targets={"field_f1": 0.999, "min_train_rows": 0})
    checkout.spec(curate={"near_duplicate_similarity": 1.0}, evaluate={"latency_rows": 20, "resamples": 200})
    checkout.spec(train={"epochs": 2, "rank": 4, "max_tokens": 64, "when": "always"})
    checkout.settle()
    return checkout, checkout.ok("tailtune", "run", NAME)


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


def test_the_second_run_does_nothing(lived: tuple[Checkout, str]) -> None:
    checkout, _ = lived
    before = checkout.stamps(NAMES)
    checkout.ok("tailtune", "run", NAME)
    assert checkout.stamps(NAMES) == before


def test_another_schema_makes_everything_stale(lived: tuple[Checkout, str]) -> None:
    checkout, _ = lived
    path = checkout.root / "models" / NAME / "schema.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"status"]', '"status", "other"]'), encoding="utf-8")
    assert f"curate@{NAME}" in checkout.ok("dvc", "status")


def test_a_schema_that_cannot_be_met_is_told_with_its_line(tmp_path: Path) -> None:
    checkout = Checkout.bare(tmp_path / "checkout")
    rows = tmp_path / "orders.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in claims()[:20]), encoding="utf-8")
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "order": {"type": "string"}}}  # type: ignore[dict-item]
    (tmp_path / "schema.json").write_text(json.dumps(schema, indent=1), encoding="utf-8")
    words = ("--from", str(rows), "--schema", str(tmp_path / "schema.json"))
    done = checkout.run("tailtune", "new", NAME, "--task", "extraction", *words)
    assert done.returncode == 1
    assert "schema.json:" in done.stderr and "order" in done.stderr and "Next:" in done.stderr
    assert not (checkout.root / "models" / NAME).exists()
