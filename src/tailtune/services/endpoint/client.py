"""A language model behind an OpenAI-compatible endpoint: several requests at once, within a budget, answers kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import BudgetReachedError, TailTuneError
from tailtune.core.language import Ask, Form, OnReply, Reply
from tailtune.core.money import Usd
from tailtune.services.endpoint.budget import Budget, CostEstimate, count_tokens
from tailtune.services.endpoint.cache import AnswerCache
from tailtune.services.endpoint.cuts import cut_of
from tailtune.services.endpoint.dialect import FORMS, Dialect, cost_of, form_note, response_format
from tailtune.services.endpoint.faults import RowRefusal, cut_line, no_key, odd_key, out_of_money, waiting_line
from tailtune.services.endpoint.pace import SERVED_WAIT_S, Pace
from tailtune.services.endpoint.sender import Sender

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from tailtune.services.endpoint.transport import RequestAttempt

    Task = asyncio.Task[None]

T = TypeVar("T")
_log = logging.getLogger("tailtune.endpoint")
_VERSION = 1  # Cache format; bump to invalidate cached answers.
_BREAK_OFF_S = 0.8
_CLOSE_S = 2.0
_MOST_REFUSED = 5  # requests refused for an unknown reason, one after another, that may still be about their rows
_OVERCHARGED = 10  # times what was expected that a server may charge for an answer, before one was seen
_POLL_S = 0.05  # how often requests that wait look whether they may go, or need not


class Endpoint:
    """Asks an endpoint, several requests at once, and keeps the answers. Nothing is opened before the first request.

    Args:
        spec: With an endpoint.
        price: Of its tokens; costs are not known when None.
        cache: Keeps answers between runs; None keeps none.
        budget: Limits what is spent; None sets no limit.
        on_wait: Is shown a line at each pause of seconds that a rate limit asks for; from another thread.
        served: Whether somebody waits for each call, so that rate limits are waited out for a few seconds only.

    Limit: one call at a time.
    """

    def __init__(
        self,
        spec: LanguageModelSpec,
        price: TokenPrice | None = None,
        cache: AnswerCache | None = None,
        budget: Budget | None = None,
        on_wait: Callable[[str], None] | None = None,
        served: bool = False,
    ) -> None:
        if spec.endpoint is None:
            raise ValueError(f"{spec.name} has no endpoint; it is a local model")
        self._spec, self._price, self._cache = spec, price, cache
        self._budget = budget or Budget(math.inf)
        self._on_wait, self._served = on_wait, served
        self._dialect = Dialect(spec)
        self._estimate = CostEstimate(spec, price)
        self._connection: Connection | None = None
        self._key: str | None = None
        self._refused: frozenset[str] | None = None
        self._warned = False
        self._server = _digest({"endpoint": spec.endpoint.rstrip("/"), "model": spec.called})

    @property
    def name(self) -> str:
        """As declared."""
        return self._spec.name

    def ask(self, asks: Sequence[Ask], on_reply: OnReply | None = None) -> list[Reply]:
        """One reply per request, in order. Equal requests of a call are sent once when answers are kept.

        Args:
            asks: The requests.
            on_reply: Called in this thread with (place, reply) as each is answered, in any order.

        Raises:
            BudgetReachedError: Money ran out; what was answered is in it, and in the cache.
            ContextTooLongError: A prompt does not fit.
            EndpointError: The endpoint does not answer, refuses the key, or knows no such model.
            KeyboardInterrupt: As it came; what was answered until then is in the cache.
        """
        replies: dict[int, Reply] = {}

        def take(place: int, reply: Reply) -> None:
            replies[place] = reply
            if on_reply is not None:
                on_reply(place, reply)

        same: dict[str | int, list[int]] = {}  # request → its places
        for place, ask in enumerate(asks):
            kept = self._kept(ask)
            if kept is not None:
                take(place, kept)
            else:
                same.setdefault(
                    place if self._cache is None else self._cache_key(ask, self._spec.structured), []
                ).append(place)
        groups = {places[0]: places for places in same.values()}

        def keep(answered: Answered) -> None:
            reply = self._noted(asks[answered.place], answered.reply)
            take(answered.place, reply)
            for place in groups[answered.place][1:]:
                take(place, replace(reply, from_cache=True))

        failure = self._send([(place, asks[place]) for place in groups], keep) if groups else None
        if isinstance(failure, BudgetReachedError):
            message = f"{failure.message}; {len(replies):,} of {len(asks):,} requests are answered"
            raise BudgetReachedError(message, failure.hint or "", replies)
        if failure is not None:
            raise failure
        return [replies[place] for place in range(len(asks))]

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, rather too many: the endpoint's vocabulary is not known."""
        return count_tokens(text)

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, work: Sequence[tuple[int, Ask]], keep: Callable[[Answered], None]) -> TailTuneError | None:
        """Send what the cache does not answer. Returns why not all of it was answered."""
        connection, answers, requests = self._opened(), AnswerQueue(), dict(work)
        last: Answered | None = None
        connection.pace.begin()
        sender = Sender(
            self._spec, connection.client, self._price, self._dialect, self._estimate, self._key, self._served
        )
        running = connection.start(RequestBatch(sender, self._budget, answers).run(work))
        try:
            while (last := answers.get()) is not None:
                self._store(last, requests[last.place])
                keep(last)
        except BaseException:  # Ctrl-C above all: what is paid for is kept, what is in flight is broken off
            running.cancel()
            with suppress(Empty, TailTuneError):
                while last is not None:
                    self._store(last, requests[last.place])
                    last = answers.get(timeout=_BREAK_OFF_S)
            raise
        return running.result()

    def _opened(self) -> Connection:
        if self._connection is None:
            self._key = self._read_key()
            self._connection = Connection(self._spec, self._key, self._pace())
            weakref.finalize(self, self._connection.close)
        return self._connection

    def _pace(self) -> Pace:
        spec, on_wait = self._spec, self._on_wait
        show = None if on_wait is None else lambda *seconds: on_wait(waiting_line(spec, *seconds))
        return Pace(
            min(spec.rate_limit_wait_s, SERVED_WAIT_S) if self._served else spec.rate_limit_wait_s, show, self._served
        )

    def _read_key(self) -> str | None:
        if self._spec.key_env is None:
            return None
        key = os.environ.get(self._spec.key_env, "").strip()
        if not key:
            raise no_key(self._spec)
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise odd_key(self._spec)
        return key

    def _kept(self, ask: Ask) -> Reply | None:
        """The answer of an earlier run: to what would be sent now, or to what the server took in its place then."""
        if self._cache is None:
            return None
        for form in self._forms(ask):
            kept = self._cache.get(self._cache_key(ask, form))
            if kept is not None:
                self._dialect.answers |= kept.text is not None
                return self._noted(ask, replace(kept, usd=cost_of(kept, self._price), form=form))
        return None

    def _forms(self, ask: Ask) -> Sequence[Form]:
        if ask.schema is None or self._cache is None:
            return ("none",)
        if self._refused is None:
            self._refused = self._cache.refused(self._server)
        refused_forms = self._refused | set(self._dialect.refused)
        below = FORMS[FORMS.index(self._spec.structured) :]
        return [form for at, form in enumerate(below) if all(higher in refused_forms for higher in below[:at])]

    def _store(self, answered: Answered, ask: Ask) -> None:
        if self._cache is None:
            return
        for form in self._dialect.refused:
            self._cache.note_refused(self._server, form)
        self._cache.put(self._cache_key(ask, answered.reply.form), replace(answered.reply, usd=None))

    def _noted(self, ask: Ask, reply: Reply) -> Reply:
        """The reply with a note when its answer was constrained otherwise than declared."""
        declared = self._spec.structured
        refusal = self._dialect.refused.get(declared, "")
        note = "" if ask.schema is None else form_note(declared, reply.form, refusal)
        cut = cut_of(ask, reply, self._spec) if reply.from_cache else reply.cut
        if self._served and cut == "prompt" and not self._warned:
            self._warned = True
            _log.warning("%s", cut_line(self._spec, reply))
        return replace(reply, cut=cut, note="; ".join(text for text in (reply.note, note) if text))

    def _cache_key(self, ask: Ask, form: Form) -> str:
        """Everything that shapes an answer; keys of before there was `request` hold where none is declared."""
        shaping = {
            "version": _VERSION,
            "server": self._server,
            "messages": [[message.role, message.content] for message in ask.messages],
            "response_format": response_format(form, ask.schema),
            "temperature": self._spec.temperature,
            "max_output_tokens": self._spec.max_output_tokens,
            "sample": ask.sample,
        }
        return _digest({**shaping, "request": self._spec.request} if self._spec.request else shaping)


