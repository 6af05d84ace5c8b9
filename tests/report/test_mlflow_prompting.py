"""Prompted rungs stand in one table with all other rungs, and failures are counted by fault."""

import json
import re
from pathlib import Path

import pytest
from services.mlflow import examples, prompted

from tailtune.core.errors import SpecError
from tailtune.core.run_plan import RunPlan
from tailtune.report.mlflow import plan
from tailtune.tasks.use_case import UseCase, load_use_case

from .test_mlflow import QUALITY

MODELS = """\
prompt:
  models:
    - {name: small, endpoint: "http://ann:secret@llm.example:8000/v1", key_env: SMALL_KEY, model: small-8b}
    - {name: large, role: strong, folder: models/large}
"""


def values(shape: RunPlan) -> dict[str, float]:
    found = {point.name: point.value for point in shape.metrics}
    assert len(found) == len(shape.metrics)
    return found


def test_a_prompted_rung_has_every_rungs_columns_and_its_own(case: UseCase) -> None:
    zero_shot, retrieval = plan(prompted.prompt(case), case.spec).children
    found = values(zero_shot)
    assert found.keys() >= QUALITY - {"macro_f1", "macro_f1_low", "macro_f1_high"}
    assert found["latency_wait_ms"] == 180.0 and found["latency_server_ms"] == 140.0
    assert (found["rows_asked"], found["rows_saved_share"]) == (300, pytest.approx(0.7))
    assert (found["usd_per_1000"], found["usd_per_1000_low"], found["usd_per_1000_high"]) == (0.42, 0.41, 0.43)
    assert (found["input_tokens"], found["invalid/two labels"], found["invalid_rows"]) == (812.5, 3, 4)
    assert "p_adjusted" not in found and "difference" not in found
    assert values(retrieval)["p_adjusted"] == 4e-6 and values(retrieval)["difference_low"] == 0.07
    assert zero_shot.params.items() >= {
        "split": "dev", "rung": "lm_zero_shot", "model": "small", "role": "base", "prompt": "zero_shot",
        "prompt_version": "3", "constrained": "false", "settled": "falls short",
    }.items()  # fmt: skip


def test_what_was_not_told_is_not_logged_as_nothing(case: UseCase) -> None:
    retrieval = plan(prompted.prompt(case), case.spec).children[1]
    found = values(retrieval)
    assert not {"usd", "usd_per_1000", "usd_per_1000_low", "input_tokens", "output_tokens"} & set(found)
    assert found["unpriced_rows"] == 300
    assert "prompt_version" not in retrieval.params
    assert "the endpoint tells no usage" in retrieval.note


def test_a_rungs_run_leads_to_its_prompt_in_the_registry(case: UseCase) -> None:
    zero_shot, retrieval = plan(prompted.prompt(case), case.spec).children
    linked = json.loads(zero_shot.tags["mlflow.linkedPrompts"])
    assert linked == [{"name": "support-tickets.zero_shot", "version": "3"}]
    assert "mlflow.linkedPrompts" not in retrieval.tags


def test_the_parent_says_what_was_saved_and_what_was_not_bought(case: UseCase) -> None:
    shape = plan(prompted.prompt(case), case.spec)
    found = values(shape)
    assert (found["rows_asked"], found["rows_saved_share"], found["usd_spent"]) == (600, 0.7, 0.27)
    assert "usd_saved_share" not in found
    assert shape.params["best_rung"] == "lm_retrieval"
    assert "lm_strong: the base model meets the target" in shape.note
    assert {"figures/quality.svg", "figures/times.svg"} <= set(shape.texts)


def test_no_prompted_rung_draws_nothing_and_is_told(case: UseCase) -> None:
    shape = plan(prompted.nothing_prompted(case), case.spec)
    assert (shape.children, shape.texts) == ((), {})
    assert "none is declared" in shape.note


def test_no_password_of_an_endpoint_gets_into_a_run(tmp_path: Path) -> None:
    text = examples.MODEL_YAML.replace("prompt: {}\n", MODELS)
    assert "secret" in text
    made = examples.make_case(tmp_path / "other")
    made.paths.model_yaml.write_text(text)
    with pytest.raises(SpecError) as refusal:
        load_use_case(made.paths.project, made.name)
    assert "secret" not in str(refusal.value)
    made.paths.model_yaml.write_text(re.sub(r"//[^@/]*@", "//", text))
    shape = plan(prompted.prompt(made), load_use_case(made.paths.project, made.name).spec)
    assert shape.params["prompt.model.small"] == "base: small-8b at http://llm.example:8000/v1"
    assert shape.params["prompt.model.large"] == "strong: large at models/large"


def test_failures_are_counted_by_fault(case: UseCase) -> None:
    shape = plan(prompted.diagnose(case), case.spec)
    found = values(shape)
    assert (found["failures/model"], found["failures/context"], found["failures/label"]) == (12, 16, 5)
    assert sum(value for name, value in found.items() if name.startswith("failures/")) == found["failures"] == 33
    classes, shown = shape.tables["classes.json"], shape.tables["examples.json"]
    assert list(classes["reason"]) == ["too weak", "retrieval missed", "ambiguous labels", "label suspect"]
    assert classes["share_low"][0] == pytest.approx(12 / 33 - 0.1)
    assert [shown["reason"], shown["origin"]] == [["ambiguous labels"], ["tickets.jsonl:7"]]
    assert list(shape.tables["mixed_up.json"]["rows"]) == [7]


def test_nothing_diagnosed_is_a_run_without_tables(case: UseCase) -> None:
    bare = prompted.diagnose(case).model_copy(
        update={"rung": None, "classes": (), "mixed_up": (), "failures": 0, "rows": 0}
    )
    shape = plan(bare, case.spec)
    assert "no prompted rung was measured" in shape.note
    assert not any(shape.tables.values())


def test_both_roads_are_metrics_of_decision_and_evaluation(case: UseCase) -> None:
    decided = examples.decide(case).model_copy(update={"economics": prompted.economics()})
    evaluated = examples.evaluate(case).model_copy(update={"final": prompted.final()})
    for shape in (plan(decided, case.spec), plan(evaluated, case.spec)):
        found = values(shape)
        assert (found["tco_usd/prompt"], found["tco_usd/fine-tune"]) == (1800.0, 1780.0)
        assert (found["net_value_usd"], found["net_value_usd_low"]) == (54_770.0, 30_000.0)
        assert (found["break_even_per_day"], found["break_even_per_day_high"]) == (5800.0, 9100.0)
    assert plan(evaluated, case.spec).tags["tailtune.verdict"] == "fine-tune"
    assert "It pays." in plan(evaluated, case.spec).note
    assert "tailtune.verdict" not in plan(examples.evaluate(case), case.spec).tags


def test_a_road_without_price_and_a_break_even_that_never_comes_are_left_out(case: UseCase) -> None:
    decided = examples.decide(case).model_copy(update={"economics": prompted.economics(never=True)})
    found = values(plan(decided, case.spec))
    assert found["tco_usd/prompt"] == 1800.0
    assert not {"tco_usd/fine-tune", "break_even_per_day", "break_even_per_day_high"} & set(found)
    assert found["break_even_per_day_low"] == 4200.0
