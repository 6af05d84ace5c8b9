"""What the monitor tells people by: an alert is written into the outbox, then sent, tried again, and never sent twice.

with open_alerts(paths, settings) as alerts:
    alerts.raise_alert(case, Alert(…))     # or alerts.clear(case, version, cause, at_us)
    alerts.deliver()
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr

from tailtune.config.model import PII, Declared, Pii
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.alerts import Alert, Cause, Delivery, Message
from tailtune.core.printable import printable
from tailtune.core.secrets import without_password, without_passwords
from tailtune.predictors.prepare.scrub import scrub
from tailtune.report import slack
from tailtune.services.outbox.store import Outbox
from tailtune.services.webhooks import Posted, Webhook

Send = Callable[[Message], Posted]
SLACK, WEBHOOK = "slack", "webhook"
VARIABLES = {SLACK: "TAILTUNE_SLACK_WEBHOOK", WEBHOOK: "TAILTUNE_ALERT_WEBHOOK"}
"""Channel → the environment variable that holds its address."""
PATIENCE_S = 120.0
"""So long a run waits for channels that do not take a message; what is left is sent by the next one."""
_LOOK_AGAIN_S = 1.0
_TEST_CASE = "tailtune"


@dataclass
class Delivered:
    """One per pass over the outbox.

    Attributes:
        sent: Deliveries that arrived.
        given_up: Deliveries that are not tried any more.
        waiting: Deliveries to this process's channels that are tried again later.
        failed: Reasons of the last failures, by channel.
        busy: Whether another process was sending all the time; then nothing was done.
        tried: Deliveries as they are after their last attempt, by number.
    """

    sent: int = 0
    given_up: int = 0
    waiting: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    busy: bool = False
    tried: dict[int, Delivery] = field(default_factory=dict)


@dataclass(frozen=True)
class Alerts:
    """One per run of the monitor.

    Attributes:
        outbox: Where alerts are kept.
        channels: Channel → how a message is sent to it once.
    """

    outbox: Outbox
    channels: Mapping[str, Send]

    def raise_alert(self, case: Declared, alert: Alert) -> Message | None:
        """Write an alert down; sent is what people do not know yet: trouble that is new, worse, or back.

        Args:
            case: Whose; says how its texts are scrubbed and how often people are told.
            alert: What a look found.

        Returns:
            The message that will be sent; None where people know of it.

        Raises:
            ServiceError: The database does not answer: nothing was recorded, and the look has to be repeated.
        """
        spec = case.spec.monitor.alerts
        harmless = _harmless(alert if spec.examples else alert.model_copy(update={"examples": ()}), case)
        return self.outbox.record(
            harmless, tuple(self.channels), cooldown_h=spec.cooldown_hours, reminders=spec.reminders
        )

    def clear(self, case: Declared, version: str | None, cause: Cause, at_us: int, why: str = "") -> Message | None:
        """Write down that a look did not find a cause any more; trouble that was open is over.

        Raises:
            ServiceError: The database does not answer.
        """
        return self.outbox.clear(
            case.name,
            version,
            cause,
            at_us,
            tuple(self.channels),
            cooldown_h=case.spec.monitor.alerts.cooldown_hours,
            why=printable(why),
        )

    def after_look(
        self, case: Declared, version: str | None, found: Iterable[Alert], measured: Collection[Cause], at_us: int
    ) -> list[Message]:
        """Write down all that a look at a version found, and that the other causes that it measured are over.

        A cause that was not measured stays as it is: nobody knows.

        Raises:
            ServiceError: The database does not answer: the look has to be repeated, which doubles nothing.
        """
        alerts = list(found)
        messages = [self.raise_alert(case, alert) for alert in alerts]
        fine = [cause for cause in measured if cause not in {alert.cause for alert in alerts}]
        messages += [self.clear(case, version, cause, at_us) for cause in fine]
        return [message for message in messages if message is not None]

    def took_over(self, case: Declared, version: str, at_us: int) -> list[Message]:
        """Write down that a version answers now; trouble of those before it is over.

        Raises:
            ServiceError: The database does not answer.
        """
        return self.outbox.took_over(case.name, version, at_us, tuple(self.channels))

    def record_outcome(self, case: Declared, alert: Alert) -> Message | None:
        """Write down what came of a retrain, to be sent once; None where that was written down before.

        Raises:
            ServiceError: The database does not answer.
        """
        return self.outbox.record_outcome(_harmless(alert, case), tuple(self.channels))

    def deliver(
        self,
        patience_s: float = PATIENCE_S,
        *,
        only: int | None = None,
        final: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Delivered:
        """Send what waits, oldest first; one process at a time.

        Args:
            patience_s: Seconds to wait in all, for another process that sends or for channels that fail.
            only: Only messages about this trouble.
            final: Give up what fails at once.
            sleep: Waits seconds.

        Returns:
            What became of it.

        Raises:
            ServiceError: The database does not answer. What was sent and could not be noted is sent again.
        """
        waited_s = 0.0
        while True:
            with self.outbox.sending() as is_ours:
                if is_ours:
                    return self._send_all(patience_s - waited_s, only, final, sleep)
            if waited_s >= patience_s:
                return Delivered(busy=True)
            sleep(_LOOK_AGAIN_S)
            waited_s += _LOOK_AGAIN_S

    def _send_all(self, patience_s: float, only: int | None, final: bool, sleep: Callable[[float], None]) -> Delivered:
        pass_ = Delivered()
        while True:
            delivery = self.outbox.claim(self.channels.keys(), only)
            if delivery is not None:
                self._send(delivery, pass_, final)
                continue
            wait_s = self.outbox.next_in_s(self.channels.keys(), only)
            if wait_s is None or wait_s > patience_s:
                break
            sleep(max(wait_s, 0.01))
            patience_s -= wait_s
        waiting = [each for each in self.outbox.deliveries(state="waiting") if each.channel in self.channels]
        pass_.waiting = len(waiting)
        return pass_

    def _send(self, delivery: Delivery, pass_: Delivered, final: bool) -> None:
        channel = delivery.channel
        send = self.channels.get(channel)
        if send is None:
            posted = Posted(False, f"{VARIABLES.get(channel, channel)} is not set")
        else:
            posted = send(delivery.message)
        if posted.ok:
            self.outbox.sent(delivery, posted.reason)
            pass_.sent += 1
            after = delivery.model_copy(update={"state": "sent", "reason": posted.reason})
        else:
            after = self.outbox.failed(delivery, posted.reason, posted.retry_after_s, final=final)
            pass_.given_up += after.state == "given up"
            pass_.failed[channel] = posted.reason
        pass_.tried[delivery.id] = after


@contextmanager
def open_alerts(paths: Paths, settings: Settings) -> Iterator[Alerts]:
    """The outbox of this project and the channels that the environment names.

    Raises:
        UsageError: An address is none.
        ServiceError: The database does not answer.
    """
    found = channels(settings)
    outbox = Outbox(settings.prediction_log_url(paths))
    try:
        yield Alerts(outbox, found)
    finally:
        outbox.close()


def channels(settings: Settings) -> dict[str, Send]:
    """Channel → how a message is sent to it once: those whose address the environment holds.

    Raises:
        UsageError: An address is none.
    """
    found: dict[str, Send] = {}
    if (url := _secret(settings.slack_webhook)) is not None:
        found[SLACK] = _slack(Webhook(VARIABLES[SLACK], url))
    if (url := _secret(settings.alert_webhook)) is not None:
        found[WEBHOOK] = _json(Webhook(VARIABLES[WEBHOOK], url))
    return found


def sample(at_us: int) -> Alert:
    """An alert about nothing, as `tailtune alerts test` sends it."""
    return Alert(
        use_case=_TEST_CASE,
        version=None,
        cause="drift",
        severity="warning",
        at_us=at_us,
        title="a trial of how alerts come",
        moved=("Nothing has moved. Here would stand what did, the most telling first.",),
        accuracy_by="Not measured: here would stand how it was estimated, and what that cannot see.",
        examples=("Here would stand the text of a row, scrubbed.",),
        next_step="Nothing: who reads this receives alerts.",
    )


def _slack(webhook: Webhook) -> Send:
    def send(message: Message) -> Posted:
        posted = webhook.post(slack.message(message))
        if posted.status != 400:
            return posted
        bare = webhook.post(slack.fallback(message))  # better bare words than none
        return replace(bare, reason=f"without blocks, which were refused: {posted.reason}") if bare.ok else posted

    return send


def _json(webhook: Webhook) -> Send:
    return lambda message: webhook.post(payload(message))


def payload(message: Message) -> dict[str, Any]:
    """A message as the JSON that other webhooks get: its fields, its name, and its words as plain text."""
    plain: dict[str, Any] = _without_nan(message.model_dump(mode="json"))
    return {"id": message.id, "text": slack.plain(message), **plain}


def _without_nan(value: Any) -> Any:
    """JSON values; what was not measured as null, for JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _harmless(alert: Alert, case: Declared) -> Alert:
    """An alert whose texts hold no personal data, no password and no control characters.

    Texts of rows lose every kind of personal data, whatever the use case keeps: a channel has other readers than a log.
    """

    def cleaned(text: str, kinds: Iterable[Pii] = case.spec.curate.scrub_pii) -> str:
        return printable(without_passwords(scrub(text, kinds)[0]))

    return alert.model_copy(
        update={
            "title": cleaned(alert.title),
            "moved": tuple(map(cleaned, alert.moved)),
            "examples": tuple(cleaned(text, PII) for text in alert.examples),
            "accuracy_by": cleaned(alert.accuracy_by, ()),
            "next_step": cleaned(alert.next_step, ()),
            "links": {printable(name): printable(without_password(url)) for name, url in alert.links.items()},
        }
    )


def _secret(value: SecretStr | None) -> str | None:
    return (value.get_secret_value().strip() or None) if value is not None else None
