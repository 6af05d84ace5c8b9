"""Which look makes a message, and when a delivery is tried again, whatever the clock does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds.alarming import DAY_US, HOUR_US, NOON_US, SECOND_US, alert

from tailtune.core.alerts import MessageKind
from tailtune.services.outbox import rules
from tailtune.services.outbox.rules import Known, is_due, is_given_up, message_about, wait_s

KNOWN = Known("alert", "warning", 2.0, NOON_US)
OVER = Known("alert", "warning", 2.0, NOON_US, over=True)
MOMENTS = st.integers(-(2**62), 2**62)


@pytest.mark.parametrize(
    ("known", "found", "hours", "reminders", "kind"),
    [
        (None, alert(), 0, False, "alert"),
        (KNOWN, alert(size=2.0), 1, False, None),
        (KNOWN, alert(size=2.9), 1, False, None),
        (KNOWN, alert(size=3.0), 1, False, "escalation"),
        (KNOWN, alert(size=9.0, sure_size=2.9), 1, False, None),
        (KNOWN, alert(size=9.0, sure_size=3.0), 1, False, "escalation"),
        (KNOWN, alert(size=0.1, severity="critical"), 0, False, "escalation"),
        (KNOWN, alert(size=9.0, so_far=True), 1, False, None),
        (KNOWN, alert(size=9.0, so_far=True, severity="critical"), 1, False, "escalation"),
        (KNOWN, alert(size=9.0, so_far=True, at_us=NOON_US + 24 * HOUR_US), 24, False, "escalation"),
        (KNOWN, alert(size=2.0), 1000, False, None),
        (KNOWN, alert(size=2.0), 22, True, None),
        (KNOWN, alert(size=2.0), 23.9, True, "reminder"),
        (Known("alert", "critical", 2.0, NOON_US), alert(), 1, False, None),
        (OVER, alert(), 1, False, "return"),
        (OVER, alert(), 25, False, "alert"),
    ],
)
def test_what_a_look_makes_known(
    known: Known | None, found: object, hours: float, reminders: bool, kind: MessageKind | None
) -> None:
    now_us = NOON_US + round(hours * HOUR_US)
    assert message_about(known, found, now_us, 24 * HOUR_US, reminders) == kind  # type: ignore[arg-type]


@given(MOMENTS, MOMENTS)
def test_no_clock_makes_news_of_what_is_known(then_us: int, now_us: int) -> None:
    known = Known("alert", "warning", 2.0, then_us)
    assert message_about(known, alert(size=2.0), now_us, 24 * HOUR_US, False) is None


@given(MOMENTS, st.one_of(st.none(), st.just(KNOWN), st.just(OVER)))
def test_no_clock_hides_news(now_us: int, known: Known | None) -> None:
    worse = alert(severity="critical")
    assert message_about(known, worse, now_us, 24 * HOUR_US, False) is not None


def test_trouble_that_came_back_is_not_over_within_the_cool_down() -> None:
    back = Known("return", "warning", 2.0, NOON_US)
    assert rules.comes_and_goes(back, NOON_US + HOUR_US, 24 * HOUR_US)
    assert not rules.comes_and_goes(back, NOON_US + DAY_US, 24 * HOUR_US)
    assert not rules.comes_and_goes(KNOWN, NOON_US + HOUR_US, 24 * HOUR_US)


def test_waits_double_up_to_an_hour_and_are_scattered() -> None:
    assert [wait_s(attempts, None, 1.0) for attempts in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert [wait_s(attempts, None, 0.0) for attempts in (1, 2)] == [2.5, 5]
    assert wait_s(50, None, 1.0) == 3600
    assert wait_s(10_000, None, 0.0) == 1800


def test_what_the_server_asks_for_is_waited_within_reason() -> None:
    assert wait_s(1, 30.0, 0.5) == 30
    assert wait_s(10, 1.0, 1.0) == 2560
    assert wait_s(1, 1e9, 0.5) == rules.LONGEST_WAIT_S


@given(st.integers(1, 100), st.one_of(st.none(), st.floats(0, 1e12)), st.floats(0, 1), MOMENTS)
def test_a_delivery_is_due_again_whatever_its_clock_does(
    attempts: int, retry_after_s: float | None, chance: float, jumped_us: int
) -> None:
    next_us = NOON_US + round(wait_s(attempts, retry_after_s, chance) * SECOND_US)
    assert is_due(next_us, next_us)
    waits = [jumped_us + hours * HOUR_US for hours in range(8) if is_due(next_us, jumped_us + hours * HOUR_US)]
    assert waits, "not due within seven hours of any clock"


@given(st.integers(0, rules.GIVE_UP_ATTEMPTS - 1), MOMENTS, MOMENTS)
def test_no_clock_alone_gives_a_delivery_up(attempts: int, made_us: int, now_us: int) -> None:
    assert not is_given_up(made_us, now_us, attempts)


def test_a_delivery_is_given_up_after_three_days_of_trying() -> None:
    assert not is_given_up(NOON_US, NOON_US + 71 * HOUR_US, 1000)
    assert is_given_up(NOON_US, NOON_US + 72 * HOUR_US, rules.GIVE_UP_ATTEMPTS)
