"""A worker process: `python -m tailtune.serving.worker PLAN FD` serves on a socket that the supervisor has opened.

No torch, transformers, pandas or MLflow is loaded here; a test holds that.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.config.settings import quiet_environment

if TYPE_CHECKING:
    from tailtune.serving.app import App
    from tailtune.serving.plan import ServerPlan


def main(plan_file: str, descriptor: int) -> None:
    """Serve until a signal ends it: SIGTERM answers what has come in, then ends."""
    quiet_environment()
    import socket

    import uvicorn

    from tailtune.serving.connections import bounded
    from tailtune.serving.plan import ServerPlan

    sys.setswitchinterval(0.0005)  # the thread that answers must not wait 5 ms for the one that reads requests
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s")
    plan = ServerPlan.model_validate_json(Path(plan_file).read_text(encoding="utf-8"))
    parent = os.getppid()

    async def follow_supervisor() -> None:
        if os.getppid() != parent:  # it was killed: nobody would follow the registry or move the log
            os.kill(os.getpid(), signal.SIGTERM)

    config = uvicorn.Config(
        build(plan),
        http=bounded(plan.limits),
        lifespan="on",
        ws="none",
        callback_notify=follow_supervisor,
        timeout_notify=1,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=30,
        backlog=2048,
    )
    # The socket itself, not its number: uvicorn would take it for a UNIX socket, and leave Nagle's algorithm on.
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def build(plan: ServerPlan) -> App:
    """The application of a plan: what a worker serves."""
    from tailtune.serving.app import App
    from tailtune.serving.counters import Counters

    counters = Counters(plan.metrics)  # first: it says where prometheus_client counts
    from tailtune.services.prediction_log import Spool
    from tailtune.serving.current import Versions
    from tailtune.serving.gateway import Gateway
    from tailtune.serving.prompted import Connecting
    from tailtune.serving.service import Service
    from tailtune.serving.spending import DailySpending, ServedBudget

    limit = plan.max_usd_per_day
    day = None if limit is None else DailySpending(plan.state / "spending.json", limit)
    connecting = Connecting(plan, ServedBudget(day, counters.paid_for(counters.prompted_usd)))
    versions = Versions(plan.current, plan.limits.queue_rows, plan.threads, counters.refused.inc, connecting)
    passing = ServedBudget(day, counters.paid_for(counters.usd))
    gateway = None if plan.upstream is None else Gateway(plan.upstream, passing, plan.limits.passing)
    spool = Spool(plan.spool)

    async def close() -> None:
        await versions.close()
        if gateway is not None:
            await gateway.close()
        spool.close()

    return App(plan, Service(plan, versions, gateway, spool, counters), versions, counters, close)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
