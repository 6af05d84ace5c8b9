"""What `tailtune alerts` does: show what is alarming and whom it has reached, send what waits, try the way."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import ServiceError, UsageError
from tailtune.report.numbers import counted

_PATIENCE_S = 30.0


def print_alerts(paths: Paths, use_case: str | None) -> None:
    """Print open trouble, past trouble and messages that have not arrived; make no database.

    Raises:
        UsageError: The database's address leads nowhere, or a newer program made it.
        ServiceError: The database does not answer.
    """
    from tailtune.operations.alerts import VARIABLES, channels
    from tailtune.report.terminal.alerts import AlertsView, alerts
    from tailtune.report.terminal.console import PrintableConsole
    from tailtune.services.outbox.store import Outbox
    from tailtune.tasks.use_case import load_use_case

    if use_case is not None:
        load_use_case(paths, use_case)
    settings = Settings()
    ways = channels(settings).keys()
    outbox = Outbox.existing(settings.prediction_log_url(paths))
    troubles = [] if outbox is None else outbox.troubles(use_case)
    if outbox is None or not troubles:
        print(f"{use_case or 'all use cases'}: nothing was ever alarming")
        return
    view = AlertsView(
        use_case=use_case,
        troubles=troubles,
        deliveries=outbox.deliveries([trouble.id for trouble in troubles]),
        channels={name: variable for name, variable in VARIABLES.items() if name in ways},
        unset={name: variable for name, variable in VARIABLES.items() if name not in ways},
        now_us=time.time_ns() // 1000,
        address=outbox.shown.replace(f"{paths.root}/", ""),
    )
    outbox.close()
    PrintableConsole().print(alerts(view))


def send_alerts(paths: Paths) -> Iterator[str]:
    """Look whether a monitor is silent, send what waits, and say what became of it.

    Raises:
        UsageError: An address is none.
        ServiceError: The database does not answer, or a channel takes nothing.
    """
    from tailtune.operations.alerts import open_alerts
    from tailtune.operations.silence import check_silence

    settings = Settings()
    with open_alerts(paths, settings) as alerts:
        for message in check_silence(paths, settings, alerts, time.time_ns() // 1000):
            yield f"{message.kind}: {message.alert.title}"
        done = alerts.deliver(_PATIENCE_S)
    if done.busy:
        yield "another process is sending"
        return
    yield f"{counted(done.sent, 'message')} sent, {done.waiting} waiting, {done.given_up} given up"
    if done.waiting or done.given_up:
        reasons = "; ".join(f"{channel}: {reason}" for channel, reason in done.failed.items())
        raise ServiceError(reasons or "messages wait", "tailtune alerts send, or tailtune alerts to see them")


def try_channels(paths: Paths) -> Iterator[str]:
    """Send a sample to every channel as an alert goes, and say what came back.

    Raises:
        UsageError: No channel is set, or its address is none.
        ServiceError: The database does not answer, or a channel did not take the sample.
    """
    from tailtune.operations.alerts import VARIABLES, open_alerts, sample

    with open_alerts(paths, Settings()) as alerts:
        if not alerts.channels:
            variables = " or ".join(VARIABLES.values())
            raise UsageError("no channel is set, so alerts reach nobody", f"set {variables} to a webhook's address")
        message = alerts.outbox.record_test(sample(time.time_ns() // 1000), tuple(alerts.channels))
        yield f"message {message.id} written into {alerts.outbox.shown.replace(f'{paths.root}/', '')}"
        done = alerts.deliver(_PATIENCE_S, only=message.trouble, final=True)
    if done.busy:
        raise ServiceError("another process is sending, and did not end", "tailtune alerts test")
    for delivery in done.tried.values():
        yield f"{delivery.channel}: {delivery.state}: {delivery.reason}"
    if done.given_up:
        failed = ", ".join(VARIABLES[channel] for channel in done.failed)
        raise ServiceError(f"{', '.join(done.failed)}: did not take it", f"mend {failed}, then: tailtune alerts test")
