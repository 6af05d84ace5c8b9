"""A use case is read whole, or every fault of both files is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from config.examples import LABELS_YAML, MODEL_YAML, project

from tailtune.core.errors import SpecError, UsageError
from tailtune.tasks.classification.config import LabelSet
from tailtune.tasks.use_case import load_use_case


def faults(root: Path, model: str = MODEL_YAML, labels: str | bytes = LABELS_YAML) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_use_case(project(root, model, labels), "tickets")
    assert caught.value.hint == "tailtune check tickets"
    return [str(fault) for fault in caught.value.faults]


def test_a_use_case_has_its_spec_labels_and_paths(tmp_path: Path) -> None:
    case = load_use_case(project(tmp_path, labels="login: access\nbilling:\n'1': \"\"\n"), "tickets")
    assert case.answers == LabelSet({"login": "access", "billing": "", "1": ""})
    assert case.answers.names == ("login", "billing", "1")
    assert case.spec.data.file == "rows.csv"
    assert case.answers_file == tmp_path / "models/tickets/labels.yaml"


def test_faults_of_both_files_come_together(tmp_path: Path) -> None:
    found = faults(tmp_path, MODEL_YAML.replace("max_cost_usd", "max_cost_us"), "billing: 3\nlogin: [a]\n")
    assert found == [
        "models/tickets/model.yaml:10  train.max_cost_us: unknown key; did you mean max_cost_usd?",
        "models/tickets/labels.yaml:1  billing: expected a description in words, found 3",
        "models/tickets/labels.yaml:2  login: expected a description in words, found ['a']",
    ]


@pytest.mark.parametrize(("section", "near"), [("validate", "min_rows"), ("register", "promote_if")])
def test_sections_with_an_alias_suggest_too(tmp_path: Path, section: str, near: str) -> None:
    wrong = near[:-1] + "x"
    found = faults(tmp_path, MODEL_YAML.replace(f"{section}: {{}}", f"{section}: {{{wrong}: 1}}"))
    assert len(found) == 1
    assert found[0].endswith(f"{section}.{wrong}: unknown key; did you mean {near}?")


def test_a_section_left_out_says_what_to_write(tmp_path: Path) -> None:
    text = MODEL_YAML.replace("validate: {}\n", "").replace("data:\n  file: rows.csv\n", "")
    assert sorted(faults(tmp_path, text)) == [
        "models/tickets/model.yaml:1  data: missing",
        "models/tickets/model.yaml:1  validate: missing; write `validate: {}` for the defaults",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "1  task: missing; expected one of classification, extraction"),
        ("task: extracton\n", "1  task: no such task: 'extracton'; did you mean extraction?"),
        ("task: [a]\n", "1  task: no such task: ['a']; expected one of classification, extraction"),
    ],
)
def test_a_use_case_of_no_known_task_is_told_which_there_are(tmp_path: Path, line: str, expected: str) -> None:
    text = MODEL_YAML.replace("task: classification\n", line)
    assert faults(tmp_path, text) == [f"models/tickets/model.yaml:{expected}"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("one: only\n", "models/tickets/labels.yaml:1  expected at least 2 labels, found 1"),
        ("", "models/tickets/labels.yaml:1  expected at least 2 labels, found 0"),
        ("a: x\nb: y\na: z\n", "models/tickets/labels.yaml:3  a: stands twice (first on line 1)"),
        (b"a: x\nb: \xff\n", "models/tickets/labels.yaml:2  bytes that are not UTF-8"),
        ("a: x\nb: true\n", "models/tickets/labels.yaml:2  b: expected a description in words, found True"),
        ("- a\n- b\n", "models/tickets/labels.yaml:1  expected `key: value` lines, found a list"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path: Path, labels: str | bytes, expected: str) -> None:
    assert faults(tmp_path, labels=labels) == [expected]


def test_missing_labels_are_a_fault(tmp_path: Path) -> None:
    paths = project(tmp_path)
    paths.case("tickets").folder.joinpath("labels.yaml").unlink()
    with pytest.raises(SpecError, match=r"models/tickets/labels\.yaml  no such file"):
        load_use_case(paths, "tickets")


def test_no_such_use_case_names_the_nearest_or_all(tmp_path: Path) -> None:
    paths = project(tmp_path)
    with pytest.raises(UsageError, match=r"no use case `tikets`; did you mean tickets\?") as caught:
        load_use_case(paths, "tikets")
    assert (caught.value.hint, caught.value.exit_code) == ("tailtune list", 2)
    with pytest.raises(UsageError, match=r"no use case `xyz`; there is tickets\n") as caught:
        load_use_case(paths, "xyz")
    paths.case("tickets").model_yaml.unlink()
    with pytest.raises(UsageError, match="there is none yet"):
        load_use_case(paths, "xyz")
