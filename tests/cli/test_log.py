"""`tailtune log`: what servers answered, whether it is in the store already or still in the spool."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from cli.checkout import Cli
from tailtune.config.settings import Settings
from tailtune.services.prediction_log import LoggedFeedback, LoggedPrediction, Spool

NOW_US = time.time_ns() // 1000


def row(number: int, **values: Any) -> LoggedPrediction:
    made = {"version": "3", "route": "model", "latency_ms": 1.53, "answer": "billing", "confidence": 0.934}
    return LoggedPrediction(at_us=NOW_US + number, use_case="first", request_id=f"req-{number}", **{**made, **values})


def logged(cli: Cli, *rows: LoggedPrediction) -> None:
    spool = Spool(Settings().spool_folder(cli.paths) / "first")
    assert spool.append(rows)
    spool.close()


def test_before_anything_was_served_nothing_is_made(cli: Cli) -> None:
    ended = cli("log", "first")
    assert (ended.code, ended.out) == (0, "first: nothing is logged yet\n")
    assert not cli.paths.serving.exists()


def test_rows_are_counted_and_the_last_of_them_shown(cli: Cli) -> None:
    logged(
        cli,
        row(1, text="charged twice\nfor one \x1b[31morder"),
        row(2, text_hash="0123456789abcdef", answer=None, confidence=float("nan")),
        row(3, version=None, route="passthrough", usd=0.0012, latency_ms=812.0),
    )
    lines = cli("log", "first").out.splitlines()
    assert "Prediction log  first: 3 rows answered: 3 stored" in lines[0]
    day, passed = (line.split() for line in lines[2:4])
    assert day[1:] == ["model", "v3", "2", "1", "1.5", "–"]
    assert passed == ["passthrough", "–", "1", "–", "812", "$0.0012"]
    shown = [line.split() for line in lines if "req-" in line]
    assert [cells[-1] for cells in shown] == ["kept", "0123456789ab", "\\x1b[31morder"]
    assert "\x1b" not in "".join(lines)
    assert ".serving/predictions.sqlite" in lines[-1]
    assert "rows are deleted after 90 days" in lines[-1]
    assert sum("req-" in line for line in cli("log", "first", "--last", "1").out.splitlines()) == 1


def test_what_was_not_logged_is_shown(cli: Cli, tmp_path: Path) -> None:
    folder = Settings().spool_folder(cli.paths) / "first"
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    spool = Spool(folder)
    assert not spool.append([row(1), row(2)])
    folder.unlink()
    assert spool.append([row(3)])
    out = cli("log", "first").out
    assert "3 rows answered: 1 stored · 2 not logged" in out


def test_a_challenger_in_the_shadow_is_compared_with_the_champion(cli: Cli) -> None:
    assert "In the shadow" not in cli("log", "first").out
    answers = [("billing", "billing"), ("billing", "login"), ("login", "login"), (None, None)] * 5
    rows = [row(number, answer=ours) for number, (ours, _) in enumerate(answers)]
    rows += [row(number, answer=theirs, version="4", route="shadow") for number, (_, theirs) in enumerate(answers)]
    logged(cli, *rows)
    spool = Spool(Settings().spool_folder(cli.paths) / "first")
    for number, label in ((0, "refund"), (0, "billing"), (1, "login"), (5, "login")):
        assert spool.append_feedback(LoggedFeedback(NOW_US, "first", label, "ada", f"req-{number}"))
    spool.close()
    lines = cli("log", "first").out.splitlines()
    (found,) = (line for line in lines if line.split()[:2] == ["v4", "v3"])
    assert found.split()[2] == "20"
    assert "75.0 % (" in found
    assert "33.3 % (" in found and "100.0 % (" in found, "of two answers that people sent the last one counts"
    assert "+66.7 points" in found


@pytest.mark.parametrize("address", ["mysql://u:geheim@h/x", "nonsense"])
def test_an_address_that_leads_nowhere_is_refused_without_its_password(
    address: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILTUNE_PREDICTION_LOG", address)
    ended = cli("log", "first")
    assert ended.code == 2
    assert "TAILTUNE_PREDICTION_LOG" in ended.err and "geheim" not in ended.err
