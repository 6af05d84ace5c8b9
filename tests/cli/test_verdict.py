"""The verdict for scripts: JSON that says everything, and an exit code for CI."""

from __future__ import annotations

import json

import pytest
from report.fixtures import stay, whole

from cli.checkout import Cli, reported


def test_before_anything_ran_there_is_none(cli: Cli) -> None:
    result = cli("verdict", "first")
    assert result.code == 1
    assert "no verdict; nothing has run yet" in result.err and "tailtune run first" in result.err


def test_a_run_that_did_not_come_so_far_has_none(cli: Cli) -> None:
    reported(cli, {name: report for name, report in whole().items() if name in ("curate", "validate")})
    assert "no verdict; ladder has not run to its end" in cli("verdict", "first").err


def test_rows_that_do_not_pass_have_none(cli: Cli) -> None:
    closed = {name: report for name, report in whole().items() if name in ("curate", "validate")}
    closed["validate"] = closed["validate"].model_copy(update={"passed": False})  # type: ignore[attr-defined]
    reported(cli, closed)
    assert "no verdict; the rows do not pass; tailtune show first says which" in cli("verdict", "first").err


def test_json_has_the_verdict_with_its_evidence(cli: Cli) -> None:
    reported(cli, stay())
    found = json.loads(cli("verdict", "first", "--json").out)
    decided = stay()["decide"]
    assert (found["verdict"], found["best_rung"]) == ("stay", decided.best_rung)  # type: ignore[attr-defined]
    assert len(found["questions"]) == len(decided.questions)  # type: ignore[attr-defined]
    assert {"reason", "provisional", "would_change", "unmeasured", "economics", "metric", "target"} <= set(found)


@pytest.mark.parametrize(("expected", "code"), [("stay", 0), ("fine-tune", 3), ("not-yet", 3)])
def test_ci_can_expect_a_verdict(expected: str, code: int, cli: Cli) -> None:
    reported(cli, stay())
    result = cli("verdict", "first", "--expect", expected)
    assert result.code == code
    assert result.out.startswith("first: stay"), "the verdict is printed, whatever was expected"


def test_a_verdict_that_there_is_not_cannot_be_expected(cli: Cli) -> None:
    reported(cli, stay())
    result = cli("verdict", "first", "--expect", "maybe")
    assert result.code == 2
    assert "there is stay, fine-tune, not-yet" in result.err
