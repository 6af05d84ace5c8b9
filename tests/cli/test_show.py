"""What the reports say, and what to do next."""

from __future__ import annotations

import shutil

import pytest
from report.fixtures import stay, stopped, whole

from cli.checkout import Cli, reported
from tailtune.cli.show import print_summary
from tailtune.core.reports import REPORTS
from tailtune.services.store import read_reports


def test_before_anything_ran(cli: Cli) -> None:
    result = cli("show", "first")
    assert (result.code, result.out) == (0, "first: nothing has run yet\nNext:  tailtune run first\n")
    assert cli("list").out == "first                          not run yet\n"


def test_reports_are_read_in_the_order_of_the_stages(cli: Cli) -> None:
    given = whole()
    reported(cli, dict(reversed(given.items())))
    found = read_reports(cli.paths.case("first"))
    assert list(found) == list(REPORTS)
    assert {name: report.model_dump_json() for name, report in found.items()} == {
        name: report.model_dump_json() for name, report in given.items()
    }


def test_a_whole_life_shows_the_version_and_how_to_serve_it(cli: Cli) -> None:
    reported(cli, whole())
    result = cli("show", "first")
    assert result.code == 0
    assert "tailtune serve first" in result.out
    assert "tailtune run first" not in result.out
    registered = whole()["register"]
    listed = cli("list").out
    assert listed.startswith("first ")
    assert f"version {registered.version}" in listed  # type: ignore[attr-defined]


def test_a_life_that_a_gate_stopped_says_how_to_go_on(cli: Cli) -> None:
    reported(cli, stopped())
    result = cli("show", "first")
    assert result.code == 0
    assert "tailtune run first" in result.out
    assert "tailtune serve" not in result.out


def test_an_unfinished_life_offers_nothing_to_serve(cli: Cli) -> None:
    reported(cli, {name: report for name, report in stay().items() if name not in ("evaluate", "register")})
    result = cli("show", "first")
    assert result.code == 0
    assert "tailtune serve" not in result.out
    assert cli("list").out.split() == ["first", "stay"]


def test_a_verdict_of_an_earlier_run_is_not_shown_as_the_present_one(cli: Cli) -> None:
    reported(cli, {name: report for name, report in whole().items() if name != "ladder"})
    result = cli("show", "first")
    assert "Not finished: ladder is next" in result.out
    assert "tailtune run first" in result.out
    assert "Use the fine-tune" not in result.out
    assert "tailtune serve" not in result.out
    assert cli("list").out.split() == ["first", "ladder", "is", "next"]


def test_a_torn_report_hides_no_other_use_case(cli: Cli) -> None:
    reported(cli, whole())
    case = cli.paths.case("first")
    shutil.copytree(case.folder, cli.paths.case("second").folder)
    case.report("evaluate").write_text('{"use_case": "fi', encoding="utf-8")
    result = cli("list")
    first, second = result.out.splitlines()
    assert result.code == 0 and "not known: " in first and "evaluate.json" in first
    assert second.split() == ["second", "not", "run", "yet"]


@pytest.mark.parametrize(
    ("left", "title"),
    [([*REPORTS], "Stopped before a stage began"), ([s for s in REPORTS if s != "curate"], "Stopped at curate"),
     (["curate", "validate"], "Stopped at ladder")],
)  # fmt: skip
def test_a_run_that_stopped_says_so_and_how_to_go_on(
    cli: Cli, capsys: pytest.CaptureFixture[str], left: list[str], title: str
) -> None:
    reported(cli, {name: report for name, report in whole().items() if name in left})
    print_summary(cli.paths, "first", stopped=True)
    out = capsys.readouterr().out
    assert title in out
    assert "Next:  tailtune run first" in out
    assert "Use the fine-tune" not in out
    assert "tailtune serve" not in out


def test_a_first_run_that_stopped_early(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(cli.paths, "first", stopped=True)
    assert capsys.readouterr().out == "first: stopped before a stage was done\nNext:  tailtune run first\n"


def test_a_report_with_a_merge_conflict_is_told(cli: Cli) -> None:
    path = cli.paths.case("first").report("ladder")
    path.parent.mkdir(parents=True)
    path.write_text("<<<<<<< HEAD\n{}\n", encoding="utf-8")
    result = cli("show", "first")
    assert result.code == 1
    assert "not a report of ladder that this version can read" in result.err
    assert result.err.endswith("Next:  tailtune ladder first\n")


def test_no_such_use_case(cli: Cli) -> None:
    assert cli("show", "frist").code == 2
