"""What a server counts, over all its processes: Prometheus metrics, kept in files so that a killed worker loses none.

Rows are texts. `received = answered + shed + failed`, and `answered = stored + spooled + not logged`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tailtune.core.errors import TailTuneError
from tailtune.core.money import Usd

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Counters:
    """One per process; `text` adds up those of all processes.

    Args:
        folder: Where all processes of a server count.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[_FOLDER] = str(folder)
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

        # The library decides when it is imported, which somebody else may have done before.
        values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]

        self._folder, registry = folder, CollectorRegistry()

        def counter(name: str, meaning: str, *labels: str) -> Any:
            return Counter(f"tailtune_{name}", meaning, labels, registry=registry)

        self.received = counter("received_rows", "Texts that came in; an unreadable request counts as one.", "endpoint")
        self.answered = counter("answered_rows", "Texts that were answered.", "route", "version")
        self.shed = counter("shed_rows", "Texts that were refused or given up because too much waits.", "reason")
        self.failed = counter("failed_rows", "Texts without an answer for any other reason.", "reason")
        self.logged = counter("logged_rows", "Answered texts that went into the spool.")
        self.stored = counter("stored_rows", "Answered texts that reached the prediction log.")
        self.not_logged = counter("not_logged_rows", "Answered texts that could not be logged.")
        self.feedback = counter("feedback", "Right answers that people sent.")
        self.usd = counter("passed_through_usd", "US dollars of requests that were passed through, where known.")
        self.prompted_usd = counter("prompted_usd", "US dollars of answers of prompted versions, where known.")
        self.unpriced = counter("unpriced_rows", "Requests to an endpoint whose price is not known.")
        self.cpu = counter("cpu_seconds", "Processor time of the workers.")
        self.shadowed = counter("shadowed_rows", "Texts that a challenger answered too.", "version", "agrees")
        self.refused = counter("refused_versions", "Versions that did not load or answer.")
        self.seconds = Histogram(
            "tailtune_answer_seconds", "From request to answer.", ("route",), buckets=_SECONDS, registry=registry
        )
        self.waiting = Gauge(
            "tailtune_waiting_rows", "Texts that wait for their answer.", registry=registry, multiprocess_mode="livesum"
        )
        self.version = Gauge(
            "tailtune_version",
            "Number of the registered version that answers; 0 for none.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.seconds.labels("model")
        self._take_room()

    def paid_for(self, usd: Any) -> Callable[[Usd | None], None]:
        """Counts what a request to an endpoint cost: with `usd`, or as one whose price is not known."""
        return lambda cost: self.unpriced.inc() if cost is None else usd.inc(cost)

    def _take_room(self) -> None:
        """Have the disk's blocks now: a page of a mapped file that finds no room later would end the process.

        Raises:
            TailTuneError: The disk is full.
        """
        for file in self._folder.glob(f"*_{os.getpid()}.db"):
            descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)
            except OSError as error:
                raise TailTuneError(f"{file}: {error.strerror or error}", "make room, then start again") from error
            finally:
                os.close(descriptor)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format, those of ended processes included."""
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess

        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        text: bytes = generate_latest(registry)
        logged, stored = _sums(text.decode(), "logged_rows", "stored_rows")
        waiting = max(0.0, logged - stored)  # the writer may be quicker than this sum
        return (
            text
            + (
                "# HELP tailtune_spooled_rows Answered texts in the spool, on their way to the prediction log.\n"
                f"# TYPE tailtune_spooled_rows gauge\ntailtune_spooled_rows {waiting}\n"
            ).encode()
        )

    def sums(self, *names: str) -> list[float]:
        """Counts without labels, over all processes."""
        return _sums(self.text().decode(), *names)

    def forget(self, pid: int) -> None:
        """Let the gauges of a process that has ended go; its counts stay."""
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(pid, str(self._folder))  # type: ignore[no-untyped-call]


def _sums(text: str, *names: str) -> list[float]:
    values = dict(line.rpartition(" ")[::2] for line in text.splitlines() if not line.startswith("#"))
    return [float(values.get(f"tailtune_{name}_total", 0.0)) for name in names]
