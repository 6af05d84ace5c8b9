"""One request to an endpoint, until it is answered or fails for good."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import TailTuneError
from tailtune.core.language import Ask, Form, Reply
from tailtune.services.endpoint.dialect import Dialect
from tailtune.services.endpoint.estimate import Estimate
from tailtune.services.endpoint.faults import no_model, out_of_money, refused, unreachable
from tailtune.services.endpoint.flight import Flight
from tailtune.services.endpoint.replies import cost_of, read_reply
from tailtune.services.endpoint.said import read_said

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@dataclass(frozen=True)
class Asker:
    """One per model.

    Attributes:
        spec: Whom to ask.
        client: openai's client of it.
        price: Of its tokens.
        dialect: What it understands.
        estimate: What a request may cost.
        key: Blotted out of what servers and libraries say.
    """

    spec: LanguageModelSpec
    client: AsyncOpenAI
    price: TokenPrice | None
    dialect: Dialect
    estimate: Estimate
    key: str | None = None

    async def ask(self, place: int, ask: Ask, flight: Flight) -> Reply:
        """Ask, in the words that the server understands.

        Args:
            place: Of the request, for errors.
            ask: The request.
            flight: Pays for it; set as the task's `FLIGHT`.

        Returns:
            The reply, with the form in which it was really held.

        Raises:
            TailTuneError: It fails for good.
        """
        while True:
            sent = self.dialect.arguments(ask)
            form: Form = "none" if ask.schema is None else self.dialect.form
            reply = await self._tried(place, ask, sent, flight)
            if reply is None:
                continue
            if isinstance(reply, TailTuneError):
                raise reply
            flight.settle(reply.usd)
            self.estimate.learn(ask, None if reply.usd_estimated else reply.input_tokens)
            return replace(reply, form=form)

    async def _tried(
        self, place: int, ask: Ask, sent: Mapping[str, Any], flight: Flight
    ) -> Reply | TailTuneError | None:
        """The reply; why there is none; or None when it is worth asking in other words.

        Errors are returned, so that none of ours has one of the client's as its context: those quote servers, and
        servers quote keys.
        """
        from openai import APIConnectionError, APIStatusError, OpenAIError

        try:
            return await self._sent(ask, sent, flight)
        except APIStatusError as error:
            said = read_said(error.status_code, error.response.text, self.key)
        except APIConnectionError as error:
            return unreachable(self.spec, error, self.key)
        except OpenAIError:
            if flight.broke:
                return out_of_money(self.spec, flight.most_usd, flight.purse)
            raise
        if said.filtered:
            return self._filtered(ask, flight)
        if not said.too_long and self.dialect.adapt(ask, sent, said):
            return None
        return no_model(self.spec, said, await self._offered()) if said.no_model else refused(self.spec, said, place)

    async def _sent(self, ask: Ask, sent: Mapping[str, Any], flight: Flight) -> Reply:
        messages: list[Any] = [{"role": one.role, "content": one.content} for one in ask.messages]
        raw = await self.client.chat.completions.with_raw_response.create(
            model=self.spec.called, messages=messages, **sent
        )
        reply = read_reply(json.loads(raw.content))
        usd, note = cost_of(reply, self.price), self.dialect.note()
        return replace(reply, usd=usd, timing=flight.timing, retries=raw.retries_taken, note=note)

    def _filtered(self, ask: Ask, flight: Flight) -> Reply:
        """A prompt that a filter refused: no usage comes with it, and its prompt may be charged all the same.

        Limit: Azure may also charge what was written before the filter spoke, and nobody tells how much that was.

        Source: Azure OpenAI, "Plan to manage costs": a 400 by the content filter may be charged, as the service worked.
        """
        tokens = self.estimate.prompt_tokens(ask)
        reply = Reply(None, "content_filter", tokens, 0, timing=flight.timing, usd_estimated=True)
        return replace(reply, usd=cost_of(reply, self.price))

    async def _offered(self) -> list[str] | None:
        """The models that the endpoint lists; None when it lists none."""
        from openai import OpenAIError

        try:
            page = await self.client.with_options(max_retries=0).models.list()
            return [str(model.id) for model in page.data]
        except (OpenAIError, TypeError, AttributeError):
            return None
