"""What a server does with a request: who answers it, what is counted and logged of it."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import secrets
import time
import zlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from tailtune.config.prices import TokenPrice
from tailtune.core.errors import (
    BudgetReachedError,
    FullError,
    LateError,
    RefusedError,
    SpentError,
    UpstreamError,
)
from tailtune.predictors.prepare import prepared
from tailtune.services.prediction_log import LoggedFeedback, LoggedPrediction, Route, Spool, kept_slices, kept_text
from tailtune.serving.bodies import (
    AskedRow,
    FeedbackBody,
    PredictBody,
    invocation_texts,
    refused,
)
from tailtune.serving.chat import COMPLETION, ChatBody, TextFrom, completion, content_of, events
from tailtune.serving.counters import Counters
from tailtune.serving.current import Loaded, Versions
from tailtune.serving.gateway import Gateway, Passed
from tailtune.serving.plan import ServerPlan
from tailtune.tasks.answerer import Prediction
from tailtune.tasks.table import answers_objects

JSON = "application/json"
_REQUEST_ID = re.compile(r"[\w.:-]{1,80}", re.ASCII)
_SHADOW_BUCKETS = 10_000
log = logging.getLogger("tailtune.serving")


@dataclass
class Incoming:
    """One per request.

    Attributes:
        headers: Names in lower case.
        body: Whole.
        client: Whose token it carries; empty where nobody has to show one.
        began: When it came, by the clock of time.perf_counter.
        id: Its own, from `x-request-id` or made here.
        rows: Texts that it asks about; 1 as long as that is not known.
    """

    headers: Mapping[str, str]
    body: bytes
    client: str
    began: float
    id: str
    rows: int = 1

    @classmethod
    def of(cls, headers: Mapping[str, str], body: bytes, client: str, began: float) -> Incoming:
        """A request with its id."""
        named = headers.get("x-request-id", "")
        return cls(headers, body, client, began, named if _REQUEST_ID.fullmatch(named) else secrets.token_hex(12))


@dataclass(frozen=True)
class Outgoing:
    """One per answer to a request.

    Attributes:
        status: Of HTTP.
        body: Whole, or in pieces that are sent as they come.
        headers: With the content type.
        counted: Whether its rows are counted elsewhere, when the body has ended.
    """

    status: int
    body: bytes | AsyncGenerator[bytes]
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": JSON})
    counted: bool = False


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Outgoing:
    """An answer in JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Outgoing(status, text.encode(), {"content-type": JSON, **(headers or {})})


def as_error(error: RefusedError) -> Outgoing:
    """A refusal, in the form that OpenAI's clients read."""
    body = {"error": {"message": error.message, "type": "tailtune", "code": error.code, "param": None}}
    retry = {} if error.retry_s is None else {"retry-after": str(error.retry_s)}
    return as_json(body, error.status, {**retry, **error.headers})


