"""Sends one request to an endpoint until it is answered or fails for good, and says what it was charged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import TailTuneError
from tailtune.core.language import Ask, Form, Reply
from tailtune.core.secrets import without_key
from tailtune.services.endpoint.budget import CostEstimate
from tailtune.services.endpoint.cuts import cut_of
from tailtune.services.endpoint.dialect import (
    Dialect,
    cost_of,
    read_reply,
    refused_parameter,
    usage_of,
    whole,
    written_text,
)
from tailtune.services.endpoint.faults import RowRefusal, no_model, out_of_money, read_refusal, refused, unreachable
from tailtune.services.endpoint.wording import parse_json

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from tailtune.services.endpoint.transport import RequestAttempt

_KEY_LETTERS = 16
_NAME_LETTERS = 400


@dataclass(frozen=True)
class Sender:
    """One per model: sends one request until it is answered or fails for good.

    Attributes:
        spec: Of the model.
        client: openai's client of it.
        price: Of its tokens.
        dialect: What it understands.
        estimate: What a request may cost.
        key: Blotted out of what servers and libraries write.
        served: Whether somebody waits for the answer.
    """

    spec: LanguageModelSpec
    client: AsyncOpenAI
    price: TokenPrice | None
    dialect: Dialect
    estimate: CostEstimate
    key: str | None = None
    served: bool = False

    async def send(self, place: int, ask: Ask, attempt: RequestAttempt) -> Reply | RowRefusal:
        """Send a request, in the words that the server understands.

        Args:
            place: Of the request, for errors.
            ask: The request.
            attempt: Pays for it; set as the task's `CURRENT_ATTEMPT`.

        Returns:
            The reply, with the form in which it was really constrained; or a refusal that may be about this prompt.

        Raises:
            TailTuneError: It fails for good.
        """
        while True:
            sent = self.dialect.arguments(ask)
            form: Form = "none" if ask.schema is None else self.dialect.form
            reply = await self._tried(place, ask, sent, attempt)
            if reply is None:
                continue
            if isinstance(reply, TailTuneError):
                raise reply
            if isinstance(reply, RowRefusal):
                attempt.settle(reply.reply.usd)
                return RowRefusal(self._with_charges(replace(reply.reply, form=form), attempt), reply.error)
            attempt.settle(reply.usd, reply.usd_estimated)
            if not reply.usd_estimated:
                self.estimate.learn(ask, reply.input_tokens, reply.output_tokens)
            reply = replace(reply, form=form, cut=cut_of(ask, reply, self.spec))
            return self._with_charges(reply, attempt)

    async def _tried(
        self, place: int, ask: Ask, sent: Mapping[str, Any], attempt: RequestAttempt
    ) -> Reply | RowRefusal | TailTuneError | None:
        """The reply; why there is none; or None when it is worth trying in other words.

        Errors are returned, so that none of ours has one of the client's as its context: those quote servers, and
        servers quote keys.
        """
        from openai import APIConnectionError, APIStatusError, OpenAIError

        try:
            return await self._sent(ask, sent, attempt)
        except APIStatusError as error:
            refusal = read_refusal(error.status_code, error.response.text, self.key)
        except APIConnectionError as error:
            return unreachable(self.spec, error, self.key)
        except OpenAIError:
            if attempt.unaffordable:
                return out_of_money(self.spec, attempt.most_usd, attempt.budget)
            raise
        if refusal.filtered:
            return self._filtered(ask, attempt)
        if not refusal.too_long and self.dialect.adapt(ask, sent, refusal):
            return None
        if refusal.no_model:
            return no_model(self.spec, refusal, await self._offered())
        failure = refused(self.spec, refusal, place, self.served, refused_parameter(refusal, sent))
        if not refusal.unexplained or self.dialect.final(sent, refusal):
            return failure
        note = self.dialect.row_note(refusal.text)
        return RowRefusal(replace(self._filtered(ask, attempt), finish="refusal", note=note), failure)

    async def _sent(self, ask: Ask, sent: Mapping[str, Any], attempt: RequestAttempt) -> Reply:
        messages: list[Any] = [{"role": message.role, "content": whole(message.content)} for message in ask.messages]
        raw = await self.client.chat.completions.with_raw_response.create(
            model=self.spec.called, messages=messages, extra_body=dict(sent)
        )
        body = parse_json(raw.content)
        self.dialect.hear(without_key(str(body.get("model") or "")[:_NAME_LETTERS], self.key or "", _KEY_LETTERS))
        reply = self._reckoned(ask, self._without_key(read_reply(body)), written_text(body))
        usd, note = cost_of(reply, self.price), self.dialect.note()
        return replace(reply, usd=usd, timing=attempt.timing, retries=raw.retries_taken + attempt.waits, note=note)

    def _reckoned(self, ask: Ask, reply: Reply, written: str) -> Reply:
        """The reply with tokens counted here where the server reports none, or none for an answer that it wrote."""
        usage = usage_of(reply)
        if written and not usage.output_tokens:
            usage = replace(usage, output_tokens=None)
        if None not in (usage.input_tokens, usage.output_tokens):
            return reply
        reckoned = self.estimate.reckoned(ask, usage, written, reply.finish)
        return replace(reply, **asdict(reckoned), usd_estimated=True)

    def _with_charges(self, reply: Reply, attempt: RequestAttempt) -> Reply:
        """The reply, with what its attempts before were charged for without an answer."""
        if not attempt.charged:
            return reply
        whole = replace(reply, **asdict(usage_of(reply).plus(attempt.charged)))
        return replace(whole, usd=cost_of(whole, self.price))

    def _without_key(self, reply: Reply) -> Reply:
        """Answers are kept and shown, so a key that the server repeats in one goes; a short word is no key there."""
        if not self.key or len(self.key) < _KEY_LETTERS:
            return reply
        text = None if reply.text is None else without_key(reply.text, self.key, _KEY_LETTERS)
        return replace(reply, text=text, finish=without_key(reply.finish, self.key, _KEY_LETTERS))

    def _filtered(self, ask: Ask, attempt: RequestAttempt) -> Reply:
        """A prompt that a filter refused: no usage comes with it, and its prompt may be charged all the same.

        Limit: Azure may also charge what was written before the filter acted, and nothing reports how much that was.

        Source: Azure OpenAI, "Plan to manage costs": a 400 by the content filter may be charged, as the service worked.
        """
        tokens = 0 if attempt.charged else self.estimate.prompt_tokens(ask)
        estimated = not attempt.charged
        reply = Reply(None, "content_filter", tokens, 0, timing=attempt.timing, usd_estimated=estimated)
        return replace(reply, usd=cost_of(reply, self.price))

    async def _offered(self) -> list[str] | None:
        """The models that the endpoint lists; None when it lists none."""
        from openai import OpenAIError

        try:
            page = await self.client.with_options(max_retries=0).models.list()
            return [without_key(str(model.id), self.key or "") for model in page.data]
        except (OpenAIError, TypeError, AttributeError):
            return None