def _digest(value: Any) -> str:
    """Of canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Connection:
    """One per endpoint in use: connections that stay open between calls, on an event loop in a thread of its own.

    The thread keeps callers free of loops: they may have one running themselves.

    Args:
        spec: The endpoint.
        key: Sent with each request; a placeholder when None, as servers without keys expect one all the same.
        pace: Waits while a rate limit lasts.
    """

    def __init__(self, spec: LanguageModelSpec, key: str | None, pace: Pace) -> None:
        from tailtune.services.endpoint.transport import open_client

        self.pace = pace
        self.client: AsyncOpenAI = open_client(spec, key, pace)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"endpoint {spec.name}", daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin work on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Close the connections and end the thread; a second time does nothing."""
        if self._loop.is_closed():
            return
        if threading.current_thread() is self._thread:  # collected as garbage while the loop ran something
            self._loop.stop()
            return
        if self._thread.is_alive():
            with suppress(Exception):  # whatever a broken connection raises while it is closed
                self.start(self.client.close()).result(_CLOSE_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            self._loop.close()


@dataclass(frozen=True, slots=True)
class Answered:
    """One per request that was answered.

    Attributes:
        place: Of the request.
        reply: What came back, and how it was constrained.
    """

    place: int
    reply: Reply


AnswerQueue = SimpleQueue[Answered | None]
"""Answers as they come, then None."""


@dataclass
class RequestBatch:
    """One per call that has something to send. Runs on the connection's loop.

    So many requests at once, no more after the first that fails for good, none beyond the budget. A request that is
    refused for an unknown reason is an answer (a row that the provider refuses) when others are answered, and a failure
    when none is.

    Attributes:
        sender: Sends one request.
        budget: Who pays.
        answers: Takes answers as they come; None at the end, however it ends.
    """

    sender: Sender
    budget: Budget
    answers: AnswerQueue
    _failure: TailTuneError | None = None
    _unexplained: dict[int, RowRefusal] = field(default_factory=dict)
    _attempts: dict[Task, RequestAttempt] = field(default_factory=dict)

    async def run(self, work: Sequence[tuple[int, Ask]]) -> TailTuneError | None:
        """Send requests until all are answered or one fails for good.

        After a failure those in flight are waited for, as they are paid for; those that wait to be sent, or to be sent
        again, are not.

        Args:
            work: Place and request.

        Returns:
            Why not all were answered; None when they were.
        """
        waiting = iter(work)
        tasks = [asyncio.create_task(self._work(waiting)) for _ in range(min(self.sender.spec.concurrency, len(work)))]
        pending = set(tasks)
        try:
            while pending:
                poll_s = None if self._failure is None else _POLL_S
                done, pending = await asyncio.wait(pending, timeout=poll_s, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if not task.cancelled():
                        task.result()
                if self._failure is not None:
                    self._cancel_waiting(pending)
            if self._failure is None and self._unexplained:
                self._judge_refusals()
            return self._failure
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.answers.put(None)

    def _cancel_waiting(self, pending: set[Task]) -> None:
        for task in pending:
            attempt = self._attempts.get(task)
            if attempt is None or not attempt.in_flight:
                task.cancel()

    async def _work(self, waiting: Iterator[tuple[int, Ask]]) -> None:
        """One of the slots: takes the next request when it has finished one."""
        for place, ask in waiting:
            try:
                reply = await self._answered(place, ask)
            except TailTuneError as error:
                self._failure = self._failure or error
                return
            if isinstance(reply, RowRefusal):
                self._unexplained[place] = reply
                self.sender.dialect.refused_in_row += 1
                await self._await_others()
            else:
                self.answers.put(Answered(place, reply))
                if not reply.usd_estimated:  # a filter answers also where the model does not
                    self._count_refusals()
            if self._failure is not None:
                return

    async def _await_others(self) -> None:
        """After many refusals without an answer: fail, unless a request in flight is answered."""
        dialect = self.sender.dialect
        while self._failure is None and dialect.refused_in_row >= _MOST_REFUSED:
            if not self._attempts:
                self._judge_refusals()
                return
            await asyncio.sleep(_POLL_S)

    def _judge_refusals(self) -> None:
        """Nothing more is in flight: rows were refused, or the model cannot be asked."""
        dialect = self.sender.dialect
        if dialect.answers and dialect.refused_in_row < _MOST_REFUSED:
            self._put_refusals()
        else:
            self._failure = next((refusal.error for refusal in self._unexplained.values()), None)

    def _count_refusals(self) -> None:
        """The model answers: what was refused before was refused for what it says."""
        self.sender.dialect.answers, self.sender.dialect.refused_in_row = True, 0
        self._put_refusals()

    def _put_refusals(self) -> None:
        for place, refusal in self._unexplained.items():
            self.answers.put(Answered(place, refusal.reply))
        self._unexplained.clear()

    async def _answered(self, place: int, ask: Ask) -> Reply | RowRefusal:
        from tailtune.services.endpoint.transport import CURRENT_ATTEMPT

        attempt = await self._reserved(ask)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # it runs in one
        self._attempts[task] = attempt
        CURRENT_ATTEMPT.set(attempt)
        try:
            return await self.sender.send(place, ask, attempt)
        finally:
            del self._attempts[task]
            attempt.end()

    def _must_see_first(self, most_usd: Usd | None) -> bool:
        """Whether one answer is to show what is charged before others are in flight: they could overrun the limit."""
        if most_usd is None or self.sender.estimate.confirmed:
            return False
        return self.budget.left_usd < _OVERCHARGED * most_usd * self.sender.spec.concurrency

    async def _reserved(self, ask: Ask) -> RequestAttempt:
        """An attempt that can be paid for; waits while money may come back.

        Raises:
            BudgetReachedError: Nothing is in flight, and what is left is not enough.
        """
        from tailtune.services.endpoint.transport import RequestAttempt

        while True:
            most_usd = self.sender.estimate.most_usd(ask)
            if self._attempts and self._must_see_first(most_usd):
                await asyncio.sleep(_POLL_S)
                continue
            busy = self.budget.busy
            reservation = self.budget.reserve(most_usd)
            if reservation is not None:
                return RequestAttempt(self.budget, reservation, most_usd, price=self.sender.price)
            if not busy:
                raise out_of_money(self.sender.spec, most_usd, self.budget)
            await asyncio.sleep(_POLL_S)
