"""The shape of model.yaml: strict, frozen, and digests that follow their section only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from config.examples import MODEL_YAML, project
from tailtune.config.located import known_keys
from tailtune.config.model import SECTIONS, ModelSpec
from tailtune.core.errors import SpecError
from tailtune.tasks.classification import config as classification
from tailtune.tasks.classification.config import ClassificationSpec
from tailtune.tasks.extraction import config as extraction
from tailtune.tasks.table import TASKS
from tailtune.tasks.use_case import load_use_case

EMPTY: dict[str, Any] = {name: {} for name in SECTIONS} | {
    "task": "classification",
    "description": "",
    "data": {"file": "rows.csv"},
}


def spec(**sections: Any) -> ModelSpec:
    return ClassificationSpec.model_validate(EMPTY | sections)


# A value other than the default of every key, so that each is seen to reach its digest.
CHANGED: dict[str, dict[str, Any]] = {
    "data": {"file": "b.csv", "test_file": "t.csv", "text": "t", "label": "l", "group": "g", "drop_rejected": False,
             "slices": ["s"]},
    "curate": {"min_chars": 4, "max_chars": 50, "near_duplicate_similarity": 0.9, "scrub_pii": ["email"]},
    "split": {"dev_share": 0.2, "test_share": 0.2, "salt": "x"},
    "validate": {"min_rows": 20, "min_rows_per_class": 3, "max_leak_share": 0.3, "max_dropped_share": 0.4},
    "ladder": {"rungs": ["tfidf"], "shots": 3, "neighbours": 3, "latency_rows": 30, "max_fit_rows": 200,
               "curve_points": 3},
    "prompt": {"models": [{"name": "small", "endpoint": "http://127.0.0.1:1/v1"}], "rungs": ["lm_few_shot"],
               "shots": 3, "max_cost_usd": 2, "stop": "never", "batch_rows": 10, "min_rows": 10, "max_rows": 10,
               "embedded_rows": 10, "max_minutes": 3.0, "optimise_calls": 20},
    "targets": {"accuracy": 0.9, "p99_ms": 9.0, "min_effect": 0.01, "margin": 0.02, "head_room": 2.0,
                "min_train_rows": 10, "validity": 0.9, "macro_f1": 0.8, "recall": {"a": 0.9}, "f1": {"a": 0.9},
                "must_not_fail": "must.jsonl"},
    "value": {"requests_per_day": 1.0, "error_usd": 1.0, "horizon_months": 3, "change_every_days": 3.0,
              "prompt_hours_per_change": 3.0, "retrain_hours_per_change": 3.0, "new_labels_per_change": 3,
              "label_usd": 0.5},
    "train": {"when": "never", "max_cost_usd": 1, "experiment_usd": 1, "rank": 2, "alpha": 2, "dropout": 0.1,
              "token_dropout": 0.2, "modules": ["query"], "epochs": 1, "patience": 1, "batch_rows": 2,
              "learning_rate": 0.1, "head_learning_rate": 0.2, "max_tokens": 16, "max_rows": 200, "seed": 1,
              "checkpoint_s": 1.0},
    "evaluate": {"resamples": 200, "latency_rows": 30, "calibration_bins": 5},
    "register": {"model": "m", "promote_if": "not-worse", "block_slices": True},
    "serve": {"alias": "live", "challenger": "next", "shadow_share": 0.1, "text_from": "Ticket: {text}",
              "passthrough": "small", "max_usd_per_day": 2.0, "limits": {"rows": 3}, "log": {"text": "hash"}},
    "monitor": {"false_alarms": 0.1, "tolerance": 0.05, "accuracy_fall": 0.03, "usd_per_day": 9.0,
                "alerts": {"cooldown_hours": 6}},
    "retrain": {"cooldown_days": 3, "next_chance_days": 3, "min_new_labels": 3, "labels_from": "new",
                "push": ["dvc", "tag"], "result": "files"},
}  # fmt: skip


def test_the_examples_cover_every_key_of_every_section() -> None:
    assert set(CHANGED) == set(SECTIONS) - {"task", "description"}
    for section, keys in CHANGED.items():
        assert sorted(keys) == sorted(known_keys(ClassificationSpec, (section,))), section


@pytest.mark.parametrize(("section", "key"), [(s, k) for s, keys in CHANGED.items() for k in keys])
def test_a_key_changes_the_digest_of_its_section_and_of_no_other(section: str, key: str) -> None:
    before = spec()
    after = spec(**{section: EMPTY[section] | {key: CHANGED[section][key]}})
    changed = [name for name in SECTIONS if before.digest((name,)) != after.digest((name,))]
    assert changed == [section]
    assert before.digest((section, "task")) != after.digest((section, "task"))
    others = tuple(name for name in SECTIONS if name != section)
    assert before.digest(others) == after.digest(others)


def test_a_digest_follows_values_not_spelling(tmp_path: Path) -> None:
    plain = load_use_case(project(tmp_path / "a"), "tickets").spec
    text = MODEL_YAML.replace("max_cost_usd: 4.00", "# why\n  rank: 16\n  max_cost_usd: 4.00")
    assert text != MODEL_YAML
    spelled = load_use_case(project(tmp_path / "b", text), "tickets").spec
    assert plain.digest(SECTIONS) == spelled.digest(SECTIONS)
    assert plain.digest(("train", "data")) == plain.digest(("data", "train"))


def test_a_section_is_plain_values() -> None:
    assert spec().section("register") == {"model": None, "block_slices": False, "promote_if": "better"}
    assert spec().section("task") == {"task": "classification"}
    with pytest.raises(KeyError):
        spec().section("validate_")


def test_specs_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        spec().train.rank = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("data", "file", 3),
        ("curate", "near_duplicate_similarity", 0.5),
        ("curate", "scrub_pii", ["shoe size"]),
        ("split", "dev_share", 0),
        ("validate", "min_rows_per_class", 1),
        ("ladder", "rungs", []),
        ("ladder", "rungs", ["oracle"]),
        ("ladder", "rungs", ["probe", "tfidf", "probe"]),
        ("data", "slices", ["channel", "channel"]),
        ("ladder", "curve_points", 1),
        ("targets", "accuracy", 1),
        ("targets", "accuracy", float("nan")),
        ("targets", "head_room", 0.9),
        ("targets", "validity", 1.1),
        ("targets", "macro_f1", 1.0),
        ("targets", "recall", {"a": 0.0}),
        ("targets", "f1", {"a": 1.1}),
        ("targets", "must_not_fail", "../must.jsonl"),
        ("prompt", "models", [{"name": "Small!", "endpoint": "http://127.0.0.1:1/v1"}]),
        ("prompt", "models", [{"name": "small"}]),
        ("prompt", "models", [{"name": "small", "endpoint": "http://a/v1", "folder": "lm"}]),
        ("prompt", "models", [{"name": "small", "endpoint": "ftp://a/v1"}]),
        ("prompt", "models", [{"name": "small", "endpoint": "http:///v1"}]),
        ("prompt", "models", [{"name": "small", "endpoint": "http://[a/v1"}]),
        ("prompt", "models", [{"name": "small", "endpoint": "http://a:port/v1"}]),
        ("prompt", "models", [{"name": "small", "endpoint": "http://a b/v1"}]),
        ("prompt", "models", [{"name": "small", "endpoint": "http://a/v1", "key_env": "sk-123"}]),
        ("prompt", "rungs", ["lm_magic"]),
        ("prompt", "rungs", ["lm_zero_shot", "lm_zero_shot"]),
        ("prompt", "max_cost_usd", 0),
        ("value", "requests_per_day", 0),
        ("train", "when", "sometimes"),
        ("train", "max_cost_usd", 0),
        ("train", "rank", 2.5),
        ("train", "learning_rate", "fast"),
        ("evaluate", "resamples", 99),
        ("register", "promote_if", "worse"),
    ],
)
def test_a_value_of_the_wrong_kind_or_out_of_range_is_refused(section: str, key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        spec(**{section: EMPTY[section] | {key: value}})
    assert {item["loc"][:2] for item in caught.value.errors()} == {(section, key)}


def test_a_faulty_value_is_told_with_its_line(tmp_path: Path) -> None:
    paths = project(tmp_path, MODEL_YAML.replace("4.00", "-1\n  when: sometimes"))
    with pytest.raises(SpecError) as caught:
        load_use_case(paths, "tickets")
    assert [str(fault) for fault in caught.value.faults] == [
        "models/tickets/model.yaml:11  train.when: input should be 'auto', 'always' or 'never', found 'sometimes'",
        "models/tickets/model.yaml:10  train.max_cost_usd: input should be greater than 0, found -1",
    ]


def test_splits_must_leave_rows_to_train_on(tmp_path: Path) -> None:
    shares = {"dev_share": 0.3, "test_share": 0.4}
    with pytest.raises(ValidationError, match=r"dev_share \+ test_share is 0\.70; leave train ≥ 0\.4"):
        spec(split=shares)
    given_test = spec(split=shares, data={"file": "a.csv", "test_file": "b.csv"})
    assert given_test.split.dev_share == 0.3
    paths = project(tmp_path, MODEL_YAML.replace("split: {}", "split: {dev_share: 0.3, test_share: 0.4}"))
    with pytest.raises(SpecError, match=r"models/tickets/model\.yaml:1  split: dev_share"):
        load_use_case(paths, "tickets")


ONE = {"name": "small", "endpoint": "http://127.0.0.1:1/v1"}


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([ONE, {**ONE, "role": "strong"}], "name small stands twice"),
        ([ONE, {**ONE, "name": "other"}], "role base stands twice"),
        ([{**ONE, "role": "strong"}], "one must have the role base"),
    ],
)
def test_language_models_are_one_of_each_role(models: list[dict[str, str]], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        spec(prompt={"models": models})


def test_a_language_model_is_called_by_its_name_unless_told_otherwise() -> None:
    named = spec(prompt={"models": [ONE, {**ONE, "name": "large", "role": "strong", "model": "vendor/large-2"}]}).prompt
    assert [named.model("base").called, named.model("strong").called] == ["small", "vendor/large-2"]  # type: ignore[union-attr]
    assert [model.embedded for model in spec().prompt.models] == ["smollm2"]
    assert spec(prompt={"models": []}).prompt.model("base") is None


def test_money_is_exact() -> None:
    assert spec(train={"max_cost_usd": 4.10}).train.max_cost_usd == 4.1


def test_rungs_in_the_spec_are_the_rungs_there_are() -> None:
    from tailtune.config.prompting import PROMPT_RUNGS
    from tailtune.tasks.saved import RUNG_KINDS

    assert tuple(RUNG_KINDS) == (*classification.RUNGS, *extraction.RUNGS, *PROMPT_RUNGS)
    for task in (classification, extraction):
        assert get_args(task.RungName) == task.RUNGS


def test_every_key_says_what_it_means() -> None:
    def fields(model: type[BaseModel]):
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                assert inner.__doc__
                yield from fields(inner)
            else:
                yield name, field.description

    found = [pair for task in TASKS.values() for pair in fields(task.load_class().spec_type)]
    assert len(found) > 90
    assert [name for name, text in found if not (text or "").endswith(".")] == []
