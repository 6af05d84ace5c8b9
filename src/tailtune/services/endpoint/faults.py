"""What goes wrong with an endpoint, told: where, what, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import BudgetReachedError, ContextTooLongError, EndpointError
from tailtune.services.endpoint.budget import Purse
from tailtune.services.endpoint.said import Said

if TYPE_CHECKING:
    from openai import APIConnectionError

_MOST_NAMES = 10
_KEPT = "run the same command again: what was answered is kept"


def host_of(spec: LanguageModelSpec) -> str:
    """Host and port of an endpoint, without a password that may stand before them."""
    return urlsplit(spec.endpoint or "").netloc.rpartition("@")[2]


def where(spec: LanguageModelSpec) -> str:
    """How errors name a model."""
    return f"{spec.name} at {host_of(spec)}"


def no_key(spec: LanguageModelSpec) -> EndpointError:
    """The variable with the key is not set."""
    return EndpointError(
        f"{where(spec)}: the environment variable {spec.key_env} is not set; expected the endpoint's key in it",
        f"export {spec.key_env}=…, then run the same command again",
    )


def odd_key(spec: LanguageModelSpec) -> EndpointError:
    """The variable with the key holds what no header can."""
    return EndpointError(
        f"{where(spec)}: the environment variable {spec.key_env} holds spaces or letters beyond ASCII; expected a key",
        f"export {spec.key_env}=…, then run the same command again",
    )


def out_of_money(spec: LanguageModelSpec, most_usd: float | None, purse: Purse) -> BudgetReachedError:
    """What is left is not enough for another request; the caller adds what was answered."""
    return BudgetReachedError(
        f"{where(spec)}: max_cost_usd is reached: the next request may cost {most_usd or 0.0:.6f} US dollars and "
        f"{purse.left_usd:.6f} of {purse.max_usd:g} are left",
        "raise prompt.max_cost_usd in model.yaml and run the same command again: what was answered is kept",
        {},
    )


def refused(spec: LanguageModelSpec, said: Said, place: int) -> EndpointError | ContextTooLongError:
    """A refusal that no further attempt changes; a wrong model name is told by `no_model`."""
    quoted = f"HTTP {said.status}" + (f", {said.text}" if said.text else "")
    if said.too_long:
        return ContextTooLongError(
            f"{where(spec)}: request {place + 1} is longer than the model takes: {quoted}",
            f"set context_tokens of {spec.name} in model.yaml to what the model has, or lower prompt.shots",
            place,
        )
    if said.status in (401, 403):
        return _wrong_key(spec, quoted)
    if said.status == 429:
        return EndpointError(
            f"{where(spec)}: still too many requests, or no quota, after {spec.retries + 1} attempts: {quoted}",
            f"wait, or lower concurrency of {spec.name} in model.yaml; then {_KEPT}",
        )
    if said.status >= 500:
        return EndpointError(
            f"{where(spec)}: the server failed {spec.retries + 1} times: {quoted}; expected a chat completion",
            f"look at the server, then {_KEPT}",
        )
    return EndpointError(
        f"{where(spec)}: the model {spec.called} cannot be asked: {quoted}",
        f"mend {spec.name} under prompt.models in model.yaml; then {_KEPT}",
    )


def _wrong_key(spec: LanguageModelSpec, quoted: str) -> EndpointError:
    if spec.key_env is None:
        return EndpointError(
            f"{where(spec)}: the endpoint wants a key and none is declared: {quoted}",
            f"put the key into an environment variable and name it as key_env of {spec.name} in model.yaml",
        )
    return EndpointError(
        f"{where(spec)}: the key in {spec.key_env} is refused for the model {spec.called}: {quoted}",
        f"export {spec.key_env}=… with a key of this endpoint, then {_KEPT}",
    )


def no_model(spec: LanguageModelSpec, said: Said, offered: Sequence[str] | None) -> EndpointError:
    """The endpoint has no such model.

    Args:
        spec: What was declared.
        said: What the endpoint said.
        offered: Models that it lists; None when it does not.
    """
    if offered is None:
        return EndpointError(
            f"{where(spec)}: no model {spec.called}, or no such address: HTTP {said.status}, {said.text}; it lists no "
            f"models below {urlsplit(spec.endpoint or '').path or '/'} either",
            f"let endpoint of {spec.name} in model.yaml end as the API's base URL does, mostly in /v1",
        )
    near = sorted(offered, key=lambda name: -SequenceMatcher(None, spec.called, name).ratio())[:_MOST_NAMES]
    more = f" and {len(offered) - len(near)} more" if len(offered) > len(near) else ""
    return EndpointError(
        f"{where(spec)}: no model {spec.called}: {said.text}; it offers {', '.join(near) or 'none'}{more}",
        f"name one of them as model of {spec.name} in model.yaml",
    )


def unreachable(spec: LanguageModelSpec, error: APIConnectionError, key: str | None = None) -> EndpointError:
    """No answer at all, or none in time."""
    cause = error.__cause__
    late, said = "Timeout" in type(cause).__name__, str(cause) or type(cause).__name__
    said = said.replace(key, "***") if key else said
    attempts = f"{spec.retries + 1} attempt{'s' if spec.retries else ''}"
    if late:
        return EndpointError(
            f"{where(spec)}: no whole answer within timeout_s: {spec.timeout_s:g} in {attempts}",
            f"raise timeout_s of {spec.name} in model.yaml or lower its concurrency; then {_KEPT}",
        )
    return EndpointError(
        f"{where(spec)}: does not answer ({attempts}): {said}; expected an OpenAI-compatible server",
        f"start it, or mend endpoint of {spec.name} in model.yaml; then {_KEPT}",
    )
