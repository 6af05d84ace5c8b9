"""The prediction log for reading, with all in it that is spooled by now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import BusyError
from tailtune.services.prediction_log.spool import spooled_bytes
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import move_spools


@contextmanager
def opened(paths: Paths, settings: Settings, use_case: str) -> Iterator[PredictionLog | None]:
    """The log, with all in it of a use case that is spooled by now; None where nothing was ever logged.

    Where a server is running, its own writer moves the spool.

    Raises:
        UsageError: The log's address leads nowhere, or a newer program made it.
        ServiceError: Its database does not answer.
    """
    url, folder = settings.prediction_log_url(paths), settings.spool_folder(paths) / use_case
    log = PredictionLog(url) if spooled_bytes(folder) else PredictionLog.existing(url)
    try:
        if log is not None:
            with suppress(BusyError):
                move_spools(log, folder)
        yield log
    finally:
        if log is not None:
            log.close()
