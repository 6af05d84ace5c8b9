"""The outbox's store: what is written down, what is claimed, and what people see of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from worlds.alarming import HOUR_US, NOON_US, Clock, alert

from tailtune.core.alerts import Delivery, Message
from tailtune.services.outbox.rules import GIVE_UP_ATTEMPTS, LEASE_S
from tailtune.services.outbox.store import Outbox

BOTH = ("slack", "webhook")


def record(outbox: Outbox, **values: Any) -> Message | None:
    return outbox.record(alert(**values), ("slack",))


def clear(outbox: Outbox, at_us: int = NOON_US) -> Message | None:
    return outbox.clear("inbox", "3", "drift", at_us, ("slack",))


def claimed(outbox: Outbox, *channels: str) -> Delivery:
    delivery = outbox.claim(channels or ("slack",))
    assert delivery is not None
    return delivery


def waiting(outbox: Outbox) -> list[str]:
    return [f"{each.message.id} {each.message.kind} {each.channel}" for each in outbox.deliveries(state="waiting")]


def test_an_alert_is_written_with_a_delivery_a_channel(outbox: Outbox) -> None:
    message = outbox.record(alert(examples=("a\nb", "é€😀")), BOTH)
    assert message is not None
    assert (message.id, message.kind, message.at_us, message.since_us) == ("1.1", "alert", NOON_US, NOON_US)
    assert waiting(outbox) == ["1.1 alert slack", "1.1 alert webhook"]
    assert [each.message for each in outbox.deliveries()] == [message, message]


def test_the_same_trouble_is_one(outbox: Outbox, clock: Clock) -> None:
    assert record(outbox) is not None
    for hours in (1, 24, 1000):
        clock.pass_hours(hours)
        assert record(outbox, title="said otherwise") is None
    (trouble,) = outbox.troubles()
    assert (trouble.looks, trouble.messages, trouble.alert.title) == (4, 1, "said otherwise")
    assert waiting(outbox) == ["1.1 alert slack"]


@pytest.mark.parametrize("other", [{"use_case": "claims"}, {"version": "4"}, {"version": None}, {"cause": "latency"}])
def test_other_trouble_is_other_trouble(outbox: Outbox, other: dict[str, Any]) -> None:
    assert record(outbox) is not None
    assert record(outbox, **other) is not None
    assert record(outbox, **other) is None
    assert len(outbox.troubles()) == 2


def test_worse_trouble_is_sent_at_once(outbox: Outbox) -> None:
    record(outbox, size=2.0)
    assert record(outbox, size=2.9) is None
    larger = record(outbox, size=3.0)
    assert larger is not None and (larger.id, larger.kind, larger.before) == ("1.2", "escalation", "warning")
    assert record(outbox, size=4.4) is None, "half as much again as what was last sent is 4.5"
    severe = record(outbox, size=1.0, severity="critical")
    assert severe is not None and (severe.id, severe.before) == ("1.3", "warning")
    assert record(outbox, size=1.0, severity="critical") is None


def test_reminders_come_once_a_cool_down_where_they_are_on(outbox: Outbox, clock: Clock) -> None:
    record(outbox)
    kinds = []
    for _ in range(5):
        clock.pass_hours(12)
        message = outbox.record(alert(), ("slack",), cooldown_h=24, reminders=True)
        kinds.append(message and message.kind)
    assert kinds == [None, "reminder", None, "reminder", None]


def test_trouble_that_clears_is_over_once(outbox: Outbox, clock: Clock) -> None:
    assert clear(outbox) is None
    record(outbox)
    clock.pass_hours(5)
    over = clear(outbox, NOON_US + 5 * HOUR_US)
    assert over is not None and (over.id, over.kind, over.since_us) == ("1.2", "recovery", NOON_US)
    assert clear(outbox) is None
    (trouble,) = outbox.troubles()
    assert trouble.cleared_us == NOON_US + 5 * HOUR_US
    clock.pass_hours(25)
    again = record(outbox)
    assert again is not None and (again.id, again.kind) == ("2.1", "alert")


def test_trouble_that_comes_and_goes_makes_three_messages(outbox: Outbox, clock: Clock) -> None:
    kinds = []
    for _ in range(10):
        kinds += [record(outbox), clear(outbox)]
        clock.pass_hours(1)
    assert [message.kind for message in kinds if message] == ["alert", "recovery", "return"]
    assert [trouble.cleared_us for trouble in outbox.troubles()] == [None]
    clock.pass_hours(24)
    over = clear(outbox)
    assert over is not None and (over.id, over.kind) == ("1.4", "recovery")


def test_another_version_ends_the_trouble_of_those_before(outbox: Outbox) -> None:
    for values in ({}, {"cause": "latency"}, {"version": "4"}, {"version": None}, {"use_case": "claims"}):
        record(outbox, **values)
    over = outbox.took_over("inbox", "4", NOON_US, ("slack",))
    assert [(message.kind, message.alert.cause, message.why) for message in over] == [
        ("recovery", "drift", "version 4 answers now"),
        ("recovery", "latency", "version 4 answers now"),
    ]
    assert outbox.took_over("inbox", "4", NOON_US, ("slack",)) == []


def test_a_channel_that_is_set_later_gets_what_is_open(outbox: Outbox) -> None:
    assert outbox.record(alert(size=4.0), ()) is not None
    assert waiting(outbox) == []
    late = record(outbox, size=2.0)
    assert late is not None and waiting(outbox) == ["1.2 alert slack"]
    assert record(outbox, size=5.0) is None, "what others know is not forgotten"
    assert record(outbox, size=6.0) is not None


def test_what_was_given_up_is_written_again_while_it_is_open(outbox: Outbox) -> None:
    record(outbox)
    outbox.failed(claimed(outbox), "gone", final=True)
    assert record(outbox) is not None
    assert waiting(outbox) == ["1.2 alert slack"]
    assert record(outbox) is None


def test_a_channel_gets_messages_about_a_trouble_in_their_order(outbox: Outbox, clock: Clock) -> None:
    record(outbox)
    clear(outbox)
    record(outbox, cause="latency")
    first = claimed(outbox)
    assert first.message.id == "1.1"
    outbox.failed(first, "away", 3600)
    assert [outbox.claim(("slack",))] == [None], "a channel that asks for patience gets nothing else meanwhile"
    clock.pass_hours(1)
    order = []
    while (delivery := outbox.claim(("slack",))) is not None:
        outbox.sent(delivery)
        order.append(delivery.message.id)
    assert order == ["1.1", "1.2", "2.1"]


def test_a_failure_holds_up_only_its_own_trouble_and_channel(outbox: Outbox) -> None:
    outbox.record(alert(), BOTH)
    outbox.record(alert(cause="latency"), BOTH)
    outbox.failed(claimed(outbox, *BOTH), "500")
    names = [f"{each.message.id} {each.channel}" for each in (claimed(outbox, *BOTH) for _ in range(3))]
    assert names == ["1.1 webhook", "2.1 slack", "2.1 webhook"]


def test_a_claim_that_was_cut_off_is_made_again_after_its_lease(outbox: Outbox, clock: Clock) -> None:
    record(outbox)
    assert claimed(outbox).attempts == 1
    assert outbox.claim(("slack",)) is None
    assert outbox.next_in_s(("slack",)) == LEASE_S
    clock.sleep(LEASE_S)
    assert claimed(outbox).attempts == 2


def test_a_delivery_fails_until_it_is_given_up_and_counted(outbox: Outbox, clock: Clock) -> None:
    record(outbox)
    tries = 0
    while (delivery := outbox.claim(("slack",))) is not None:
        after = outbox.failed(delivery, "500 server_error " * 100)
        tries += 1
        clock.now_us = max(clock.now_us, after.next_us)
    assert tries > 50 > GIVE_UP_ATTEMPTS
    (gone,) = outbox.deliveries(state="given up")
    assert gone.attempts == tries and gone.reason.startswith("500 server_error") and len(gone.reason) == 500
    assert gone.done_us is not None and gone.done_us - NOON_US == pytest.approx(72 * HOUR_US, rel=0.02)


def test_a_channel_that_is_not_set_here_is_left_to_others_for_three_days(outbox: Outbox, clock: Clock) -> None:
    record(outbox)
    assert outbox.claim(("webhook",)) is None
    assert outbox.next_in_s(("webhook",)) is None
    clock.pass_hours(73)
    for _ in range(GIVE_UP_ATTEMPTS):
        outbox.failed(claimed(outbox, "webhook"), "not set")
        clock.pass_hours(1)
    assert outbox.claim(("webhook",)) is None
    assert len(outbox.deliveries(state="given up")) == 1


def test_an_outcome_is_no_trouble_and_each_is_a_message(outbox: Outbox) -> None:
    outcome = outbox.record_outcome(alert(), BOTH)
    assert outcome is not None and (outcome.kind, outbox.troubles()) == ("outcome", [])
    assert outbox.record_outcome(alert(), BOTH) is None, "of the same moment"
    later = outbox.record_outcome(alert(at_us=alert().at_us + 1), BOTH)
    assert later is not None and later.id != outcome.id
    first = record(outbox)
    assert first is not None and first.kind == "alert"


def test_a_trial_is_no_trouble(outbox: Outbox) -> None:
    trial = outbox.record_test(alert(), BOTH)
    assert (trial.kind, outbox.troubles()) == ("test", [])
    assert outbox.record_test(alert(), BOTH).trouble != trial.trouble
    assert record(outbox) is not None
    assert claimed(outbox, *BOTH).message == trial
    only = outbox.claim(BOTH, only=2)
    assert only is not None and only.message.trouble == 2


def test_open_trouble_is_shown_first(outbox: Outbox) -> None:
    for version in ("1", "2", "3", "4"):
        record(outbox, version=version)
    for version in ("2", "4"):
        outbox.clear("inbox", version, "drift", NOON_US, ())
    record(outbox, use_case="claims")
    assert [trouble.alert.version for trouble in outbox.troubles("inbox")] == ["3", "1", "4", "2"]
    assert [trouble.alert.version for trouble in outbox.troubles("inbox", most=1)] == ["3", "1", "4"]
    assert {each.message.trouble for each in outbox.deliveries([1, 2])} == {1, 2}


def test_looks_at_once_make_one_alert(database: str) -> None:
    Outbox(database).close()
    messages: list[Message | None] = []

    def look() -> None:
        outbox = Outbox(database)
        messages.append(outbox.record(alert(), ("slack",)))
        outbox.close()

    looks = [threading.Thread(target=look) for _ in range(4)]
    for each in looks:
        each.start()
    for each in looks:
        each.join()
    assert len(messages) == 4 and len([message for message in messages if message]) == 1
    outbox = Outbox(database)
    assert len(outbox.deliveries()) == 1
    outbox.close()


def test_one_process_at_a_time_sends(database: str) -> None:
    first, second = Outbox(database), Outbox(database)
    with first.sending() as ours, second.sending() as theirs:
        assert (ours, theirs) == (True, False)
    with second.sending() as theirs:
        assert theirs
    first.close()
    second.close()
