"""What `tailtune log` does: show what servers answered, and where it is kept."""

from __future__ import annotations

import time

from tailtune.cli.shadow import compared
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.days import DAY_US
from tailtune.tasks.use_case import load_use_case

_SHOWN = ("at_us", "route", "version", "request_id", "answer", "confidence", "latency_ms", "text", "text_hash")
_DAYS = 14
NOTHING = "nothing is logged yet"


def print_log(paths: Paths, use_case: str, last: int) -> None:
    """Print the last rows, the last 14 days and where the rows are.

    Raises:
        UsageError: The log's address leads nowhere, or a newer program made it.
        ServiceError: Its database does not answer.
    """
    from tailtune.report.terminal.console import PrintableConsole
    from tailtune.report.terminal.logged import LogView, logged
    from tailtune.services.prediction_log.opening import opened
    from tailtune.services.prediction_log.writer import counts

    case, settings = load_use_case(paths, use_case), Settings()
    folder = settings.spool_folder(paths) / use_case
    with opened(paths, settings, use_case) as log:
        where = None if log is None else counts(log, folder, use_case)
        if log is None or where is None or not where.answered:
            print(f"{use_case}: {NOTHING}")
            return
        since_us = time.time_ns() // 1000 - _DAYS * DAY_US
        view = LogView(
            use_case=use_case,
            counts=where,
            days=log.days(use_case, since_us),
            not_logged=log.not_logged(use_case, since_us),
            last=log.last(use_case, last, _SHOWN),
            address=log.shown.replace(f"{paths.root}/", ""),
            size_bytes=log.size_bytes(),
            keep_days=case.spec.serve.log.keep_days,
            compared=[compared(counts) for counts in log.shadowed(use_case, since_us)],
        )
    PrintableConsole().print(logged(view))
