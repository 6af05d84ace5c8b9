"""What a piece of work used: wall time, processor time, memory."""

from __future__ import annotations

import resource
import time
from contextlib import suppress
from pathlib import Path

from tailtune.core.money import Usd
from tailtune.core.records import Cost


class Meter:
    """One per stage run; starts counting when made.

    Several stages share a process, so its peak of memory is counted from now on where the system can (Linux).
    """

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._cpu = _cpu_s()
        self._children_kib = _peak_kib(resource.RUSAGE_CHILDREN)
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    @property
    def wall_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._wall

    def cost(self, machine_hour_usd: Usd | None) -> Cost:
        """What was used until now.

        Args:
            machine_hour_usd: Price of the machine for an hour; None leaves the dollars unknown.

        Returns:
            The cost. Memory is the peak of this process and of a child that was larger, in MiB.
        """
        wall = self.wall_s
        peak_kib, children_kib = _peak_kib(resource.RUSAGE_SELF), _peak_kib(resource.RUSAGE_CHILDREN)
        if children_kib > self._children_kib:
            peak_kib = max(peak_kib, children_kib)
        usd = None if machine_hour_usd is None else wall * machine_hour_usd / 3600
        return Cost(
            wall_s=round(wall, 3),
            cpu_s=round(_cpu_s() - self._cpu, 3),
            peak_memory_mb=round(peak_kib / 1024, 1),
            usd=usd,
        )


def _peak_kib(who: int) -> int:
    return resource.getrusage(who).ru_maxrss


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
