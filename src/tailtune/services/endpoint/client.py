"""A language model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import hashlib
import json
import math
import os
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty
from typing import Any

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import BudgetReachedError, TailTuneError
from tailtune.core.language import Ask, Form, OnReply, Reply
from tailtune.services.endpoint.asking import Asker
from tailtune.services.endpoint.budget import Purse
from tailtune.services.endpoint.cache import AnswerCache
from tailtune.services.endpoint.dialect import FORMS, Dialect, form_note, response_format
from tailtune.services.endpoint.estimate import Estimate
from tailtune.services.endpoint.faults import no_key, odd_key
from tailtune.services.endpoint.line import Line
from tailtune.services.endpoint.replies import cost_of
from tailtune.services.endpoint.sending import Answered, Outbox, Round
from tailtune.services.endpoint.tokens import count_tokens

_VERSION = 1  # of what is sent and how it is read; another one asks again
_BREAK_OFF_S = 0.8


class Endpoint:
    """Asks an endpoint, several requests at once, and keeps the answers. Nothing is opened before the first request.

    Args:
        spec: With an endpoint.
        price: Of its tokens; costs are not known when None.
        cache: Keeps answers between runs; None keeps none.
        purse: Limits what is spent; None sets no limit.

    Limit: one call at a time.
    """

    def __init__(
        self,
        spec: LanguageModelSpec,
        price: TokenPrice | None = None,
        cache: AnswerCache | None = None,
        purse: Purse | None = None,
    ) -> None:
        if spec.endpoint is None:
            raise ValueError(f"{spec.name} has no endpoint; it is a local model")
        self._spec, self._price, self._cache = spec, price, cache
        self._purse = purse or Purse(math.inf)
        self._dialect = Dialect(spec)
        self._estimate = Estimate(spec, price)
        self._line: Line | None = None
        self._key: str | None = None
        self._refused: frozenset[str] | None = None
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
        found: dict[int, Reply] = {}

        def hear(place: int, reply: Reply) -> None:
            found[place] = reply
            if on_reply is not None:
                on_reply(place, reply)

        same: dict[str | int, list[int]] = {}  # request → its places
        for place, ask in enumerate(asks):
            kept = self._kept(ask)
            if kept is not None:
                hear(place, kept)
            else:
                same.setdefault(
                    place if self._cache is None else self._cache_key(ask, self._spec.structured), []
                ).append(place)
        groups = {places[0]: places for places in same.values()}

        def keep(answered: Answered) -> None:
            reply = self._noted(asks[answered.place], answered.reply)
            hear(answered.place, reply)
            for place in groups[answered.place][1:]:
                hear(place, replace(reply, from_cache=True))

        failure = self._send([(place, asks[place]) for place in groups], keep) if groups else None
        if isinstance(failure, BudgetReachedError):
            said = f"{failure.message}; {len(found):,} of {len(asks):,} requests are answered"
            raise BudgetReachedError(said, failure.hint or "", found)
        if failure is not None:
            raise failure
        return [found[place] for place in range(len(asks))]

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, rather too many: the endpoint's vocabulary is not known."""
        return count_tokens(text)

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _send(self, work: Sequence[tuple[int, Ask]], keep: Callable[[Answered], None]) -> TailTuneError | None:
        """Send what the cache does not answer. Returns why not all of it was answered."""
        line, outbox, asked = self._opened(), Outbox(), dict(work)
        at: Answered | None = None
        asker = Asker(self._spec, line.client, self._price, self._dialect, self._estimate, self._key)
        running = line.start(Round(asker, self._purse, outbox).run(work))
        try:
            while (at := outbox.get()) is not None:
                self._store(at, asked[at.place])
                keep(at)
        except BaseException:  # Ctrl-C above all: what is paid for is kept, what is in flight is broken off
            running.cancel()
            with suppress(Empty, TailTuneError):
                while at is not None:
                    self._store(at, asked[at.place])
                    at = outbox.get(timeout=_BREAK_OFF_S)
            raise
        return running.result()

    def _opened(self) -> Line:
        if self._line is None:
            self._key = self._read_key()
            self._line = Line(self._spec, self._key)
            weakref.finalize(self, self._line.close)
        return self._line

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
                return self._noted(ask, replace(kept, usd=cost_of(kept, self._price), form=form))
        return None

    def _forms(self, ask: Ask) -> Sequence[Form]:
        if ask.schema is None or self._cache is None:
            return ("none",)
        if self._refused is None:
            self._refused = self._cache.refused(self._server)
        refused = self._refused | set(self._dialect.refused)
        below = FORMS[FORMS.index(self._spec.structured) :]
        return [form for at, form in enumerate(below) if all(higher in refused for higher in below[:at])]

    def _store(self, answered: Answered, ask: Ask) -> None:
        if self._cache is None:
            return
        for form in self._dialect.refused:
            self._cache.note_refused(self._server, form)
        self._cache.put(self._cache_key(ask, answered.reply.form), replace(answered.reply, usd=None))

    def _noted(self, ask: Ask, reply: Reply) -> Reply:
        declared = self._spec.structured
        said = self._dialect.refused.get(declared, "")
        note = "" if ask.schema is None else form_note(declared, reply.form, said)
        return replace(reply, note="; ".join(one for one in (reply.note, note) if one))

    def _cache_key(self, ask: Ask, form: Form) -> str:
        """Everything that shapes an answer."""
        return _digest(
            {
                "version": _VERSION,
                "server": self._server,
                "messages": [[one.role, one.content] for one in ask.messages],
                "response_format": response_format(form, ask.schema),
                "temperature": self._spec.temperature,
                "max_output_tokens": self._spec.max_output_tokens,
                "sample": ask.sample,
            }
        )


def _digest(value: Any) -> str:
    """Of canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
