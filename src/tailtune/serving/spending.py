"""What passing requests through costs in a day: one sum for all workers, and a limit that none of them passes."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tailtune.core.money import Usd
from tailtune.core.private import private_file, private_folder


@dataclass(frozen=True)
class Reservation:
    """One per request that may cost money.

    Attributes:
        day: On which it was made, UTC.
        usd: What the request may cost at most.
    """

    day: str
    usd: Usd


class DailySpending:
    """One per server. A request reserves what it may cost at most; what it did cost takes the place of that.

    Args:
        file: The day and its sum; read and written under a lock, so that it holds over workers and restarts.
        limit: US dollars a day, UTC.
    """

    def __init__(self, file: Path, limit: Usd) -> None:
        private_folder(file.parent)
        private_file(file)
        self._file, self._limit = file, limit

    def reserve(self, usd: Usd) -> Reservation | None:
        """Set money aside; None where the day's limit would be passed, or nothing can be noted."""
        try:
            with self._locked() as (day, spent):
                if spent + usd > self._limit:
                    return None
                self._write(day, spent + usd)
                return Reservation(day, usd)
        except OSError:  # the disk is full or away: what cannot be counted is not spent
            return None

    def settle(self, reserved: Reservation, cost: Usd | None) -> None:
        """Put what a request cost in the place of what was reserved; an unknown cost is taken to be all of that.

        A request that ends on another day than it began on counts for the day on which it began.
        """
        with suppress(OSError), self._locked() as (day, spent):
            if cost is not None and day == reserved.day:
                self._write(day, max(0.0, spent - reserved.usd + cost))

    def add(self, usd: Usd | None) -> None:
        """Count what was spent without a reservation; nothing where it is not known."""
        with suppress(OSError), self._locked() as (day, spent):
            if usd is not None:
                self._write(day, spent + usd)

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be spent today."""
        return self.spent >= self._limit

    @property
    def spent(self) -> Usd:
        """US dollars of today, reservations included."""
        with self._locked() as (_, spent):
            return spent

    @contextmanager
    def _locked(self) -> Iterator[tuple[str, Usd]]:
        self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            yield self._read()
        finally:
            os.close(self._descriptor)

    def _read(self) -> tuple[str, Usd]:
        today = datetime.now(UTC).date().isoformat()
        try:
            kept = json.loads(os.pread(self._descriptor, 200, 0) or b"{}")
            spent = float(kept["usd"]) if kept.get("day") == today else 0.0
            return today, spent if math.isfinite(spent) else self._limit
        except (ValueError, KeyError, TypeError, AttributeError):  # torn: nothing more may be spent today
            return today, self._limit

    def _write(self, day: str, usd: Usd) -> None:
        line = json.dumps({"day": day, "usd": usd}).encode()
        if os.pwrite(self._descriptor, line, 0) == len(line):  # cut afterwards: a file that is torn is never empty
            os.ftruncate(self._descriptor, len(line))
