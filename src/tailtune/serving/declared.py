"""What a use case declares of its server, as the plan that its workers are handed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tailtune.config.endpoints import VARIABLE, Address, declared_addresses
from tailtune.config.paths import Paths
from tailtune.config.prices import TokenPrice, load_prices
from tailtune.config.settings import THREAD_COUNTS, Settings
from tailtune.core.errors import Fault, SpecError, UsageError
from tailtune.core.loopback import is_loopback
from tailtune.serving.follower import Registry
from tailtune.serving.plan import Limits, ServerPlan, Upstream
from tailtune.serving.tokens import clients
from tailtune.tasks.use_case import UseCase


def tokens_file(paths: Paths, use_case: str) -> Path:
    """Where the hashes of a use case's bearer tokens are."""
    return paths.serving / use_case / "tokens.json"


def plan_of(case: UseCase, settings: Settings, threads: int = 1, is_open: bool = False) -> ServerPlan:
    """The plan of a server.

    Args:
        case: The use case.
        settings: Where its log is.
        threads: Texts that a worker answers at the same time.
        is_open: Whether somebody said that anybody may ask without a token.

    Raises:
        SpecError: What is declared does not fit together.
    """
    spec, project = case.spec.serve, case.paths.project
    limits = spec.limits.model_dump()
    tokens, prices = tokens_file(project, case.name), load_prices(project).tokens
    has_tokens = bool(clients(tokens))
    return ServerPlan(
        use_case=case.name,
        task=case.spec.task,
        state=project.serving / case.name,
        spool=settings.spool_folder(project) / case.name,
        threads=threads,
        limits=Limits(body_bytes=limits.pop("body_kb") * 1024, **limits),
        text_from=spec.text_from,
        upstream=_upstream(case, settings.endpoints, prices),
        max_usd_per_day=spec.max_usd_per_day,
        prices=prices,
        shadow_share=spec.shadow_share,
        tokens=tokens if has_tokens else None,
        only_this_machine=not (has_tokens or is_open),
        scrub_pii=case.spec.curate.scrub_pii,
        keep_text=spec.log.text,
        keep_embeddings=spec.log.embeddings,
        slices=tuple(case.spec.data.slices),
    )


def registry_of(case: UseCase, settings: Settings) -> Registry:
    """Where the server's versions are looked up."""
    project, spec = case.paths.project, case.spec.serve
    aliases = {"champion": spec.alias} | ({"challenger": spec.challenger} if spec.shadow_share else {})
    return Registry(
        settings.resolved_tracking_uri(project),
        case.model,
        aliases,  # type: ignore[arg-type]
        project.fetched_versions,
    )


def worker_environment(case: UseCase) -> dict[str, str]:
    """One thread for each sum, so that a text gets the same digits everywhere; and which endpoints may be asked.

    Those are the models of model.yaml, besides what the environment lists.
    """
    listed = declared_addresses(case.spec.prompt.models, os.environ.get(VARIABLE))
    endpoints = {VARIABLE: " ".join(sorted(str(address) for address in listed))} if listed else {}
    return dict.fromkeys(THREAD_COUNTS, "1") | endpoints


def require_safe(host: str, plan: ServerPlan, is_open: bool) -> None:
    """Refuse to serve other machines without tokens, unless somebody says so.

    Raises:
        UsageError: Anybody in the network could ask.
    """
    if plan.tokens is None and not is_open and not is_loopback(host):
        raise UsageError(
            f"--host {host}: other machines could ask, and no token is needed",
            f"tailtune token add {plan.use_case} CLIENT, or --no-token where something else keeps strangers out",
        )


def _upstream(case: UseCase, endpoints: str | None, prices: Mapping[str, TokenPrice]) -> Upstream | None:
    """The model that requests are passed through to.

    Args:
        case: The use case.
        endpoints: Those that the environment lists.
        prices: Of tokens.

    Raises:
        SpecError: It is not declared as it must be.
    """
    spec, where = case.spec.serve, case.paths.project.shown(case.paths.model_yaml)
    hint = f"tailtune check {case.name}"
    if spec.passthrough is None:
        if spec.max_usd_per_day is not None and not declared_addresses(case.spec.prompt.models, endpoints):
            fault = "serve.max_usd_per_day: nothing costs money without serve.passthrough or a prompted model"
            raise SpecError([Fault(where, fault)], hint)
        return None
    model = next((model for model in case.spec.prompt.models if model.name == spec.passthrough), None)
    if model is None or model.endpoint is None:
        names = ", ".join(each.name for each in case.spec.prompt.models if each.endpoint) or "none"
        fault = f"serve.passthrough: expected a model of prompt.models with an endpoint ({names})"
        raise SpecError([Fault(where, fault)], hint)
    price = prices.get(model.price or "")
    if spec.max_usd_per_day is not None and price is None:
        fault = f"serve.max_usd_per_day: what {model.name} costs is not known; name its price (prompt.models.price)"
        raise SpecError([Fault(where, fault)], hint)
    return Upstream(
        name=model.name,
        model=model.called,
        endpoint=Address.of(model.endpoint, None).url,
        key_env=model.key_env,
        timeout_s=model.timeout_s,
        price=price,
    )
