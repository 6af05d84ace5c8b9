"""What `tailtune serve` and `tailtune token` do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from tailtune.config.paths import Paths
from tailtune.config.prices import load_prices
from tailtune.config.settings import Settings
from tailtune.core.ledger import Amount
from tailtune.core.money import known_product
from tailtune.core.process import free_cores
from tailtune.report.numbers import counted, share, usd
from tailtune.serving import tokens
from tailtune.serving.costs import ServingUse
from tailtune.serving.declared import plan_of, registry_of, require_safe, tokens_file, worker_environment
from tailtune.serving.plan import ServerPlan
from tailtune.serving.supervisor import open_socket, serve
from tailtune.tasks.use_case import UseCase, load_use_case


def serve_use_case(
    paths: Paths, name: str, host: str, port: int, workers: int, is_open: bool, say: Callable[[str], None]
) -> None:
    """Serve a use case until somebody ends it.

    Raises:
        SpecError: Its declaration has faults.
        UsageError: The address is taken, or open to others without a token.
        BusyError: It is served already.
    """
    case, settings = load_use_case(paths, name), Settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    plan = plan_of(case, settings, max(1, free_cores() // workers), is_open)
    require_safe(host, plan, is_open)
    listening = open_socket(host, port)
    for line in _shown(case, plan, f"[{host}]" if ":" in host else host, listening.getsockname()[1], workers):
        say(line)
    keep_days = case.spec.serve.log.keep_days
    url, environment = settings.prediction_log_url(paths), worker_environment(case)
    note = partial(_note, paths, case, settings)
    serve(plan, registry_of(case, settings), listening, workers, url, keep_days, environment, note, say)


def _shown(case: UseCase, plan: ServerPlan, host: str, port: int, workers: int) -> list[str]:
    """What a person has to know at the start."""
    where, spec = f"http://{host}:{port}", case.spec.serve
    passes = "nobody (serve.passthrough)" if plan.upstream is None else plan.upstream.name
    limit = plan.max_usd_per_day
    money = [] if limit is None else [f"  pays endpoints at most {usd(limit)} a day (UTC)"]
    needed = f"needed; {counted(len(tokens.clients(plan.tokens)), 'client')}" if plan.tokens else "not needed"
    shadow = f", {spec.challenger} in the shadow on {share(spec.shadow_share)}" if spec.shadow_share else ""
    return [
        f"{case.name}: {where}/predict   page {where}/docs   OpenAI clients base_url {where}/v1",
        f"  answers        the version called {spec.alias}{shadow}; {counted(workers, 'worker')}, "
        f"{counted(plan.threads, 'text')} at a time{' each' if workers > 1 else ''}",
        f"  passes through what no version answers: to {passes}",
        *money,
        f"  token          {needed} (tailtune token add {case.name} CLIENT)",
        f"  log            tailtune log {case.name}   counts {where}/metrics",
    ]


def _note(paths: Paths, case: UseCase, settings: Settings, use: ServingUse) -> None:
    """Note what serving used in the ledger, at today's prices.

    Raises:
        ServiceError: MLflow does not answer.
    """
    from tailtune.services.mlflow import connect
    from tailtune.services.mlflow import ledger as tracked

    prices, hours = load_prices(paths), use.cpu_s / 3600
    machine = known_product(prices.cpu_core_hour_usd, hours)
    cost = None if machine is None or use.unpriced else machine + use.usd + use.prompted_usd
    unpriced = f", {counted(use.unpriced, 'request')} at a price that is not known" if use.unpriced else ""
    paid = f"passed through {usd(use.usd)}, prompted version {usd(use.prompted_usd)}"
    note = f"{hours:.3g} core hours; {paid}{unpriced}"
    at = "" if prices.cpu_core_hour_usd is None else f"{prices.cpu_core_hour_usd:g} USD a core hour"
    tracker = connect(settings.resolved_tracking_uri(paths), case)
    tracked.add(tracker, "serving", Amount(), cost, note, at, int(time.time() * 1000))


def add_token(paths: Paths, name: str, client: str) -> list[str]:
    """Make a bearer token for a client."""
    load_use_case(paths, name)
    file = tokens_file(paths, name)
    before = tokens.clients(file)
    token = tokens.add_token(file, client)
    note = f"{client}'s token, shown this once: only its hash is kept."
    if client in before:
        return [token, f"{note} The one that it had before has ended."]
    return [token, note if before else f"{note} It is the first: start the server again."]


def remove_token(paths: Paths, name: str, client: str) -> list[str]:
    """End a client's token."""
    tokens.remove_token(tokens_file(paths, name), client)
    return [f"{client}'s token has ended"]
