"""What the monitor calls: an alert is made harmless, written down, and sent to the channels of the environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from doubles.block_kit import texts
from doubles.slack import SECRET, Mishap, Slack
from worlds.alarming import NOON_US, SECOND_US, Clock, alert

from tailtune.config.settings import Settings
from tailtune.core.alerts import Message
from tailtune.core.errors import UsageError
from tailtune.core.records import Estimate
from tailtune.operations.alerts import Alerts, channels, payload, sample
from tailtune.services.outbox.store import Outbox
from tailtune.services.webhooks import Posted

from .conftest import Watched, watched


@dataclass
class Channel:
    """Answers as it is told, then takes everything; keeps what it took."""

    answers: list[Posted] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def __call__(self, message: Message) -> Posted:
        posted = self.answers.pop(0) if self.answers else Posted(True, "200 ok", 200)
        if posted.ok:
            self.taken.append(message.id)
        return posted


def refusals(number: int, retry_after_s: float | None = None) -> list[Posted]:
    return [Posted(False, "500 server_error", 500, retry_after_s)] * number


@pytest.fixture
def outbox(open_outbox: Callable[[], Outbox]) -> Outbox:
    return open_outbox()


def test_an_alert_reaches_every_channel_once(outbox: Outbox, case: Watched) -> None:
    first, second = Channel(), Channel()
    alerts = Alerts(outbox, {"slack": first, "webhook": second})
    assert alerts.raise_alert(case, alert()) is not None
    done = alerts.deliver(0)
    assert (done.sent, done.waiting, done.given_up, done.failed) == (2, 0, 0, {})
    alerts.raise_alert(case, alert())
    assert alerts.deliver(0).sent == 0
    alerts.clear(case, "3", "drift", NOON_US, "the share is back\x1b")
    alerts.deliver(0)
    assert first.taken == second.taken == ["1.1", "1.2"]
    (trouble,) = outbox.troubles()
    assert trouble.why == "the share is back\\x1b"


def test_a_look_raises_what_it_found_and_clears_what_it_measured(outbox: Outbox, case: Watched) -> None:
    alerts = Alerts(outbox, {"slack": Channel()})
    for cause in ("drift", "latency", "accuracy"):
        alerts.raise_alert(case, alert(cause=cause))
    messages = alerts.after_look(case, "3", [alert(severity="critical")], ("drift", "latency", "errors"), NOON_US)
    assert [(message.kind, message.alert.cause) for message in messages] == [
        ("escalation", "drift"),
        ("recovery", "latency"),
    ]
    open_now = [trouble.alert.cause for trouble in outbox.troubles() if trouble.cleared_us is None]
    assert open_now == ["accuracy", "drift"], "nobody has measured accuracy"


def test_the_use_case_says_how_often_people_are_told(outbox: Outbox, clock: Clock) -> None:
    alerts, hourly = Alerts(outbox, {"slack": Channel()}), watched(cooldown_hours=1, reminders=True)
    alerts.raise_alert(hourly, alert())
    clock.pass_hours(1)
    again = alerts.raise_alert(hourly, alert())
    assert again is not None and again.kind == "reminder"


def test_texts_lose_what_is_personal_or_secret_or_acts(outbox: Outbox, case: Watched) -> None:
    raised = Alerts(outbox, {}).raise_alert(
        case,
        alert(
            title="inbox\x1b[31m drifts",
            moved=("more rows with ana@example.com", "92.4 % (91.0–93.8) on 2026-11-28, 12,000 rows; +1.9 points"),
            examples=("write to ana@example.com or 192.168.0.1\0", "card 4111 1111 1111 1111"),
            links={"mlflow": "https://user:hunter2@mlflow.example.com/#/runs/1?token=abcdef123"},
            next_step="look at https://user:hunter2@host/x",
        ),
    )
    assert raised is not None
    assert raised.alert.title == "inbox\\x1b[31m drifts"
    assert raised.alert.moved == (
        "more rows with <email>",
        "92.4 % (91.0–93.8) on 2026-11-28, 12,000 rows; +1.9 points",
    )
    assert raised.alert.examples == ("write to <email> or <ip>\\x00", "card <card>")
    assert raised.alert.links == {"mlflow": "https://mlflow.example.com/#/runs/1?token=***"}
    assert raised.alert.next_step == "look at https://host/x"


def test_texts_of_rows_stay_at_home_where_the_use_case_says_so(outbox: Outbox) -> None:
    raised = Alerts(outbox, {}).raise_alert(watched(examples=False), alert(examples=("a text",)))
    assert raised is not None and raised.alert.examples == ()


def test_a_channel_that_fails_is_tried_again_within_patience(outbox: Outbox, case: Watched, clock: Clock) -> None:
    slack = Channel(refusals(3))
    alerts = Alerts(outbox, {"slack": slack})
    alerts.raise_alert(case, alert())
    done = alerts.deliver(60, sleep=clock.sleep)
    assert (done.sent, done.waiting, slack.taken) == (1, 0, ["1.1"])
    assert clock.now_us == NOON_US + (5 + 10 + 20) * SECOND_US


def test_what_outlasts_patience_waits_for_the_next_run(outbox: Outbox, case: Watched, clock: Clock) -> None:
    slack = Channel(refusals(4))
    alerts = Alerts(outbox, {"slack": slack})
    alerts.raise_alert(case, alert())
    done = alerts.deliver(20, sleep=clock.sleep)
    assert (done.sent, done.waiting, done.failed) == (0, 1, {"slack": "500 server_error"})
    assert clock.now_us <= NOON_US + 20 * SECOND_US
    assert alerts.deliver(600, sleep=clock.sleep).sent == 1


def test_one_bad_channel_does_not_hold_up_another(outbox: Outbox, case: Watched, clock: Clock) -> None:
    bad, good = Channel(refusals(100)), Channel()
    alerts = Alerts(outbox, {"slack": bad, "webhook": good})
    alerts.raise_alert(case, alert())
    alerts.deliver(30, sleep=clock.sleep)
    assert (bad.taken, good.taken) == ([], ["1.1"])


def test_another_sender_is_waited_for(outbox: Outbox, case: Watched, open_outbox: Callable[[], Outbox]) -> None:
    other, waits = open_outbox(), 0
    alerts = Alerts(outbox, {"slack": Channel()})
    alerts.raise_alert(case, alert())
    with other.sending() as theirs:
        assert theirs
        assert alerts.deliver(0).busy

    until_the_third_look = other.sending()
    until_the_third_look.__enter__()

    def sleep(_: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 2:
            until_the_third_look.__exit__(None, None, None)

    assert alerts.deliver(5, sleep=sleep).sent == 1
    assert waits == 2


def test_channels_are_those_of_the_environment(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert channels(Settings()) == {}
    monkeypatch.setenv("TAILTUNE_SLACK_WEBHOOK", " ")
    assert channels(Settings()) == {}
    monkeypatch.setenv("TAILTUNE_SLACK_WEBHOOK", slack.url)
    monkeypatch.setenv("TAILTUNE_ALERT_WEBHOOK", slack.json_url)
    settings = Settings()
    assert SECRET not in repr(settings) + str(settings.model_dump())
    ways = channels(settings)
    assert list(ways) == ["slack", "webhook"]
    message = Message(trouble=7, number=2, kind="alert", at_us=NOON_US, since_us=NOON_US, alert=alert())
    assert [send(message).reason for send in ways.values()] == ["200 ok", "200 ok"]
    blocks, plain = slack.taken
    assert "Message 7.2" in " ".join(texts(blocks["blocks"])) and plain["id"] == "7.2"
    monkeypatch.setenv("TAILTUNE_ALERT_WEBHOOK", "http://example.com/secret-path")
    with pytest.raises(UsageError, match="TAILTUNE_ALERT_WEBHOOK: not https") as refused:
        channels(Settings())
    assert "secret-path" not in str(refused.value)


def test_blocks_that_slack_refuses_go_as_bare_words(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_SLACK_WEBHOOK", slack.url)
    slack.coming.append(Mishap("status", 400, "invalid_blocks"))
    message = Message(trouble=1, number=1, kind="alert", at_us=NOON_US, since_us=NOON_US, alert=alert())
    posted = channels(Settings())["slack"](message)
    assert posted == Posted(True, "without blocks, which were refused: 400 invalid_blocks", 200)
    assert "blocks" not in slack.taken[0] and "unlike anything in training" in slack.taken[0]["text"]


def test_the_json_of_other_webhooks_is_json() -> None:
    measured = Estimate(value=float("nan"), low=0.8, high=float("inf"), rows=100)
    message = Message(
        trouble=1, number=1, kind="alert", at_us=NOON_US, since_us=NOON_US, alert=alert(accuracy=measured)
    )
    found = json.loads(json.dumps(payload(message), allow_nan=False))
    assert (found["id"], found["kind"], found["alert"]["cause"]) == ("1.1", "alert", "drift")
    assert (found["alert"]["accuracy"]["value"], found["alert"]["accuracy"]["high"]) == (None, None)
    assert "12 % of rows" in found["text"]


def test_the_sample_is_sent_as_a_trial(outbox: Outbox) -> None:
    slack = Channel()
    alerts = Alerts(outbox, {"slack": slack})
    trial = outbox.record_test(sample(NOON_US), alerts.channels.keys())
    done = alerts.deliver(0, only=trial.trouble, final=True)
    assert [each.state for each in done.tried.values()] == ["sent"]
    assert slack.taken == [trial.id]


def test_a_trial_that_fails_is_not_tried_again(outbox: Outbox) -> None:
    alerts = Alerts(outbox, {"slack": Channel(refusals(1))})
    trial = outbox.record_test(sample(NOON_US), alerts.channels.keys())
    done = alerts.deliver(60, only=trial.trouble, final=True)
    assert [(each.state, each.reason) for each in done.tried.values()] == [("given up", "500 server_error")]
    assert outbox.deliveries(state="waiting") == []
