"""Alerts in a terminal: trouble that is open, trouble that is over, and what has not reached anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tailtune.core.alerts import Alert, Delivery, Trouble
from tailtune.report.numbers import count, counted, duration, moment
from tailtune.report.terminal.drawing import Whole, heading

_NOTHING = "–"


@dataclass(frozen=True)
class AlertsView:
    """One per look at the outbox.

    Attributes:
        use_case: Whose; None for everybody's.
        troubles: Open ones first.
        deliveries: All about these troubles, oldest first.
        channels: Channel → the environment variable of its address, for those that are set here.
        unset: The same for those that are not.
        now_us: Now.
        address: Of the database, without its password.
    """

    use_case: str | None
    troubles: Sequence[Trouble]
    deliveries: Sequence[Delivery]
    channels: Mapping[str, str]
    unset: Mapping[str, str]
    now_us: int
    address: str


def alerts(view: AlertsView) -> RenderableType:
    """The outbox, as wide as the terminal."""
    return Whole(_Alerts(view))


@dataclass(frozen=True)
class _Alerts:
    view: AlertsView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        view, width = self.view, min(options.max_width, 140)
        is_open = [trouble for trouble in view.troubles if trouble.cleared_us is None]
        over = [trouble for trouble in view.troubles if trouble.cleared_us is not None]
        whose = f"{view.use_case}: " if view.use_case else ""
        parts: list[RenderableType] = [
            heading("Alerts", f"{whose}{count(len(is_open))} open, {count(len(over))} over; times are UTC")
        ]
        parts += [Padding(_open(view, is_open), (0, 0, 1, 2))] if is_open else []
        if over:
            parts += [heading("Over"), Padding(_over(view, over), (0, 0, 1, 2))]
        for state, title in (("waiting", "Not sent yet"), ("given up", "Given up")):
            left = [delivery for delivery in view.deliveries if delivery.state == state]
            if left:
                about = f"{counted(len(left), 'message')}; tailtune alerts send tries them again"
                parts += [heading(title, about if state == "waiting" else counted(len(left), "message"))]
                parts += [Padding(_left(view, left), (0, 0, 1, 2))]
        parts += [Text(line, "dim") for line in _where(view)]
        yield from console.render(Group(*parts), options.update(width=width))


def _open(view: AlertsView, troubles: Sequence[Trouble]) -> Table:
    table = _table("", "cause", "what", "since", "seen", "sent to")
    for trouble in troubles:
        alert = trouble.alert
        table.add_row(
            Text(alert.severity, "bold red" if alert.severity == "critical" else "bold yellow"),
            alert.cause,
            Text(" ".join(alert.title.split())),
            _when(trouble.opened_us),
            counted(trouble.looks, "time"),
            _reached(view, trouble),
        )
    return table


def _over(view: AlertsView, troubles: Sequence[Trouble]) -> Table:
    table = _table("cause", "what", "since", "lasted", "why over", "sent to")
    for trouble in troubles:
        lasted_s = ((trouble.cleared_us or 0) - trouble.opened_us) / 1e6
        table.add_row(
            trouble.alert.cause,
            Text(" ".join(trouble.alert.title.split())),
            _when(trouble.opened_us),
            duration(max(lasted_s, 0.0)),
            Text(trouble.why or "not seen any more"),
            _reached(view, trouble),
        )
    return table


def _left(view: AlertsView, deliveries: Sequence[Delivery]) -> Table:
    table = _table("message", "to", "about", "recorded", "tried", "next", "why not")
    before: dict[tuple[int, str], str] = {}
    for delivery in deliveries:
        message, own = delivery.message, (delivery.message.trouble, delivery.channel)
        reason = delivery.reason
        if delivery.channel in view.unset:
            reason = reason or f"{view.unset[delivery.channel]} is not set here"
        table.add_row(
            message.id,
            delivery.channel,
            Text(f"{message.kind}, {_model(message.alert)}, {message.alert.cause}"),
            _when(message.at_us),
            counted(delivery.attempts, "time"),
            _next(delivery, before.get(own), view.now_us),
            Text(reason or _NOTHING),
        )
        before[own] = message.id
    return table


def _next(delivery: Delivery, before: str | None, now_us: int) -> str:
    """When a delivery is tried next: after the message before it, if that waits too."""
    if delivery.state != "waiting":
        return _NOTHING
    seconds = (delivery.next_us - now_us) / 1e6
    return f"after {before}" if before else f"in {duration(seconds)}" if seconds > 0 else "now"


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        wide = name in ("what", "about", "why over", "why not")
        table.add_column(name, overflow="fold", no_wrap=not wide)
    return table


def _when(at_us: int) -> str:
    return moment(at_us).removesuffix(" UTC")


def _model(alert: Alert) -> str:
    return alert.use_case if alert.version is None else f"{alert.use_case} v{alert.version}"


def _reached(view: AlertsView, trouble: Trouble) -> Text:
    """Channels that the messages about a trouble have reached, and how many."""
    own = [delivery for delivery in view.deliveries if delivery.message.trouble == trouble.id]
    sent: dict[str, int] = {}
    for delivery in own:
        if delivery.state == "sent":
            sent[delivery.channel] = sent.get(delivery.channel, 0) + 1
    words = [f"{channel} ({count(number)})" for channel, number in sent.items()]
    return Text(", ".join(words)) if words else Text("nobody", "bold red")


def _where(view: AlertsView) -> Iterator[str]:
    if view.channels:
        yield f"Alerts go to {', '.join(view.channels)}; kept in {view.address}"
    else:
        yield f"Alerts go nowhere: set {' or '.join(view.unset.values())}; kept in {view.address}"
