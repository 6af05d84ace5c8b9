"""What `tailtune serve` and `tailtune token` do."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.serving import tokens
from tailtune.serving.declared import plan_of, registry_of, require_safe, tokens_file, worker_environment
from tailtune.serving.supervisor import open_socket, serve
from tailtune.tasks.use_case import load_use_case


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
    plan = plan_of(case, settings)
    require_safe(host, plan, is_open)
    listening = open_socket(host, port)
    where = f"http://{host}:{listening.getsockname()[1]}"
    say(f"{name}: {where}  ({where}/docs, OpenAI clients: base_url {where}/v1)")
    if plan.tokens is not None:
        say("clients need a bearer token: tailtune token add")
    keep_days = case.spec.serve.log.keep_days
    url, environment = settings.prediction_log_url(paths), worker_environment(case)
    serve(plan, registry_of(case, settings), listening, workers, url, keep_days, environment, say)


def add_token(paths: Paths, name: str, client: str) -> list[str]:
    """Make a bearer token for a client."""
    load_use_case(paths, name)
    token = tokens.add_token(tokens_file(paths, name), client)
    note = f"{client}'s token, shown this once: only its hash is kept. Start the server again if this is its first."
    return [token, note]


def remove_token(paths: Paths, name: str, client: str) -> list[str]:
    """End a client's token."""
    tokens.remove_token(tokens_file(paths, name), client)
    return [f"{client}'s token has ended"]
