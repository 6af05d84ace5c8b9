"""`tailtune cost`: from an empty store to a bill, and everything a person can type wrongly."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.examples import publish
from worlds import stores
from worlds.servers import free_port

from cli.checkout import Cli, checkout, environment
from tailtune.config.settings import Settings
from tailtune.core.records import Cost, Decision
from tailtune.core.reports import CandidateCost, CurateReport, DecideReport, Economics
from tailtune.services import store
from tailtune.services.mlflow import Tracker, connect
from tailtune.tasks.use_case import load_use_case

pytestmark = THIRD_PARTY


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    environment(monkeypatch, tmp_path / "checkout", tmp_path / "site")
    monkeypatch.setenv("COLUMNS", "80")
    return Cli(checkout(tmp_path / "checkout"), capsys)


@pytest.fixture
def empty_store(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A store that need not be made."""
    stores.give(tmp_path_factory, cli.paths.mlflow_store)


def tracker(cli: Cli) -> Tracker:
    return connect(Settings().resolved_tracking_uri(cli.paths), load_use_case(cli.paths, "first"))


def curated(cli: Cli) -> None:
    """A curation of 1,000 rows that took a minute, published as the runner does."""
    report = CurateReport(
        use_case="first", stage="curate", finished_at="2026-11-20T10:00:00+00:00", rows_digest="d1", rows_read=1000,
        rows_kept=1000, dropped={}, splits={"train": 1000}, labels={"login": 1000}, test_file=False,
        cost=Cost(wall_s=60, cpu_s=60, peak_memory_mb=100, usd=0.25),
    )  # fmt: skip
    publish(tracker(cli), report)


def test_nothing_in_the_ledger_says_what_to_run(cli: Cli) -> None:
    result = cli("cost", "first")
    assert (result.code, result.err) == (0, "")
    assert result.out == "first: nothing is in the ledger yet\nNext:  tailtune run first\n"
    assert cli("cost", "first", "--json").out == "null\n"


@pytest.mark.usefixtures("empty_store")
def test_the_bill_is_printed_and_stands_in_mlflow_once(cli: Cli) -> None:
    curated(cli)
    noted = cli("cost", "add", "first", "--for", "labelling", "--hours", "3", "--note", "two of us")
    first, on_top, following = noted.out.splitlines()
    assert (first, following) == (
        "first: noted for labelling: $225 (at 75 USD an hour)",
        "Next:  tailtune cost first",
    )
    assert on_top.startswith("It comes on top of rows × label price.")
    result = cli("cost", "first")
    assert (result.code, result.err) == (0, "")
    rows = {line.split("  ")[1]: line.split() for line in result.out.splitlines() if line.startswith("  ")}
    assert rows["labelling"][1:] == ["$305", "$305"]
    assert rows["rows labelled"][2:] == ["1,000", "1,000"]
    assert "labelling: 1 entry without --rows on top of 1,000 rows × label price" in result.out
    assert rows["curation"][1:] == ["$0.25", "$0.25"]
    assert max(map(len, result.out.splitlines())) <= 80
    assert cli("cost", "first").out == result.out
    there = tracker(cli)
    (run,) = there.client.search_runs([there.experiment_id], "tags.`tailtune.stage` = 'ledger'")
    assert run.data.metrics["ledger/labelling_usd"] == 305.0
    assert "on top of 1,000 rows × label price" in run.data.tags["mlflow.note.content"]


