"""What goes wrong with an endpoint: refusals, and errors that say where, what, what was expected and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import BudgetReachedError, ContextTooLongError, EndpointError
from tailtune.core.figures import counted
from tailtune.core.language import Reply
from tailtune.core.money import Usd
from tailtune.core.secrets import without_key
from tailtune.services.endpoint.budget import Budget
from tailtune.services.endpoint.pace import SERVED_WAIT_S
from tailtune.services.endpoint.wording import (
    NO_CHOICES,
    UNREADABLE,
    moderated,
    no_such_model,
    out_of_quota,
    parse_json,
    too_long,
)

if TYPE_CHECKING:
    from openai import APIConnectionError

_MOST_NAMES = 10
_KEPT = "run the same command again: what was answered is kept"
_MOST_CHARACTERS, _MOST_READ = 300, 4000
_MOST_NESTED = 8
_SENT_AGAIN = (408, 409)  # openai's client does, as after 5xx
_PAGES = ("<!doctype html", "<html")
_MESSAGES = ("error", "errors", "message", "detail")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One per refusal.

    Attributes:
        status: HTTP status.
        text: The server's message, on one line, shortened, never with the key in it.
        code: Its code and type, and the parameter it is about; empty when it gives none.
    """

    status: int
    text: str
    code: str = ""

    @property
    def lower(self) -> str:
        """Code and text in lower case."""
        return f"{self.code} {self.text}".lower()

    def names(self, words: Iterable[str]) -> bool:
        """Whether it names one of these."""
        return any(word in self.lower for word in words)

    @property
    def too_long(self) -> bool:
        """Whether the prompt does not fit into the model's context, or into what a gateway lets through."""
        return self.status == 413 or (self.status in (400, 422, 500) and too_long(f"{self.code} {self.text}"))

    @property
    def filtered(self) -> bool:
        """Whether the prompt offends the provider's rules, in words that are known."""
        return self.status in (400, 422, 451) and moderated(f"{self.code} {self.text}")

    @property
    def unexplained(self) -> bool:
        """Whether it may be about this one prompt, in unknown words: whether others are answered tells."""
        if self.status in (403, 406):  # a firewall answers with a page, an API with JSON
            return moderated(f"{self.code} {self.text}") or self.is_page
        known = self.too_long or self.no_model or out_of_quota(f"{self.code} {self.text}")
        return (self.status in (400, 422, 451) or NO_CHOICES in self.code) and not known

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, as proxies and firewalls send one."""
        return self.text.lower().startswith(_PAGES)

    @property
    def no_model(self) -> bool:
        """Whether the server has no such model, or nothing at that address."""
        return self.status == 404 or (self.status in (400, 422) and no_such_model(f"{self.code} {self.text}"))


@dataclass(frozen=True, slots=True)
class RowRefusal:
    """One per request that was refused for an unknown reason.

    Attributes:
        reply: What it is when others are answered: a row that the provider refuses.
        error: What it is when none is: a model that cannot be asked.
    """

    reply: Reply
    error: EndpointError | ContextTooLongError


def read_refusal(status: int, body: str, key: str | None = None) -> Refusal:
    """Read the body of a refusal: OpenAI's `error` object, FastAPI's `detail`, plain text or HTML.

    Args:
        status: HTTP status.
        body: As it came.
        key: Is blotted out; servers like to repeat it.
    """
    try:
        value: Any = parse_json(body)
    except ValueError:
        value = body
    codes: list[str] = []
    for _ in range(_MOST_NESTED):
        if isinstance(value, list) and value and isinstance(value[0], dict) and "loc" not in value[0]:
            value = value[0]
        if not isinstance(value, dict):
            break
        codes += [str(value[name]) for name in ("code", "type", "param") if isinstance(value.get(name), str | int)]
        inner = value.get("innererror")
        codes += [str(inner["code"])] if isinstance(inner, dict) and "code" in inner else []
        value = next((value[name] for name in _MESSAGES if value.get(name)), None) or _dumped(value)
    text = value if isinstance(value, str) else _dumped(value)
    return Refusal(status, _one_line(text, key), _one_line(" ".join(codes), key))


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "nested too deeply"


def _one_line(text: str, key: str | None) -> str:
    """Of a server's words: one line, shortened, without the key and without what a terminal would obey."""
    text = without_key(text[:_MOST_READ], key) if key else text
    text = text[: 4 * _MOST_CHARACTERS].encode("utf-8", "replace").decode()
    text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())[:_MOST_CHARACTERS]


