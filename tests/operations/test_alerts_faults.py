"""What goes wrong on the way of an alert: none is lost, none doubled, and they come in order."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from doubles.slack import Mishap, Slack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds.alarming import DAY_US, HOUR_US, NOON_US, Clock, alert

from tailtune.core.alerts import Message
from tailtune.core.errors import ServiceError
from tailtune.operations.alerts import Alerts, Delivered, payload
from tailtune.services import database as database_module
from tailtune.services.outbox.store import Outbox
from tailtune.services.webhooks import Posted, Webhook

from .conftest import Watched, watched

ROOT = Path(__file__).parents[2]
PROCESS = """
import json, os, signal, sys
from tailtune.operations.alerts import Alerts, payload
from tailtune.services.outbox.store import Outbox
from tailtune.services.webhooks import Webhook

database, url, dies = sys.argv[1:]
webhook = Webhook("TAILTUNE_ALERT_WEBHOOK", url)

def send(message):
    if dies == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    posted = webhook.post(payload(message))
    if dies == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return posted

outbox = Outbox(database)
print("ready", flush=True)
sys.stdin.readline()
print(Alerts(outbox, {"webhook": send}).deliver(30).sent)
"""


def process(database: str, slack: Slack, dies: str = "") -> subprocess.Popen[str]:
    """A process that sends what waits, once it gets a line."""
    words = [sys.executable, "-c", PROCESS, database, slack.json_url, dies]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    started = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)
    assert started.stdout is not None and started.stdout.readline() == "ready\n"
    return started


def to(slack: Slack) -> dict[str, Callable[[Message], Posted]]:
    """The channel; it waits long, as a busy machine needs, unless nothing will come."""
    patient = Webhook("TAILTUNE_ALERT_WEBHOOK", slack.json_url)
    hasty = Webhook("TAILTUNE_ALERT_WEBHOOK", slack.json_url, step_s=0.05, most_s=0.1)

    def send(message: Message) -> Posted:
        silent = Mishap("hang") in (slack.badly, *slack.coming)
        return (hasty if silent else patient).post(payload(message))

    return {"webhook": send}


def taken(slack: Slack) -> list[str]:
    return [body["id"] for body in slack.taken]


@pytest.fixture
def outbox(open_outbox: Callable[[], Outbox]) -> Outbox:
    return open_outbox()


@pytest.mark.parametrize("mishap", [Mishap("status", 500), Mishap("hang up"), Mishap("hang")], ids=lambda one: one.kind)
@pytest.mark.parametrize("patient", [True, False], ids=["one long run", "a run every five minutes"])
def test_a_channel_that_is_down_for_an_hour_gets_all_once_and_in_order(
    outbox: Outbox, case: Watched, clock: Clock, slack: Slack, mishap: Mishap, patient: bool
) -> None:
    slack.badly = mishap
    alerts = Alerts(outbox, to(slack))
    alerts.raise_alert(case, alert())
    alerts.raise_alert(case, alert(cause="latency"))
    alerts.raise_alert(case, alert(severity="critical"))
    alerts.clear(case, "3", "drift", NOON_US)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now_us >= NOON_US + HOUR_US:
            slack.badly = None

    if patient:
        alerts.deliver(3 * 3600, sleep=sleep)
    else:
        for _ in range(30):
            alerts.deliver(0)
            sleep(300)
    assert sorted(taken(slack)) == ["1.1", "1.2", "1.3", "2.1"]
    assert [name for name in taken(slack) if name.startswith("1.")] == ["1.1", "1.2", "1.3"]
    assert slack.requests < 40, "an hour of failures is no reason to ask all the time"
    assert alerts.deliver(0) == Delivered()


def test_too_many_requests_are_answered_with_patience(
    outbox: Outbox, case: Watched, clock: Clock, slack: Slack
) -> None:
    slack.coming.append(Mishap("status", 429, "rate_limited", {"Retry-After": "1800"}))
    alerts = Alerts(outbox, to(slack))
    for cause in ("drift", "latency", "cost"):
        alerts.raise_alert(case, alert(cause=cause))
    assert alerts.deliver(0).failed == {"webhook": "429 rate_limited"}
    clock.sleep(1799)
    alerts.deliver(0)
    assert slack.requests == 1, "others that wait for the channel are as patient"
    clock.sleep(1)
    alerts.deliver(0)
    assert taken(slack) == ["1.1", "2.1", "3.1"]


def test_an_answer_that_never_came_may_double_a_message_under_the_same_name(
    outbox: Outbox, case: Watched, clock: Clock, slack: Slack
) -> None:
    """At least once: nobody can know whether the server took it."""
    slack.coming.append(Mishap("take and hang up"))
    alerts = Alerts(outbox, to(slack))
    alerts.raise_alert(case, alert())
    alerts.deliver(60, sleep=clock.sleep)
    assert taken(slack) == ["1.1", "1.1"]


@pytest.mark.parametrize(("dies", "times"), [("before", 1), ("after", 2)])
def test_a_sender_that_is_killed_loses_nothing(
    database: str, outbox: Outbox, case: Watched, clock: Clock, slack: Slack, dies: str, times: int
) -> None:
    Alerts(outbox, to(slack)).raise_alert(case, alert())
    sender = process(database, slack, dies)
    sender.communicate("go\n", timeout=60)
    assert sender.returncode == -signal.SIGKILL
    (left,) = outbox.deliveries(state="waiting")
    assert left.attempts == 1
    clock.now_us = left.next_us
    assert Alerts(outbox, to(slack)).deliver(0).sent == 1, "the dead process is in nobody's way"
    assert taken(slack) == ["1.1"] * times


def test_two_processes_send_everything_once(database: str, outbox: Outbox, case: Watched, slack: Slack) -> None:
    alerts = Alerts(outbox, to(slack))
    versions = [str(number) for number in range(12)]
    for version in versions:
        alerts.raise_alert(case, alert(version=version))
    senders = [process(database, slack) for _ in range(2)]
    for sender in senders:
        assert sender.stdin is not None
        sender.stdin.write("go\n")
        sender.stdin.flush()
    sent = [int(sender.communicate(timeout=60)[0]) for sender in senders]
    assert sum(sent) == len(taken(slack)) == len(set(taken(slack))) == len(versions)


def test_a_locked_database_is_an_error_and_nothing_is_lost(
    tmp_path: Path, case: Watched, clock: Clock, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_BUSY_S", 0.05)
    outbox = Outbox(f"sqlite:///{tmp_path / 'log.sqlite'}", clock)
    alerts = Alerts(outbox, to(slack))
    alerts.raise_alert(case, alert())
    with closing(sqlite3.connect(tmp_path / "log.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceError, match=r"the outbox of alerts sqlite:.*database is locked"):
            alerts.raise_alert(case, alert(cause="latency"))
        with pytest.raises(ServiceError, match="database is locked"):
            alerts.deliver(0)
        assert slack.requests == 0, "what cannot be noted is not sent"
        other.execute("ROLLBACK")
    assert alerts.raise_alert(case, alert(cause="latency")) is not None
    assert alerts.deliver(0).sent == 2
    outbox.close()


def test_a_database_that_goes_away_after_the_sending_doubles_at_most_that_message(
    tmp_path: Path, case: Watched, clock: Clock, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_BUSY_S", 0.05)
    outbox = Outbox(f"sqlite:///{tmp_path / 'log.sqlite'}", clock)
    sound = to(slack)["webhook"]
    with closing(sqlite3.connect(tmp_path / "log.sqlite", isolation_level=None, check_same_thread=False)) as other:

        def send(message: Message) -> Posted:
            other.execute("BEGIN IMMEDIATE")
            return sound(message)

        alerts = Alerts(outbox, {"webhook": send})
        alerts.raise_alert(case, alert())
        alerts.raise_alert(case, alert(cause="latency"))
        with pytest.raises(ServiceError, match="database is locked"):
            alerts.deliver(0)
        other.execute("ROLLBACK")
    assert Alerts(outbox, to(slack)).deliver(60, sleep=clock.sleep).sent == 2
    assert taken(slack) == ["1.1", "2.1", "1.1"]
    outbox.close()


@pytest.mark.servers
def test_a_postgresql_that_dies_costs_no_alert(
    tmp_path_factory: pytest.TempPathFactory, case: Watched, slack: Slack
) -> None:
    from worlds.postgresql import postgresql

    with postgresql(tmp_path_factory.mktemp("dying")) as server:
        outbox = Outbox(server.url)
        alerts = Alerts(outbox, to(slack))
        alerts.raise_alert(case, alert())
        server.stop()
        with pytest.raises(ServiceError, match=r"the outbox of alerts postgresql://127\.0\.0\.1:"):
            alerts.deliver(0)
        with pytest.raises(ServiceError):
            alerts.raise_alert(case, alert(cause="latency"))
        server.start()
        alerts.raise_alert(case, alert(cause="latency"))
        assert alerts.deliver(0).sent == 2
        outbox.close()
    assert [body["alert"]["cause"] for body in slack.taken] == ["drift", "latency"]


JUMPS_US = [days * DAY_US for days in (-3650, -1, 0, 5, 3650)] + [-HOUR_US, HOUR_US]


@given(jumps=st.lists(st.sampled_from(JUMPS_US), max_size=6), down=st.integers(0, 5), seed=st.integers(0, 1))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_jump_of_the_clock_loses_or_doubles_an_alert(
    tmp_path_factory: pytest.TempPathFactory, jumps: list[int], down: int, seed: int
) -> None:
    clock, arrived, failures = Clock(), list[str](), down

    def send(message: Message) -> Posted:
        nonlocal failures
        clock.now_us += jumps[failures % len(jumps)] if jumps and seed else 0  # also while a message is on its way
        failures -= 1
        if failures >= 0:
            return Posted(False, "500 server_error", 500)
        arrived.append(message.id)
        return Posted(True, "200 ok", 200)

    outbox = Outbox(f"sqlite:///{tmp_path_factory.mktemp('jumps') / 'log.sqlite'}", clock, lambda: 1.0)
    alerts, case = Alerts(outbox, {"slack": send}), watched()
    for jump in [*jumps, 0]:
        alerts.raise_alert(case, alert(at_us=clock.now_us))
        alerts.deliver(0)
        clock.now_us += jump
    alerts.clear(case, "3", "drift", clock.now_us)
    for _ in range(12):
        alerts.deliver(0)
        clock.now_us += HOUR_US
    assert arrived == ["1.1", "1.2"]
    assert outbox.deliveries(state="given up") == []
    outbox.close()
