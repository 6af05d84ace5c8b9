"""What passing requests through costs in a day: one sum for all workers, and a limit that none of them passes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tailtune.core.money import Usd
from tailtune.core.private import private_file, private_folder


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

    def reserve(self, usd: Usd) -> bool:
        """Set money aside; False where the day's limit would be passed."""
        with self._locked() as (day, spent):
            if spent + usd > self._limit:
                return False
            self._write(day, spent + usd)
            return True

    def settle(self, reserved: Usd, cost: Usd | None) -> None:
        """Put what a request cost in the place of what was reserved; an unknown cost is taken to be all of that."""
        if cost is not None:
            with self._locked() as (day, spent):
                self._write(day, max(0.0, spent - reserved + cost))

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
        self._descriptor = os.open(self._file, os.O_RDWR)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            yield self._read()
        finally:
            os.close(self._descriptor)

    def _read(self) -> tuple[str, Usd]:
        today = datetime.now(UTC).date().isoformat()
        try:
            kept = json.loads(os.pread(self._descriptor, 200, 0) or b"{}")
            return today, float(kept["usd"]) if kept.get("day") == today else 0.0
        except (ValueError, KeyError, TypeError, AttributeError):  # torn: nothing more may be spent today
            return today, self._limit

    def _write(self, day: str, usd: Usd) -> None:
        line = json.dumps({"day": day, "usd": usd}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, line, 0)