def host_of(spec: LanguageModelSpec) -> str:
    """Host and port of an endpoint, without a password that may stand before them."""
    return urlsplit(spec.endpoint or "").netloc.rpartition("@")[2]


def describe_model(spec: LanguageModelSpec) -> str:
    """A model as errors name it: `small at api.example.com`."""
    return f"{spec.name} at {host_of(spec)}"


def no_key(spec: LanguageModelSpec) -> EndpointError:
    """The variable with the key is not set."""
    return EndpointError(
        f"{describe_model(spec)}: "
        f"the environment variable {spec.key_env} is not set; expected the endpoint's key in it",
        f"export {spec.key_env}=…, then run the same command again",
    )


def odd_key(spec: LanguageModelSpec) -> EndpointError:
    """The variable with the key holds what no header can."""
    return EndpointError(
        f"{describe_model(spec)}: "
        f"the environment variable {spec.key_env} holds spaces or letters beyond ASCII; expected a key",
        f"export {spec.key_env}=…, then run the same command again",
    )


def out_of_money(spec: LanguageModelSpec, most_usd: Usd | None, budget: Budget) -> BudgetReachedError:
    """What is left is not enough for another request; the caller adds what was answered."""
    return BudgetReachedError(
        f"{describe_model(spec)}: "
        f"max_cost_usd is reached: the next request may cost {most_usd or 0.0:.6f} US dollars and "
        f"{budget.left_usd:.6f} of {budget.max_usd:g} are left",
        "raise prompt.max_cost_usd in model.yaml and run the same command again: what was answered is kept",
        {},
    )


def waiting_line(spec: LanguageModelSpec, wait_s: float, waited_s: float, most_s: float) -> str:
    """What is shown when a pause begins: its length, and what it adds up to.

    Args:
        spec: Of the model.
        wait_s: Seconds of this pause.
        waited_s: Seconds of all pauses since the last answer, with this one.
        most_s: Seconds that are waited at most.
    """
    return f"rate limited by {host_of(spec)}: waiting {wait_s:.0f} s ({waited_s:.0f} of at most {most_s:.0f} s)"


def cut_line(spec: LanguageModelSpec, reply: Reply) -> str:
    """What is logged when a server has cut a prompt, the first time."""
    return (
        f"{describe_model(spec)} cut a prompt: it read {reply.input_tokens or 0:,} tokens of more; give the server "
        f"more context, or set context_tokens of {spec.name} in model.yaml to what it has"
    )


def refused(
    spec: LanguageModelSpec, refusal: Refusal, place: int, served: bool = False, parameter: str = ""
) -> EndpointError | ContextTooLongError:
    """A refusal that no further attempt changes; a wrong model name is for `no_model`.

    Args:
        spec: Of the model.
        refusal: From the endpoint.
        place: Of the request.
        served: Whether somebody waits for the answer, so that a rate limit was waited out for seconds only.
        parameter: What of the request the refusal is about; empty when it is not known.
    """
    quoted = f"HTTP {refusal.status}" + (f", {refusal.text}" if refusal.text else "")
    if UNREADABLE in refusal.code:
        quoted = refusal.text
    if refusal.too_long:
        return ContextTooLongError(
            f"{describe_model(spec)}: request {place + 1} is longer than the model takes: {quoted}",
            f"set context_tokens of {spec.name} in model.yaml to what the model has, or lower prompt.shots",
            place,
        )
    if refusal.status == 402 or (refusal.status != 404 and out_of_quota(f"{refusal.code} {refusal.text}")):
        return EndpointError(
            f"{describe_model(spec)}: the model {spec.called} cannot be asked, no credit or quota is left: {quoted}",
            f"look at the account's limits at the provider; then {_KEPT}",
        )
    if refusal.status in (401, 403) and not refusal.unexplained:
        return _wrong_key(spec, quoted)
    if refusal.status == 429 and served:
        return EndpointError(
            f"{describe_model(spec)}: too many requests, or no quota: {quoted}; a served model waits "
            f"{min(SERVED_WAIT_S, spec.rate_limit_wait_s):g} seconds at most",
            "ask again later, or ask for fewer texts at once",
        )
    if refusal.status == 429:
        return EndpointError(
            f"{describe_model(spec)}: "
            f"still too many requests, or no quota, within rate_limit_wait_s: {spec.rate_limit_wait_s:g}: {quoted}",
            f"wait, raise rate_limit_wait_s or lower concurrency of {spec.name} in model.yaml; then {_KEPT}",
        )
    if refusal.status >= 500 or refusal.status in _SENT_AGAIN:
        return EndpointError(
            f"{describe_model(spec)}: the server failed {spec.retries + 1} times: {quoted}; expected a chat completion",
            f"look at the server, then {_KEPT}",
        )
    mend = "look at the proxy or firewall before the endpoint" if refusal.is_page else _remedy(spec, parameter)
    return EndpointError(
        f"{describe_model(spec)}: the model {spec.called} cannot be asked: {quoted}", f"{mend}; then {_KEPT}"
    )


