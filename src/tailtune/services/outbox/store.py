"""The outbox's store: troubles, the messages about them, and one delivery of each message a channel."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, insert, select, update

from tailtune.core.alerts import Alert, Cause, Delivery, DeliveryState, Message, MessageKind, Trouble
from tailtune.services.database import Room, RoomStore
from tailtune.services.outbox import rules
from tailtune.services.outbox.tables import DELIVERY, MESSAGE, MIGRATIONS, TROUBLE

ROOM = Room("the outbox of alerts", "outbox_version", MIGRATIONS, "what was not recorded is seen at the next look")
_RECORDING, _SENDING = "outbox", "outbox-sending"
_LONGEST_REASON = 500
_NO_TROUBLE: tuple[MessageKind, ...] = ("outcome", "test")
"""Kinds of messages that are about nothing that could be over."""


class Outbox(RoomStore):
    """One per process and database.

    Args:
        url: Of the database, as for the prediction log.
        clock: Microseconds since 1970 (UTC).
        chance: Uniform, 0 to 1; scatters what is tried again.

    Raises:
        UsageError: No such kind of database, its driver is not installed, or a newer program made its tables.
        ServiceError: It does not answer.
    """

    room = ROOM

    def __init__(
        self,
        url: str,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(url)
        self._clock, self._chance = clock, chance

    # What the monitor needs.

    def record(
        self, alert: Alert, channels: Collection[str], *, cooldown_h: float = 24.0, reminders: bool = False
    ) -> Message | None:
        """Write down what a look found, together with the deliveries that follow from it, in one transaction.

        Args:
            alert: What was found; its texts are kept as they are.
            channels: Where messages go.
            cooldown_h: `monitor.alerts.cooldown_hours`.
            reminders: `monitor.alerts.reminders`.

        Returns:
            The message that is sent; None where people know all of it already.
        """
        now = self._clock()
        with self._database.writing(_RECORDING) as connection:
            last = _last_trouble(connection, alert.use_case, alert.version, alert.cause)
            known = None if last is None else _known(last)
            kind = rules.message_about(known, alert, now, cooldown_h * rules.HOUR_US, reminders)
            if last is None or (last.cleared_us is not None and kind == "alert"):
                return self._open(connection, alert, channels, now)
            receivers = set(channels) if kind else set(channels) - _reached(connection, last)
            seen = {"seen_us": alert.at_us, "looks": last.looks + 1, "alert": alert.model_dump_json()}
            if kind == "return":
                seen |= {"cleared_us": None, "why": "", "opened_us": alert.at_us}
            connection.execute(update(TROUBLE).where(TROUBLE.c.id == last.id).values(**seen))
            if kind is None and not receivers:
                return None
            before = last.severity if kind == "escalation" else None
            since_us = alert.at_us if kind == "return" else last.opened_us
            return self._write(connection, last, kind, alert, receivers, now, before=before, since_us=since_us)

    def clear(
        self,
        use_case: str,
        version: str | None,
        cause: Cause,
        at_us: int,
        channels: Collection[str],
        *,
        cooldown_h: float = 24.0,
        why: str = "",
    ) -> Message | None:
        """Write down that a look did not find this cause any more.

        Args:
            use_case: Whose.
            version: Of the alert.
            cause: Of the alert.
            at_us: When that was seen.
            channels: Where messages go.
            cooldown_h: `monitor.alerts.cooldown_hours`.
            why: Why it is over, a clause for people.

        Returns:
            The message that is sent; None where nothing was open, or where trouble comes and goes.
        """
        now = self._clock()
        with self._database.writing(_RECORDING) as connection:
            last = _last_trouble(connection, use_case, version, cause)
            if last is None or last.cleared_us is not None:
                return None
            if rules.comes_and_goes(_known(last), now, cooldown_h * rules.HOUR_US):
                return None
            return self._close(connection, last, at_us, channels, now, why)

    def took_over(self, use_case: str, version: str, at_us: int, channels: Collection[str]) -> list[Message]:
        """Write down that another version answers now: trouble of the versions before it is over."""
        now = self._clock()
        with self._database.writing(_RECORDING) as connection:
            query = select(TROUBLE).where(
                TROUBLE.c.use_case == use_case, TROUBLE.c.cleared_us.is_(None), TROUBLE.c.version.not_in((version, ""))
            )
            why = f"version {version} answers now"
            troubles = connection.execute(query.order_by(TROUBLE.c.id)).all()
            return [self._close(connection, trouble, at_us, channels, now, why) for trouble in troubles]

    def record_test(self, alert: Alert, channels: Collection[str]) -> Message:
        """Write down a message that is only a trial: its trouble is over already."""
        now = self._clock()
        with self._database.writing(_RECORDING) as connection:
            return self._open(connection, alert, channels, now, "test")

    def record_outcome(self, alert: Alert, channels: Collection[str]) -> Message | None:
        """Write down what came of something, which is no trouble: each outcome is a message of its own.

        Returns:
            The message; None where the outcome of that moment is written down already.
        """
        now = self._clock()
        same = select(TROUBLE.c.id).where(
            TROUBLE.c.use_case == alert.use_case, TROUBLE.c.cause == alert.cause, TROUBLE.c.opened_us == alert.at_us
        )
        with self._database.writing(_RECORDING) as connection:
            if connection.execute(same).first() is not None:
                return None
            return self._open(connection, alert, channels, now, "outcome")

    # What the sender needs.

    def sending(self) -> AbstractContextManager[bool]:
        """Be the only process that sends while the block runs; the value says whether this one is."""
        return self._database.alone(_SENDING)

    def claim(self, channels: Collection[str], only: int | None = None) -> Delivery | None:
        """Take the oldest delivery that is due, and note that it is tried; to be called while `sending`.

        On a channel, the messages about a trouble go out in their order. What goes to a channel that is not among
        `channels` is claimed once it is three days old, to be counted as failed.

        Args:
            channels: What this process can send to.
            only: Only deliveries about this trouble.

        Returns:
            The delivery; None where none is due.
        """
        now = self._clock()
        for row in self._first_waiting(only):
            reachable = row.channel in channels or abs(now - row.made_us) >= rules.GIVE_UP_US
            if not reachable or not rules.is_due(row.next_us, now):
                continue
            next_us = now + round(rules.LEASE_S * rules.SECOND_US)
            same = and_(DELIVERY.c.id == row.id, DELIVERY.c.state == "waiting", DELIVERY.c.next_us == row.next_us)
            claim = update(DELIVERY).where(same).values(attempts=row.attempts + 1, next_us=next_us)
            with self._database.writing() as connection:
                if connection.execute(claim).rowcount == 1:
                    return _delivery(row, attempts=row.attempts + 1, next_us=next_us)
        return None

    def next_in_s(self, channels: Collection[str], only: int | None = None) -> float | None:
        """Seconds until a delivery to one of the channels is due; None where none waits."""
        now = self._clock()
        waits = [
            0.0 if rules.is_due(row.next_us, now) else (row.next_us - now) / rules.SECOND_US
            for row in self._first_waiting(only)
            if row.channel in channels
        ]
        return min(waits, default=None)

    def sent(self, delivery: Delivery, reason: str = "") -> None:
        """Note that a delivery has arrived; `reason` says what was odd about it."""
        self._done(delivery, "sent", reason)

    def failed(
        self, delivery: Delivery, reason: str, retry_after_s: float | None = None, *, final: bool = False
    ) -> Delivery:
        """Note that a delivery has not arrived, and when it is tried again.

        Args:
            delivery: As `claim` gave it.
            reason: Why, for people.
            retry_after_s: What the channel asked for; then everything that waits for it waits as long.
            final: Whether it is given up, whatever its age.

        Returns:
            The delivery as it is now.
        """
        now = self._clock()
        if final or rules.is_given_up(delivery.made_us, now, delivery.attempts):
            return self._done(delivery, "given up", reason)
        wait_s = rules.wait_s(delivery.attempts, retry_after_s, self._chance())
        next_us = now + round(wait_s * rules.SECOND_US)
        others = and_(
            DELIVERY.c.channel == delivery.channel, DELIVERY.c.state == "waiting", DELIVERY.c.next_us < next_us
        )
        with self._database.writing() as connection:
            if retry_after_s is not None:
                connection.execute(update(DELIVERY).where(others).values(next_us=next_us))
            values = {"next_us": next_us, "reason": reason[:_LONGEST_REASON]}
            connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery.id).values(**values))
        return delivery.model_copy(update=values)

    # What people see.

    def troubles(self, use_case: str | None = None, most: int = 50) -> list[Trouble]:
        """Trouble that is open, and the last that is over: open first, the newest first; trials and outcomes left out.

        Args:
            use_case: Whose; everybody's when None.
            most: How many that are over.
        """
        query = select(TROUBLE).where(TROUBLE.c.kind.not_in(_NO_TROUBLE)).order_by(TROUBLE.c.id.desc())
        query = query if use_case is None else query.where(TROUBLE.c.use_case == use_case)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(TROUBLE.c.cleared_us.is_(None))).all()
            over = connection.execute(query.where(TROUBLE.c.cleared_us.is_not(None)).limit(most)).all()
        return [_trouble(row) for row in (*rows, *over)]

    def deliveries(self, troubles: Iterable[int] | None = None, state: DeliveryState | None = None) -> list[Delivery]:
        """Deliveries, oldest first: of some troubles, or in a state, or all."""
        query = _with_messages().order_by(DELIVERY.c.id)
        query = query if troubles is None else query.where(DELIVERY.c.trouble.in_(list(troubles)))
        query = query if state is None else query.where(DELIVERY.c.state == state)
        with self._database.reading() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    # Below.

    def _open(
        self, connection: Connection, alert: Alert, channels: Collection[str], now: int, kind: MessageKind = "alert"
    ) -> Message:
        new = insert(TROUBLE).values(
            use_case=alert.use_case,
            version=alert.version or "",
            cause=alert.cause,
            opened_us=alert.at_us,
            seen_us=alert.at_us,
            looks=1,
            cleared_us=alert.at_us if kind in _NO_TROUBLE else None,
            why="",
            alert=alert.model_dump_json(),
            messages=0,
            first_message=0,
            kind=kind,
            severity=alert.severity,
            size=alert.size,
            at_us=now,
        )
        (id_,) = connection.execute(new).inserted_primary_key or (None,)
        trouble = connection.execute(select(TROUBLE).where(TROUBLE.c.id == id_)).one()
        return self._write(connection, trouble, kind, alert, channels, now)

    def _close(
        self, connection: Connection, trouble: Row[Any], at_us: int, channels: Collection[str], now: int, why: str
    ) -> Message:
        values = {"cleared_us": at_us, "why": why}
        connection.execute(update(TROUBLE).where(TROUBLE.c.id == trouble.id).values(**values))
        alert = Alert.model_validate_json(trouble.alert)
        # Who was sent the alert is sent the end of it, also where nobody else sends there any more.
        receivers = set(channels) | _reached(connection, trouble)
        return self._write(connection, trouble, "recovery", alert, receivers, now, why=why)

    def _write(
        self,
        connection: Connection,
        trouble: Row[Any],
        kind: MessageKind | None,
        alert: Alert,
        channels: Collection[str],
        now: int,
        **more: Any,
    ) -> Message:
        """A message, its deliveries, and what people know from then on.

        Args:
            connection: In the transaction that records what was seen.
            trouble: As it was before.
            kind: What it says; None for an alert to channels that have not had it, of which the others know.
            alert: What was seen.
            channels: Where it goes.
            now: Now.
            more: Further fields of the message.
        """
        number, since_us = trouble.messages + 1, more.pop("since_us", trouble.opened_us)
        values = {"trouble": trouble.id, "number": number, "at_us": now, "since_us": since_us, "alert": alert}
        message = Message(kind=kind or "alert", **values, **more)
        new = insert(MESSAGE).values(trouble=trouble.id, content=message.model_dump_json())
        (id_,) = connection.execute(new).inserted_primary_key or (0,)
        waiting = {"state": "waiting", "attempts": 0, "made_us": now, "next_us": now, "reason": ""}
        rows = [{"message": id_, "trouble": trouble.id, "channel": name, **waiting} for name in sorted(channels)]
        if rows:
            connection.execute(insert(DELIVERY), rows)
        known: dict[str, Any] = {"messages": number}
        known |= {} if kind is None else {"at_us": now}
        known |= {"first_message": id_} if number == 1 or kind == "return" else {}
        if kind not in (None, "recovery"):
            known |= {"kind": kind, "severity": alert.severity, "size": alert.size}
        connection.execute(update(TROUBLE).where(TROUBLE.c.id == trouble.id).values(**known))
        return message

    def _first_waiting(self, only: int | None) -> Sequence[Row[Any]]:
        """Of each trouble and channel the oldest delivery that waits; the others come after it."""
        query = _with_messages().where(DELIVERY.c.state == "waiting").order_by(DELIVERY.c.id)
        query = query if only is None else query.where(DELIVERY.c.trouble == only)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        first: dict[tuple[int, str], Row[Any]] = {}
        for row in rows:
            first.setdefault((row.trouble, row.channel), row)
        return list(first.values())

    def _done(self, delivery: Delivery, state: DeliveryState, reason: str) -> Delivery:
        values = {"state": state, "done_us": self._clock(), "reason": reason[:_LONGEST_REASON]}
        with self._database.writing() as connection:
            connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery.id).values(**values))
        return delivery.model_copy(update=values)


def _with_messages() -> Select[Any]:
    return select(DELIVERY, MESSAGE.c.content).join(MESSAGE, MESSAGE.c.id == DELIVERY.c.message)


def _last_trouble(connection: Connection, use_case: str, version: str | None, cause: Cause) -> Row[Any] | None:
    query = select(TROUBLE).where(
        TROUBLE.c.use_case == use_case,
        TROUBLE.c.version == (version or ""),
        TROUBLE.c.cause == cause,
        TROUBLE.c.kind.not_in(_NO_TROUBLE),
    )
    return connection.execute(query.order_by(TROUBLE.c.id.desc()).limit(1)).first()


def _known(trouble: Row[Any]) -> rules.Known:
    return rules.Known(trouble.kind, trouble.severity, trouble.size, trouble.at_us, trouble.cleared_us is not None)


def _reached(connection: Connection, trouble: Row[Any]) -> set[str]:
    """Channels to which something about the open trouble was sent, or will be."""
    query = select(DELIVERY.c.channel).where(
        DELIVERY.c.trouble == trouble.id,
        DELIVERY.c.message >= trouble.first_message,
        DELIVERY.c.state.in_(("waiting", "sent")),
    )
    return set(connection.scalars(query.distinct()))


def _delivery(row: Row[Any], **newer: Any) -> Delivery:
    values = {
        name: getattr(row, name)
        for name in ("id", "channel", "state", "attempts", "made_us", "next_us", "done_us", "reason")
    }
    message = Message.model_validate_json(row.content)
    return Delivery(message=message, **{**values, **newer})


def _trouble(row: Row[Any]) -> Trouble:
    names = ("id", "opened_us", "seen_us", "looks", "cleared_us", "why", "messages")
    return Trouble(alert=Alert.model_validate_json(row.alert), **{name: getattr(row, name) for name in names})
