"""A round of requests: so many at once, no more after the first that fails for good, none beyond the purse."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tailtune.core.errors import TailTuneError
from tailtune.core.language import Ask, Reply
from tailtune.services.endpoint.asking import Asker
from tailtune.services.endpoint.budget import Purse
from tailtune.services.endpoint.faults import out_of_money
from tailtune.services.endpoint.flight import FLIGHT, Flight

if TYPE_CHECKING:
    Task = asyncio.Task[None]

_LOOK_S = 0.05  # how often requests that wait look whether they may go, or need not


@dataclass(frozen=True, slots=True)
class Answered:
    """One per request that was answered.

    Attributes:
        place: Of the request.
        reply: What came back, and how it was held.
    """

    place: int
    reply: Reply


Outbox = SimpleQueue[Answered | None]
"""Answers as they come, then None."""


@dataclass
class Round:
    """One per call that has something to send. Runs on the line's loop.

    Attributes:
        asker: Asks one request.
        purse: Who pays.
        outbox: Takes answers as they come; None at the end, however it ends.
    """

    asker: Asker
    purse: Purse
    outbox: Outbox
    _failure: TailTuneError | None = None
    _flights: dict[Task, Flight] = field(default_factory=dict)

    async def run(self, work: Sequence[tuple[int, Ask]]) -> TailTuneError | None:
        """Send requests until all are answered or one fails for good.

        After a failure those in the air are waited for, as they are paid for; those that wait to be sent, or to be sent
        again, are not.

        Args:
            work: Place and request.

        Returns:
            Why not all were answered; None when they were.
        """
        waiting = iter(work)
        tasks = [asyncio.create_task(self._work(waiting)) for _ in range(min(self.asker.spec.concurrency, len(work)))]
        pending = set(tasks)
        try:
            while pending:
                look_s = None if self._failure is None else _LOOK_S
                done, pending = await asyncio.wait(pending, timeout=look_s, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if not task.cancelled():
                        task.result()
                if self._failure is not None:
                    self._ground(pending)
            return self._failure
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.outbox.put(None)

    def _ground(self, pending: set[Task]) -> None:
        for task in pending:
            flight = self._flights.get(task)
            if flight is None or not flight.in_air:
                task.cancel()

    async def _work(self, waiting: Iterator[tuple[int, Ask]]) -> None:
        """One of the slots: takes the next request when it has finished one."""
        for place, ask in waiting:
            try:
                reply = await self._fly(place, ask)
            except TailTuneError as error:
                self._failure = self._failure or error
                return
            self.outbox.put(Answered(place, reply))
            if self._failure is not None:
                return

    async def _fly(self, place: int, ask: Ask) -> Reply:
        flight = await self._cleared(ask)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # it runs in one
        self._flights[task] = flight
        FLIGHT.set(flight)
        try:
            return await self.asker.ask(place, ask, flight)
        finally:
            del self._flights[task]
            flight.end()

    async def _cleared(self, ask: Ask) -> Flight:
        """A flight that is paid for; waits while money may come back.

        Raises:
            BudgetReachedError: Nothing is in flight, and what is left is not enough.
        """
        while True:
            most_usd = self.asker.estimate.most_usd(ask)
            busy = self.purse.busy
            held = self.purse.hold(most_usd)
            if held is not None:
                return Flight(self.purse, held, most_usd)
            if not busy:
                raise out_of_money(self.asker.spec, most_usd, self.purse)
            await asyncio.sleep(_LOOK_S)