@pytest.mark.usefixtures("empty_store")
def test_json_has_what_the_table_has_and_no_number_that_is_none(cli: Cli) -> None:
    curated(cli)
    economics = Economics(
        requests_per_day=6000, error_usd=None, horizon_months=12,
        candidates=(
            CandidateCost(name="p", title="P", quality=0.9, one_off_usd=1, monthly_usd=2, request_usd=float("inf")),
        ),
    )  # fmt: skip
    decided = DecideReport(
        use_case="first", stage="decide", verdict="stay", reason="r", provisional=False, best_rung="probe", target=0.9,
        train=Decision(yes=False, reason="r"), economics=economics,
    )  # fmt: skip
    store.write_report(cli.paths.case("first").report("decide"), decided)
    found = json.loads(cli("cost", "first", "--json").out, parse_constant=lambda word: pytest.fail(word))
    assert [version["version"] for version in found["versions"]] == [None]
    assert found["lines"]["labelling"] == {"usd": 80.0, "known_usd": 80.0, "unknown": 0, "hours": 0.0, "rows": 1000}
    assert found["total"]["usd"] >= 80.25
    (note,) = found["notes"]  # the price list is as it came
    assert note.startswith("labelling: 1,000 rows at the default price of $0.080 a label")
    assert found["unmeasured"] == ["drift checks: none has run yet"]
    assert found["economics"]["requests_per_day"] == 6000
    assert found["economics"]["candidates"][0]["request_usd"] is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--for", "labelling"], "how much? expected --hours, --usd or --rows"),
        (["--for", "labelling", "--hours", "-3"], "--hours -3: expected a number above 0"),
        (["--for", "labelling", "--hours", "0"], "--hours 0: expected a number above 0"),
        (["--for", "labelling", "--usd", "nan"], "--usd nan: expected a number above 0"),
        (["--for", "labelling", "--usd", "inf"], "--usd inf: expected a number above 0, up to 1e9"),
        (["--for", "labeling", "--hours", "3"], "--for labeling: no such purpose; did you mean labelling?"),
        (["--for", "xyz", "--hours", "3"], "--for xyz: no such purpose; there is labelling, prompting, "),
        (["--for", "drift", "--rows", "3"], "--rows: counts labelled rows; expected with --for labelling only"),
        (["--for", "drift", "--hours", "3", "--on", "yesterday"], "--on yesterday: no date; expected one like 2026-"),
        (["--for", "drift", "--hours", "3", "--on", "2999-01-01"], "--on 2999-01-01: lies in the future"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_told_and_nothing_is_noted(cli: Cli, words: list[str], expected: str) -> None:
    result = cli("cost", "add", "first", *words)
    assert (result.code, result.out) == (2, "")
    assert expected in result.err and "Next:  tailtune cost add --help" in result.err
    assert not cli.paths.mlflow_store.exists()


def test_all_faults_are_told_at_once(cli: Cli) -> None:
    result = cli("cost", "add", "first", "--for", "labeling", "--hours", "-1", "--usd", "-2")
    assert result.err.count("\n") >= 4
    assert all(word in result.err for word in ("--for labeling", "--hours -1", "--usd -2"))


@pytest.mark.parametrize("words", [["--for", "labelling", "--hours", "three"], ["--hours", "3"]], ids=" ".join)
def test_words_that_are_no_options_are_used_wrongly(cli: Cli, words: list[str]) -> None:
    result = cli("cost", "add", "first", *words)
    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err


@pytest.mark.usefixtures("empty_store")
def test_a_complaint_needs_no_amount(cli: Cli) -> None:
    result = cli("cost", "add", "first", "--for", "complaint", "--note", "refunds are mixed up", "--on", "2026-11-20")
    assert (result.code, result.out.splitlines()[0]) == (0, "first: noted for complaint: $0")


@pytest.mark.usefixtures("empty_store")
def test_rows_are_paid_at_the_label_price(cli: Cli) -> None:
    result = cli("cost", "add", "first", "--for", "labelling", "--rows", "500")
    assert result.out.splitlines()[0] == "first: noted for labelling: $40.00 (at 0.08 USD a row)"
    assert "It stands for" not in result.out, "it says how many rows it was"
    assert "in place of rows × label price" in " ".join(cli("cost", "add", "--help").out.split())


@pytest.mark.usefixtures("empty_store")
def test_hours_without_a_price_are_noted_as_not_known(cli: Cli) -> None:
    cli.paths.prices.write_text("as_of: 2026-11-01\n", encoding="utf-8")
    result = cli("cost", "add", "first", "--for", "drift", "--hours", "2")
    assert "noted for drift: not known; its price is not declared in models/prices.yaml" in result.out
    bill = cli("cost", "first").out
    assert "drift" in bill and "?" in bill and "dollars of drift: added by hand" in bill


def test_an_unknown_use_case_is_told_with_the_nearest(cli: Cli) -> None:
    for words in (("cost", "frist"), ("cost", "add", "frist", "--for", "drift", "--hours", "1")):
        result = cli(*words)
        assert (result.code, result.out) == (2, "")
        assert "did you mean first?" in result.err


def test_a_dead_server_is_told_within_seconds(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    result = cli("cost", "first")
    assert (result.code, result.out) == (4, "")
    assert "the MLflow server does not answer" in result.err
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("words", [["cost"], ["cost", "--help"]], ids=" ".join)
def test_help_names_both_words(cli: Cli, words: list[str]) -> None:
    result = cli(*words)
    printed = result.out + result.err
    assert "\n  show " in printed and "\n  add " in printed


@pytest.mark.usefixtures("empty_store")
def test_the_word_show_may_be_said(cli: Cli) -> None:
    assert cli("cost", "show", "first").out == cli("cost", "first").out
    assert cli("cost", "--json", "first").out == "null\n"
