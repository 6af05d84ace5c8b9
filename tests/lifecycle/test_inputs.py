"""A stage reads what its row of the table names, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from project import NAME, make, rows_of

from tailtune.config.paths import Paths
from tailtune.core.errors import MissingInputError, UndeclaredInputError
from tailtune.core.reports import DecideReport, LadderReport
from tailtune.lifecycle.inputs import Inputs
from tailtune.services import store
from tailtune.tasks.use_case import load_use_case


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return make(tmp_path / "project")


def inputs(paths: Paths, stage: str) -> Inputs:
    return Inputs(load_use_case(paths, NAME), stage)


def test_declared_rows_are_read_once(paths: Paths) -> None:
    found = inputs(paths, "ladder")
    assert found.rows("train") == rows_of(paths, "train")
    assert found.rows("train") is found.rows("train")
    assert found.rows_digest == store.rows_digest(rows_of(paths, "train"), rows_of(paths, "dev"))


def test_undeclared_inputs_are_refused(paths: Paths) -> None:
    ladder, decide = inputs(paths, "ladder"), inputs(paths, "decide")
    for read in (
        lambda: ladder.rows("test"),
        lambda: ladder.report(DecideReport),
        lambda: ladder.folder("train/model"),
        lambda: ladder.json("decide/ticket.json"),
        lambda: ladder.raw_file("rows.jsonl"),
        lambda: ladder.prompts,
        lambda: decide.answers_file,
        lambda: inputs(paths, "validate").prices,
        lambda: inputs(paths, "").rows("train"),
    ):
        with pytest.raises(UndeclaredInputError, match=r"does not name.*\n.*make graph"):
            read()


def test_a_file_inside_a_declared_folder_may_be_read(paths: Paths) -> None:
    case = paths.case(NAME)
    store.write_jsonl(case.stage("ladder") / "dev_answers.jsonl", [{"id": "1"}])
    found = inputs(paths, "prompt")
    assert found.jsonl("ladder/dev_answers.jsonl") == [{"id": "1"}]
    assert found.folder("ladder/rungs") == case.stage("ladder") / "rungs"
    with pytest.raises(UndeclaredInputError):
        found.folder("ladders")


def test_what_is_not_there_names_the_stage_that_writes_it(paths: Paths) -> None:
    with pytest.raises(MissingInputError, match=f"tailtune decide {NAME}"):
        inputs(paths, "train").json("decide/ticket.json")
    with pytest.raises(MissingInputError, match=f"no report of ladder yet\nNext:  tailtune run {NAME}"):
        inputs(paths, "decide").report(LadderReport)


def test_all_reports_that_are_there(paths: Paths) -> None:
    assert inputs(paths, "register").reports == {}
    report = LadderReport(
        use_case=NAME, stage="ladder", train_rows=1, dev_rows=1, rungs=(), curve=(), encode_rows_per_s=1.0
    )
    store.write_report(paths.case(NAME).report("ladder"), report)
    assert inputs(paths, "register").reports == {"ladder": report}
    assert inputs(paths, "train").reports == {}, "its row names no report"
