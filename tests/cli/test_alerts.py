"""`tailtune alerts`: what is alarming and whom it has reached; send what waits; try the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from doubles.slack import SECRET, Mishap, Slack
from worlds.alarming import HOUR_US, NOON_US, Clock, alert

from cli.checkout import Cli
from tailtune.config.settings import Settings
from tailtune.operations.alerts import Alerts, channels
from tailtune.services.outbox.store import Outbox


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    with Slack() as running:
        monkeypatch.setenv("TAILTUNE_SLACK_WEBHOOK", running.url)
        yield running


@pytest.fixture
def outbox(cli: Cli) -> Iterator[Outbox]:
    opened = Outbox(Settings().prediction_log_url(cli.paths), Clock())
    yield opened
    opened.close()


def record(outbox: Outbox, **values: Any) -> None:
    outbox.record(alert(**{"use_case": "first", **values}), ("slack",))


def test_before_anything_was_alarming_nothing_is_made(cli: Cli) -> None:
    assert cli("alerts").out == "all use cases: nothing was ever alarming\n"
    assert cli("alerts", "first").out == "first: nothing was ever alarming\n"
    assert not cli.paths.serving.exists()


def test_open_past_and_waiting_are_shown(cli: Cli, outbox: Outbox, slack: Slack) -> None:
    record(outbox, severity="critical", title="first: 12 % of rows\x1b[31m are new")
    record(outbox, version="2", cause="latency", title="first: slow")
    Alerts(outbox, channels(Settings())).deliver(0)
    outbox.clear("first", "2", "latency", NOON_US + 5 * HOUR_US, ("slack",), why="version 3 answers now")
    record(outbox, use_case="other", title="other: drifts")
    text = cli("alerts", "first").out
    lines = text.splitlines()
    assert lines[0].startswith("Alerts  first: 1 open, 1 over")
    (open_line,) = [line for line in lines if "critical" in line]
    assert "drift" in open_line and "\\x1b[31m" in open_line and "slack (1)" in open_line
    (over,) = [line for line in lines if "version 3 answers now" in line]
    assert "5 h 00 min" in over
    (left,) = [line for line in lines if "recovery, first v2, latency" in line]
    assert left.split()[:2] == ["2.2", "slack"]
    assert "other: drifts" not in text and "other: drifts" in cli("alerts").out
    assert lines[-1] == "Alerts go to slack; kept in sqlite:///.serving/predictions.sqlite"
    assert "\x1b" not in text and SECRET not in text


def test_what_reached_nobody_is_shown(cli: Cli, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILTUNE_SLACK_WEBHOOK", raising=False)
    record(outbox)
    delivery = outbox.claim(("slack",))
    assert delivery is not None
    outbox.failed(delivery, "404 no_service", final=True)
    record(outbox, cause="cost")
    text = cli("alerts", "show").out
    assert text.count("nobody") == 2
    assert "404 no_service" in text and "TAILTUNE_SLACK_WEBHOOK is not set here" in text
    assert "Alerts go nowhere: set TAILTUNE_SLACK_WEBHOOK or TAILTUNE_ALERT_WEBHOOK" in text


def test_an_unknown_use_case_is_named(cli: Cli) -> None:
    ended = cli("alerts", "nobody")
    assert ended.code == 2 and "nobody" in ended.err


def test_what_waits_is_sent(cli: Cli, outbox: Outbox, slack: Slack) -> None:
    record(outbox)
    assert cli("alerts", "send").out == "1 message sent, 0 waiting, 0 given up\n"
    assert cli("alerts", "send").out == "0 messages sent, 0 waiting, 0 given up\n"
    assert len(slack.taken) == 1


def test_what_cannot_be_sent_ends_with_the_reason(
    cli: Cli, outbox: Outbox, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailtune.cli.alerts._PATIENCE_S", 0.0)
    slack.badly = Mishap("status", 404, "no_service")
    record(outbox)
    ended = cli("alerts", "send")
    assert (ended.code, ended.out) == (4, "0 messages sent, 1 waiting, 0 given up\n")
    assert "slack: 404 no_service" in ended.err and SECRET not in ended.err


def test_the_way_is_tried_from_end_to_end(cli: Cli, slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_ALERT_WEBHOOK", slack.json_url)
    ended = cli("alerts", "test")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "message 1.1 written into sqlite:///.serving/predictions.sqlite",
        "slack: sent: 200 ok",
        "webhook: sent: 200 ok",
    ]
    assert "This is a trial" in json.dumps(slack.taken)
    assert cli("alerts").out == "all use cases: nothing was ever alarming\n"


def test_a_way_that_does_not_work_is_named(cli: Cli, slack: Slack) -> None:
    slack.badly = Mishap("status", 410, "channel_is_archived")
    ended = cli("alerts", "test")
    assert ended.code == 4
    assert "slack: given up: 410 channel_is_archived" in ended.out
    assert "mend TAILTUNE_SLACK_WEBHOOK, then: tailtune alerts test" in ended.err
    assert slack.requests == 1


def test_no_channel_is_an_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILTUNE_SLACK_WEBHOOK", raising=False)
    ended = cli("alerts", "test")
    assert ended.code == 2 and "no channel is set, so alerts reach nobody" in ended.err
