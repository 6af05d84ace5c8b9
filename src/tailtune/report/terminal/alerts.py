"""Alerts in a terminal: trouble that is open, trouble that is over, and what has not reached anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tailtune.core.alerts import Delivery, Trouble
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
        parts: list[RenderableType] = [heading("Alerts", f"{whose}{count(len(is_open))} open, {count(len(over))} over")]
        parts += [Padding(_open(view, is_open), (0, 0, 1, 2))] if is_open else []
        if over:
            parts += [heading("Over", "times are UTC"), Padding(_over(view, over), (0, 0, 1, 2))]
        for state, title in (("waiting", "Not sent yet"), ("given up", "Given up")):
            left = [delivery for delivery in view.deliveries if delivery.state == state]
            if left:
                about = f"{counted(len(left), 'message')}, by channel; they are tried again by: tailtune alerts send"
                parts += [heading(title, about if state == "waiting" else counted(len(left), "message"))]
                parts += [Padding(_left(view, left), (0, 0, 1, 2))]
        parts += [Text(line, "dim") for line in _where(view)]
        yield from console.render(Group(*parts), options.update(width=width))


def _open(view: AlertsView, troubles: Sequence[Trouble]) -> Table:
    table = _table("", "model", "what", "since", "seen", "sent to")
    for trouble in troubles:
        table.add_row(
            Text(trouble.alert.severity, "bold red" if trouble.alert.severity == "critical" else "bold yellow"),
            _model(trouble),
            Text(" ".join(trouble.alert.title.split())),
            moment(trouble.opened_us),
            counted(trouble.looks, "time"),
            _reached(view, trouble),
        )
    return table


def _over(view: AlertsView, troubles: Sequence[Trouble]) -> Table:
    table = _table("model", "what", "since", "lasted", "why over", "sent to")
    for trouble in troubles:
        lasted_s = ((trouble.cleared_us or 0) - trouble.opened_us) / 1e6
        table.add_row(
            _model(trouble),
            Text(" ".join(trouble.alert.title.split())),
            moment(trouble.opened_us),
            duration(max(lasted_s, 0.0)),
            Text(trouble.why or "not seen any more"),
            _reached(view, trouble),
        )
    return table


def _left(view: AlertsView, deliveries: Sequence[Delivery]) -> Table:
    table = _table("message", "to", "what", "recorded", "tried", "next", "why not")
    for delivery in deliveries:
        message = delivery.message
        seconds = max((delivery.next_us - view.now_us) / 1e6, 0.0)
        reason = delivery.reason
        if delivery.channel in view.unset:
            reason = reason or f"{view.unset[delivery.channel]} is not set here"
        table.add_row(
            message.id,
            delivery.channel,
            Text(f"{message.kind}: {' '.join(message.alert.title.split())}"),
            moment(message.at_us),
            counted(delivery.attempts, "time"),
            _NOTHING if delivery.state != "waiting" else f"in {duration(seconds)}" if seconds else "now",
            Text(reason or _NOTHING),
        )
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _model(trouble: Trouble) -> Text:
    version = "" if trouble.alert.version is None else f" v{trouble.alert.version}"
    return Text(f"{trouble.alert.use_case}{version}, {trouble.alert.cause}")


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
