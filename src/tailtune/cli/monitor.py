"""What `tailtune monitor` does: look at what a version answered, draw it, tell MLflow, and raise or clear alerts."""

from __future__ import annotations

from pathlib import Path

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.monitored import MonitorReport
from tailtune.operations.nightly import LookOptions, watch


def print_look(paths: Paths, use_case: str, options: LookOptions) -> MonitorReport:
    """Look, and print what was seen.

    Raises:
        UsageError: There is no such version or window, or nothing was logged.
        MissingInputError: The version has no reference, and none can be made here.
        ServiceError: The tracking store or the prediction log does not answer.
    """
    from tailtune.report.terminal.console import PrintableConsole
    from tailtune.report.terminal.monitored import monitored
    from tailtune.report.terminal.progress import ConsoleProgress

    settings = Settings()
    with ConsoleProgress("monitor", f"look at what {use_case} answered", settings.progress) as progress:
        looked = watch(paths, settings, use_case, options, progress)
    PrintableConsole().print(monitored(looked.report, paths.shown(looked.page)))
    return looked.report


def texts_of(file: Path, column: str) -> list[str]:
    """The texts of a CSV, JSONL or Parquet file.

    Raises:
        DataError: The file has no such column, or cannot be read.
    """
    from tailtune.services import sources

    lines, faults = sources.records(file, (column,), (), str(file), f"--text-column names the column of {file}")
    faults.raise_any()
    return [sources.as_written(values[column]) for _, values in lines]