class Service:
    """One per worker."""

    def __init__(
        self,
        plan: ServerPlan,
        versions: Versions,
        gateway: Gateway | None,
        spool: Spool,
        counters: Counters,
    ) -> None:
        self._plan, self._versions, self._gateway = plan, versions, gateway
        self._spool, self._counters = spool, counters
        self._text_from = TextFrom.of(plan.text_from)

    async def answer(self, endpoint: str, request: Incoming) -> Outgoing:
        """Answer a request that asks for predictions, and count its rows: each once, in one way or another."""
        handlers = {"predict": self.predict, "invocations": self.invocations, "chat": self.chat}
        try:
            outgoing = await handlers[endpoint](request)
        except RefusedError as error:
            return self.refuse(endpoint, error, request.rows)
        except Exception:
            log.exception("request %s", request.id)
            fault = RefusedError(500, "error", f"the server's fault; its log names request {request.id}")
            return self.refuse(endpoint, fault, request.rows)
        if not outgoing.counted:
            self._counters.received.labels(endpoint).inc(request.rows)
        return outgoing

    def refuse(self, endpoint: str, error: RefusedError, rows: int = 1) -> Outgoing:
        """Answer with a refusal, and count what is not answered."""
        self._counters.received.labels(endpoint).inc(rows)
        given_up = self._counters.shed if error.status == 429 or error.code == "late" else self._counters.failed
        given_up.labels(error.code).inc(rows)
        return as_error(error)

    async def predict(self, request: Incoming) -> Outgoing:
        """`POST /predict`."""
        try:
            body = PredictBody.model_validate_json(request.body)
        except ValidationError as error:
            raise refused(error) from None
        loaded = self._champion()
        predictions = await self._predicted(request, loaded, body.all_rows)
        outgoing = as_json(
            {
                "request_id": request.id,
                "version": loaded.named.version,
                "answers": [_row(prediction) for prediction in predictions],
            },
            headers=_names(request, loaded),
        )
        self._keep(request, loaded, predictions, body.all_rows)
        return outgoing

    async def invocations(self, request: Incoming) -> Outgoing:
        """`POST /invocations`, as MLflow's own server answers it."""
        texts = invocation_texts(request.body, request.headers.get("content-type", JSON))
        loaded, rows = self._champion(), [AskedRow(text=text) for text in texts]
        if not rows:
            request.rows = 0
            return as_json({"predictions": []}, headers=_names(request, loaded))
        predictions = await self._predicted(request, loaded, rows)
        columns = [_finite(prediction.columns) for prediction in predictions]
        outgoing = as_json({"predictions": columns}, headers=_names(request, loaded))
        self._keep(request, loaded, predictions, rows)
        return outgoing

    async def chat(self, request: Incoming) -> Outgoing:
        """`POST /v1/chat/completions`: by the champion where the request asks what it can answer, else passed through.

        Raises:
            RefusedError: No version can answer, and no language model is declared to pass it to.
        """
        try:
            body = ChatBody.model_validate_json(request.body)
        except ValidationError as error:
            raise refused(error) from None
        text, loaded = self._text_from(body), self._versions.get("champion")
        if text is None or loaded is None or body.asks_for_more:
            return await self._pass(request, body, text)
        asked_row = AskedRow(text=text, metadata=body.metadata or {})
        (prediction,) = await self._predicted(request, loaded, [asked_row])
        content = content_of(prediction, body.response_format)
        if content is None:
            return await self._pass(request, body, text)
        whole, headers = completion(request.id, body.model or self._plan.use_case, content, prediction), {}
        if body.stream:
            headers = {"content-type": "text/event-stream; charset=utf-8"}
            stream = events(whole, bool((body.stream_options or {}).get("include_usage")))
            outgoing = Outgoing(200, stream, headers | _names(request, loaded))
        else:
            outgoing = as_json(whole, headers=_names(request, loaded))
        self._keep(request, loaded, [prediction], [asked_row], body.user)
        return outgoing

    async def models(self, request: Incoming) -> Outgoing:
        """`GET /v1/models`: the use case is the model."""
        model = {"id": self._plan.use_case, "object": "model", "created": 0, "owned_by": "tailtune"}
        return as_json({"object": "list", "data": [model]})

    async def feedback(self, request: Incoming) -> Outgoing:
        """`POST /feedback`: a right answer, kept for training."""
        try:
            body = FeedbackBody.model_validate_json(request.body)
        except ValidationError as error:
            raise refused(error) from None
        if len(body.text or "") > self._plan.limits.text_chars:
            raise _too_long(self._plan.limits.text_chars)
        label, named = self._label(body), body.request_id
        kept = self._spool.append_feedback(
            LoggedFeedback(
                at_us=time.time_ns() // 1000,
                use_case=self._plan.use_case,
                label=label,
                who=body.who,
                request_id=None if named is None else named.removeprefix(COMPLETION),
                row=body.row,
                text=None if body.text is None else prepared(body.text, self._plan.scrub_pii),
            )
        )
        if not kept:
            raise RefusedError(503, "not_kept", "the disk is full or away; send it again later", 30)
        self._counters.feedback.inc()
        return as_json({"kept": True}, 202)

    def _label(self, body: FeedbackBody) -> str:
        """A right answer as it is kept.

        Raises:
            RefusedError: It is none of this use case's.
        """
        loaded, label = self._versions.get("champion"), body.label
        labels = loaded.answerer.labels if loaded is not None else ()
        fields = loaded.answerer.fields if loaded is not None else ()
        if isinstance(label, str) == answers_objects(self._plan.task):
            expected = "a label" if isinstance(label, dict) else "an object with the schema's fields"
            raise RefusedError(422, "invalid_body", f"label: expected {expected}")
        if isinstance(label, str):
            if labels and label not in labels:
                near = get_close_matches(label[:80], labels, n=1, cutoff=0.6)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                message = f"label: {label[:80]!r} is none of {len(labels)} declared labels{meant}"
                raise RefusedError(422, "unknown_label", message)
            return label
        unknown = next((name for name in label if fields and name not in fields), None)
        if unknown is not None:
            raise RefusedError(
                422, "unknown_label", f"label: {unknown[:80]!r} is none of {len(fields)} declared fields"
            )
        return json.dumps(label, ensure_ascii=False)

    def _spent(self) -> RefusedError:
        limit = self._plan.max_usd_per_day
        return RefusedError(
            503, "spent", f"serve.max_usd_per_day ${limit:g} is spent; it begins anew at midnight UTC", 3600
        )

    def _champion(self) -> Loaded:
        loaded = self._versions.get("champion")
        if loaded is None:
            why = self._versions.problem or f"no version of {self._plan.use_case} has the alias that is served"
            raise RefusedError(503, "no_version", f"{why}; run: tailtune run {self._plan.use_case}", 30)
        return loaded

    async def _predicted(self, request: Incoming, loaded: Loaded, rows: Sequence[AskedRow]) -> list[Prediction]:
        """What a version answers.

        Raises:
            RefusedError: Too many texts, a text too long, too much waits, or the day's money is spent.
        """
        limits = self._plan.limits
        request.rows = len(rows)
        if len(rows) > limits.rows:
            hint = f"more at once: tailtune predict {self._plan.use_case}"
            raise RefusedError(413, "too_many_rows", f"{len(rows):,} texts, at most {limits.rows:,} a request; {hint}")
        if any(len(row.text) > limits.text_chars for row in rows):
            raise _too_long(limits.text_chars)
        deadline_s = limits.deadline(loaded.answerer.timeout_s)
        try:
            return await loaded.line.ask([row.text for row in rows], deadline_s)
        except FullError as full:
            raise RefusedError(429, "busy", "too many texts wait; try again", full.retry_s) from None
        except LateError:
            raise RefusedError(503, "late", f"no answer within {deadline_s:g} s; try again", 1) from None
        except BudgetReachedError:  # a prompted version's, within the day's limit
            raise self._spent() from None

    def _keep(
        self,
        request: Incoming,
        loaded: Loaded,
        predictions: Sequence[Prediction],
        rows: Sequence[AskedRow],
        user: str | None = None,
    ) -> None:
        """Count and log what goes out as an answer, and let the challenger answer its share."""
        self._log(request, loaded, predictions, rows, "model", user)
        if self._is_shadowed(request.id):
            self._shadow(request, rows, predictions)

    def _log(
        self, request: Incoming, loaded: Loaded, predictions: Sequence[Prediction], rows: Sequence[AskedRow],
        route: Route, user: str | None = None,
    ) -> None:  # fmt: skip
        kept = [
            self._record(
                request,
                prediction.text,
                row.metadata,
                user,
                route=route,
                version=loaded.named.version,
                row=number,
                answer=prediction.value,
                confidence=math.nan if prediction.confidence is None else prediction.confidence,
                likeliest=prediction.likeliest,
                embedding=prediction.embedding if self._plan.keep_embeddings else None,
                novelty=prediction.novelty,
                unknown_share=prediction.unknown_share,
                tokens=prediction.tokens,
                usd=prediction.usd,
            )
            for number, (prediction, row) in enumerate(zip(predictions, rows, strict=True))
        ]
        self._count(kept, route, loaded.named.version)

    def _record(
        self, request: Incoming, text: str, metadata: Mapping[str, Any], user: str | None, **answer: Any
    ) -> LoggedPrediction:
        """What is logged of a text that is answered now; `answer` has the fields that say by whom, and how."""
        kept, text_hash = kept_text(text, self._plan.keep_text)
        return LoggedPrediction(
            at_us=time.time_ns() // 1000,
            use_case=self._plan.use_case,
            request_id=request.id,
            latency_ms=(time.perf_counter() - request.began) * 1000,
            client=request.client or user or "",
            text=kept,
            text_hash=text_hash,
            metadata=metadata,
            slices=kept_slices(metadata, self._plan.slices),
            **answer,
        )

    def _count(self, rows: Sequence[LoggedPrediction], route: Route, version: str) -> None:
        counted = self._counters
        if route != "shadow":
            counted.answered.labels(route, version).inc(len(rows))
            counted.seconds.labels(route).observe(rows[0].latency_ms / 1000)
        in_spool = self._spool.append(rows)
        if route != "shadow":
            (counted.logged if in_spool else counted.not_logged).inc(len(rows))

    def _is_shadowed(self, request_id: str) -> bool:
        """Whether a request is in the challenger's share: decided by its id, so the same on every worker."""
        share = self._plan.shadow_share
        return share > 0 and zlib.crc32(request_id.encode()) % _SHADOW_BUCKETS < share * _SHADOW_BUCKETS

    def _shadow(self, request: Incoming, rows: Sequence[AskedRow], predictions: Sequence[Prediction]) -> None:
        """Let the challenger answer the same texts, after the answer has gone out."""
        challenger = self._versions.get("challenger")
        if challenger is not None:
            _in_background(self._compare(request, challenger, rows, predictions))

    async def _compare(
        self, request: Incoming, challenger: Loaded, rows: Sequence[AskedRow], predictions: Sequence[Prediction]
    ) -> None:
        try:
            deadline_s = self._plan.limits.deadline(challenger.answerer.timeout_s)
            theirs = await challenger.line.ask([row.text for row in rows], deadline_s)
        except Exception:  # a shadow that fails harms nobody; how many answered is what is counted
            return
        self._log(request, challenger, theirs, rows, "shadow")
        for ours, other in zip(predictions, theirs, strict=True):
            agrees = "yes" if ours.value == other.value else "no"
            self._counters.shadowed.labels(challenger.named.version, agrees).inc()

    async def _pass(self, request: Incoming, body: ChatBody, text: str | None) -> Outgoing:
        """Send a request on as it came.

        Raises:
            RefusedError: There is no model to send it to, its endpoint does not answer, or the day's money is spent.
        """
        gateway = self._gateway
        if gateway is None:
            self._champion()
            message = "the request asks for something that the version cannot answer: "
            what = "its last message is none that serve.text_from describes" if text is None else _BEYOND
            raise RefusedError(422, "not_answerable", message + what)
        price = self._price_of(body.model)
        if gateway.is_full:
            raise RefusedError(429, "busy", "too many requests are passed through; try again", 1)
        own = {} if self._plan.tokens else request.headers  # a token of ours is nobody else's business
        raw = self._for_upstream(request.body, body)
        try:
            passed = await gateway.send(raw, own, body.most_tokens, price)
        except SpentError:
            raise self._spent() from None
        except UpstreamError as error:
            raise self._away(error) from None
        headers = {"content-type": JSON, **passed.headers, "x-tailtune-route": "passthrough", **_names(request)}
        stream = self._piped(request, passed, body, text)
        if body.stream:
            return Outgoing(passed.status, stream, headers, counted=True)
        try:
            return Outgoing(passed.status, await gateway.whole(stream, passed.until), headers, counted=True)
        except UpstreamError as error:
            return replace(as_error(self._away(error)), counted=True)

    def _price_of(self, model: str) -> TokenPrice | None:
        """What the model that a client names costs: the client may name another one than the declared.

        Raises:
            RefusedError: That is not known, and there is a limit to what is spent.
        """
        upstream = self._plan.upstream
        if upstream is None or model in ("", self._plan.use_case, upstream.model):
            return None if upstream is None else upstream.price
        price = self._plan.prices.get(model)
        if price is None and self._plan.max_usd_per_day is not None:
            message = f"model: what {model[:80]!r} costs is not known, and serve.max_usd_per_day limits what is spent; "
            declare = f"name {upstream.model!r}, or declare the price of that name in models/prices.yaml"
            raise RefusedError(422, "unknown_price", message + declare)
        return price

    def _away(self, error: UpstreamError) -> RefusedError:
        name = self._plan.upstream.name if self._plan.upstream else ""
        return RefusedError(504 if error.late else 502, "upstream", f"{name}: {error}", 5)

    def _for_upstream(self, raw: bytes, body: ChatBody) -> bytes:
        """The client's body; only where it calls the model by the use case's name is that the declared model's."""
        upstream = self._plan.upstream
        if upstream is None or body.model not in ("", self._plan.use_case):
            return raw
        return json.dumps({**json.loads(raw), "model": upstream.model}, ensure_ascii=False).encode()

    async def _piped(
        self, request: Incoming, passed: Passed, body: ChatBody, text: str | None
    ) -> AsyncGenerator[bytes]:
        """The answer as it comes; once it has ended it is priced, counted and logged.

        Raises:
            UpstreamError: It broke off.
        """
        whole = False
        try:
            async with aclosing(passed.body) as pieces:
                async for piece in pieces:
                    yield piece
            whole = True
        finally:
            self._counters.received.labels("chat").inc()
            if whole and passed.status < 400:
                self._log_passed(request, passed, body, text)
            else:  # broken off, refused by the endpoint, or the client has left
                self._counters.failed.labels("upstream").inc()

    def _log_passed(self, request: Incoming, passed: Passed, body: ChatBody, text: str | None) -> None:
        last = next((message.text for message in reversed(body.messages) if message.role == "user"), None)
        ready = prepared(text if text is not None else last or "", self._plan.scrub_pii)
        metadata = dict(body.metadata or {}) | ({} if text is not None else {"text_from": "does not fit"})
        row = self._record(
            request,
            ready,
            metadata,
            body.user,
            route="passthrough",
            version=None,
            answer=passed.content,
            usd=passed.usd,
        )
        self._count([row], "passthrough", "")


_BEYOND = "it asks for tools, several answers, or a response_format that the answer does not have"


def _names(request: Incoming, loaded: Loaded | None = None) -> dict[str, str]:
    """Headers that say which request this was, and who answered."""
    version = {} if loaded is None else {"x-tailtune-version": loaded.named.version}
    return {"x-request-id": request.id, **version}


def _too_long(most: int) -> RefusedError:
    return RefusedError(413, "text_too_long", f"a text has more than {most:,} characters")


def _row(prediction: Prediction) -> dict[str, Any]:
    value = prediction.value
    return {
        "answer": json.loads(value) if prediction.is_object and value is not None else value,
        "confidence": prediction.confidence,
        "likeliest": [(name, None if math.isnan(share) else share) for name, share in prediction.likeliest],
    }


def _finite(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in columns.items()
    }


_running: set[Any] = set()


def _in_background(work: Any) -> None:
    """Run a coroutine that nobody waits for."""
    task = asyncio.ensure_future(work)
    _running.add(task)  # the loop itself keeps only a weak reference
    task.add_done_callback(_running.discard)