def _remedy(spec: LanguageModelSpec, parameter: str) -> str:
    """What to write in model.yaml about a parameter that a server refuses; empty names none."""
    where = f"{spec.name} under prompt.models in model.yaml"
    if parameter == "response_format":
        return f"declare structured: json_object, or none, for {where}"
    if parameter in ("max_tokens", "max_completion_tokens"):
        return (
            f"change max_output_tokens of {where}, or the parameter's name: `request: {{NAME: $max_output_tokens}}`, "
            "`request: {max_tokens: null}` for none"
        )
    if parameter == "temperature":
        return f"change temperature of {where}, or leave it out: `request: {{temperature: null}}`"
    if parameter in spec.request:
        return f"change {parameter} under request of {where}, or take it out"
    return f"mend {where} (request sets, renames or leaves out any parameter)"


def _wrong_key(spec: LanguageModelSpec, quoted: str) -> EndpointError:
    if spec.key_env is None:
        return EndpointError(
            f"{describe_model(spec)}: the endpoint wants a key and none is declared: {quoted}",
            f"put the key into an environment variable and name it as key_env of {spec.name} in model.yaml",
        )
    return EndpointError(
        f"{describe_model(spec)}: the key in {spec.key_env} is refused for the model {spec.called}: {quoted}",
        f"export {spec.key_env}=… with a key of this endpoint, then {_KEPT}",
    )


def no_model(spec: LanguageModelSpec, refusal: Refusal, offered: Sequence[str] | None) -> EndpointError:
    """The endpoint has no such model.

    Args:
        spec: What was declared.
        refusal: From the endpoint.
        offered: Models that it lists; None when it does not.
    """
    if offered is None:
        return EndpointError(
            f"{describe_model(spec)}: "
            f"no model {spec.called}, or no such address: HTTP {refusal.status}, {refusal.text}; it lists no "
            f"models below {urlsplit(spec.endpoint or '').path or '/'} either",
            f"let endpoint of {spec.name} in model.yaml end as the API's base URL does, mostly in /v1",
        )
    if spec.called in offered:
        return EndpointError(
            f"{describe_model(spec)}: it lists {spec.called} and has it not: HTTP {refusal.status}, {refusal.text}",
            f"compare endpoint of {spec.name} in model.yaml with the provider's example, a query such as ?api-version= "
            "included",
        )
    near = sorted(offered, key=lambda name: -SequenceMatcher(None, spec.called, name).ratio())[:_MOST_NAMES]
    more = f" and {len(offered) - len(near)} more" if len(offered) > len(near) else ""
    return EndpointError(
        f"{describe_model(spec)}: no model {spec.called}: {refusal.text}; it offers {', '.join(near) or 'none'}{more}",
        f"name one of them as model of {spec.name} in model.yaml",
    )


def unreachable(spec: LanguageModelSpec, error: APIConnectionError, key: str | None = None) -> EndpointError:
    """No answer at all, or none in time."""
    cause = error.__cause__
    late, message = "Timeout" in type(cause).__name__, str(cause) or type(cause).__name__
    message = without_key(message, key) if key else message
    attempts = counted(spec.retries + 1, "attempt")
    if late:
        return EndpointError(
            f"{describe_model(spec)}: no whole answer within timeout_s: {spec.timeout_s:g} in {attempts}",
            f"raise timeout_s of {spec.name} in model.yaml or lower its concurrency; then {_KEPT}",
        )
    return EndpointError(
        f"{describe_model(spec)}: does not answer ({attempts}): {message}; expected an OpenAI-compatible server",
        f"start it, or mend endpoint of {spec.name} in model.yaml; then {_KEPT}",
    )
