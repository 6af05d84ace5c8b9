"""Which look at a model makes a message, and when a delivery is tried again. Pure: values in, values out.

Clocks may jump. Spans are therefore taken without their sign, and no rule drops a message because of the time alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from tailtune.core.alerts import SEVERITIES, Alert, MessageKind, Severity
from tailtune.core.days import day_of

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
WORSE = 1.5
"""Times what was last sent from which on trouble has got worse."""
GIVE_UP_US = 72 * HOUR_US
GIVE_UP_ATTEMPTS = 12
"""A delivery is given up once it is three days old and was tried so often: a clock that jumps three days ahead gives
nothing up by itself."""
LEASE_S = 15.0
"""So long a delivery that a process has claimed is not claimed again; longer than any attempt takes."""
LONGEST_WAIT_S = 6 * 3600.0
_FIRST_WAIT_S, _LONGEST_OWN_WAIT_S = 5.0, 3600.0
_EARLY = 0.95  # a nightly look may come a little early


@dataclass(frozen=True)
class Known:
    """One per trouble: what people have been sent about it.

    Attributes:
        kind: What the last message said.
        severity: What it called the trouble.
        size: How large it called it.
        at_us: When the last message, also that it is over, was recorded.
        over: Whether the trouble is over.
    """

    kind: MessageKind
    severity: Severity
    size: float
    at_us: int
    over: bool = False


def passed(since_us: int, now_us: int, span_us: float) -> bool:
    """Whether a span of time lies between two moments, whichever of them a clock that jumped puts first."""
    return abs(now_us - since_us) >= _EARLY * span_us


def message_about(
    known: Known | None, alert: Alert, now_us: int, cooldown_us: float, reminders: bool
) -> MessageKind | None:
    """What a look that found trouble makes known.

    Args:
        known: What people know of the last trouble of this model, version and cause; None where there was none.
        alert: What was found.
        now_us: Now.
        cooldown_us: `monitor.alerts.cooldown_hours`.
        reminders: `monitor.alerts.reminders`.

    Returns:
        The kind of message; None where there is nothing that people do not know.
    """
    if known is None:
        return "alert"
    if known.over:
        return "alert" if passed(known.at_us, now_us, cooldown_us) else "return"
    if is_worse(known, alert):
        return "escalation"
    return "reminder" if reminders and passed(known.at_us, now_us, cooldown_us) else None


def is_worse(known: Known, alert: Alert) -> bool:
    """Whether trouble is more severe, or surely half as large again, as what was last sent.

    In a day that is not over, trouble grows with the day: what was sent that day is not sent again for its size.
    """
    if SEVERITIES.index(alert.severity) > SEVERITIES.index(known.severity):
        return True
    is_known_today = alert.so_far and day_of(alert.at_us) == day_of(known.at_us)
    surely = alert.size if alert.sure_size is None else alert.sure_size
    return surely >= WORSE * known.size and not is_known_today


def comes_and_goes(known: Known, now_us: int, cooldown_us: float) -> bool:
    """Whether trouble that clears is not over yet: it has come back in this cool-down already.

    So trouble that comes and goes all the time makes three messages a cool-down, and the last of them says that it is
    there.
    """
    return known.kind == "return" and not passed(known.at_us, now_us, cooldown_us)


def wait_s(attempts: int, retry_after_s: float | None, chance: float) -> float:
    """Seconds until a delivery is tried again: twice as long each time, up to an hour, scattered over the later half.

    Args:
        attempts: How often it was tried, at least 1.
        retry_after_s: What the server asked for; heeded up to six hours.
        chance: Uniform, 0 to 1.
    """
    own = min(_FIRST_WAIT_S * 2.0 ** min(attempts - 1, 20), _LONGEST_OWN_WAIT_S) * (0.5 + chance / 2)
    return own if retry_after_s is None else max(own, min(retry_after_s, LONGEST_WAIT_S))


def is_due(next_us: int, now_us: int) -> bool:
    """Whether a delivery may be tried; one that would wait longer than any does was set by a clock that was ahead."""
    return not now_us < next_us <= now_us + (LONGEST_WAIT_S + LEASE_S) * SECOND_US


def is_given_up(made_us: int, now_us: int, attempts: int) -> bool:
    """Whether a delivery that failed is not tried any more."""
    return abs(now_us - made_us) >= GIVE_UP_US and attempts >= GIVE_UP_ATTEMPTS
