"""A value of another kind than declared is refused, never turned into one; a key with two values means neither."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from config.examples import MODEL_YAML, project
from pydantic import ValidationError

from tailtune.config.located import LinedYaml
from tailtune.config.prices import PriceSpec
from tailtune.config.strict import StrictSpec
from tailtune.core.errors import DataError, SpecError
from tailtune.services import sources
from tailtune.services.sources import Columns, one_label
from tailtune.services.sources.faults import Faults
from tailtune.serving.batch.source import Source
from tailtune.tasks.classification.config import ClassificationSpec
from tailtune.tasks.extraction import annotate
from tailtune.tasks.extraction.config import ExtractionSpec
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import propose_schema
from tailtune.tasks.use_case import load_use_case

WRONG: dict[type, tuple[Any, ...]] = {
    int: (True, False, "7", 7.5),
    float: (True, False, "0.7", "1e-3"),
    str: (True, 7, 0.5),
    bool: (0, 1, "yes", "true"),
}


def _specs(spec: type[StrictSpec]) -> Iterator[type[StrictSpec]]:
    yield spec
    for field in spec.model_fields.values():
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, StrictSpec):
                yield from _specs(inner)


def _kinds(annotation: Any) -> set[Any]:
    return {annotation} | {kind for inner in get_args(annotation) for kind in _kinds(inner)}


PLAIN = {
    (spec.__name__, name, kind): spec
    for root in (ClassificationSpec, ExtractionSpec, PriceSpec)
    for spec in _specs(root)
    for name, field in spec.model_fields.items()
    for kind in WRONG
    if _kinds(field.annotation) <= {kind, type(None), kind | None}
}


def test_no_field_of_any_spec_takes_a_value_of_another_kind() -> None:
    assert len(PLAIN) > 100 and {kind for _, _, kind in PLAIN} == set(WRONG)
    for (shown, name, kind), spec in PLAIN.items():
        key = spec.model_fields[name].alias or name
        for value in WRONG[kind]:
            with pytest.raises(ValidationError) as caught:
                spec.model_validate({key: value})
            assert (key,) in [error["loc"] for error in caught.value.errors()], f"{shown}.{name}: {value!r}"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1E+3", 1000.0),
        ("+.5", 0.5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("010", "010"),
        ("1:30", "1:30"),
        ("1:30.5", "1:30.5"),
        ("09", "09"),
        ("'1e-3'", "1e-3"),
        ("1e", "1e"),
        (".e3", ".e3"),
    ],
)
def test_numbers_are_those_that_dvc_reads_and_010_is_no_8(tmp_path: Path, written: str, value: Any) -> None:
    (tmp_path / "f.yaml").write_text(f"a: {written}\n")
    read = LinedYaml(tmp_path / "f.yaml", "f.yaml", "edit f.yaml").value["a"]
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("train: {rank: yes}", "train.rank: input should be a valid integer, found True"),
        ("train: {epochs: 010}", "train.epochs: input should be a valid integer, found '010'"),
        ("train: {checkpoint_s: 1:30}", "needs quotes between braces"),
        ("train: {dropout: '0.5'}", "train.dropout: input should be a valid number, found '0.5'"),
        ("targets: {recall: {billing: true}}", "targets.recall.billing: input should be a valid number, found True"),
        ("register: {block_slices: 1}", "register.block_slices: input should be a valid boolean, found 1"),
    ],
)
def test_a_spec_says_where_a_value_of_another_kind_stands(tmp_path: Path, section: str, fault: str) -> None:
    name = section.partition(":")[0]
    kept = [line for line in MODEL_YAML.splitlines() if line.partition(":")[0] not in (name, "  max_cost_usd")]
    with pytest.raises(SpecError) as caught:
        load_use_case(project(tmp_path, "\n".join([*kept, section]) + "\n"), "tickets")
    assert fault in str(caught.value)


def test_a_day_may_stand_in_quotes_and_is_no_number() -> None:
    assert PriceSpec.model_validate({"as_of": "2026-11-01"}) == PriceSpec.model_validate({"as_of": date(2026, 11, 1)})
    for wrong in ("1.11.2026", 20261101, True, 0):
        with pytest.raises(ValidationError):
            PriceSpec.model_validate({"as_of": wrong})


def test_a_label_may_be_called_otherwise_by_what_looks_like_a_number(tmp_path: Path) -> None:
    labels = "billing: {description: money, also: [007, 1e5, 12:30, 1.50]}\nlogin: access\n"
    case = load_use_case(project(tmp_path, labels=labels.replace("12:30", '"12:30"')), "tickets")
    aliases = ("007", "1e5", "12:30", "1.50")
    assert {case.answers.label_of(alias) for alias in aliases} == {"billing"}


TWICE = '{"text": "a", "label": "b", "label": "c"}'
NESTED = '{"text": "by Ann", "fields": {"name": "Ann", "name": "Bo"}}'
EQUAL = '{"text": "a", "label": "b", "label": "b", "more": {"x": 1, "x": 1}}'
SCHEMA = schema_from({"title": "t", **propose_schema([("by Ann", (), {"name": "Ann"}, None)])})


def test_a_row_with_a_key_that_has_two_values_is_a_fault_in_every_reader(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    columns = Columns("text", ("label",), one_label("label"))
    file.write_text(f"{EQUAL}\n{TWICE}\n", encoding="utf-8")
    expected = 'f.jsonl:2  JSON that cannot be read: the key `label` stands twice, as "b" and as "c"; expected one'
    with pytest.raises(DataError, match=r"f\.jsonl:2") as caught:
        list(sources.read(file, columns, "f.jsonl"))
    assert expected in str(caught.value)
    rows, faults = sources.records(file, ("text", "label"), (), "f.jsonl")
    assert (len(rows), faults.count) == (1, 1)
    source = Source(file, "text")
    surveys = list(source.survey(source.faults()))
    assert (surveys[-1].rows, surveys[-1].unreadable) == (1, 1)


@pytest.mark.parametrize(
    "line", [NESTED, '{"text": "a", "x": [{"y": 1, "y": true}]}', '{"text": "a", "x": 1, "x": 1.0}']
)
def test_a_key_stands_twice_at_any_depth(tmp_path: Path, line: str) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text(line, encoding="utf-8")
    assert sources.records(file, ("text",), (), "f")[1].count == 1


def test_objects_in_cells_and_in_labels_of_people_have_each_key_once() -> None:
    cell = '{"name": "Ann", "name": "Bo"}'
    faults = Faults("f.csv", "correct", "")
    annotate._fields(cell, "fields", 3, faults)
    with pytest.raises(
        DataError,
        match=r'f\.csv:3  `fields` is no JSON that can be read: the key `name` stands twice, as "Ann" and as "Bo"',
    ):
        faults.raise_any()
    with pytest.raises(ValueError, match="the key `name` stands twice"):
        annotate.raw_label(SCHEMA, cell)
