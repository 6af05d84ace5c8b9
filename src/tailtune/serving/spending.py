"""What endpoints are paid in a day: one sum for all workers, and a limit that none of them passes."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tailtune.core.money import Usd
from tailtune.core.private import private_file, private_folder
from tailtune.services.endpoint import Budget, Reservation

_OTHER_DAYS = 3
"""Days besides today whose sums are kept."""


@dataclass(eq=False, slots=True)
class DayReservation(Reservation):
    """One per request that may cost money.

    Attributes:
        day: On which it was made, UTC.
    """

    day: str


class DailySpending:
    """One per server. A request reserves what it may cost at most; what it did cost takes the place of that.

    Threads may share it.

    Args:
        file: The last days with their sums, so that a clock that is set forth and back opens no day's money twice; read
            and written under a lock, so that it holds over workers and restarts.
        limit: US dollars a day, UTC.
    """

    def __init__(self, file: Path, limit: Usd) -> None:
        private_folder(file.parent)
        private_file(file)
        self._file, self.limit = file, limit

    def reserve(self, usd: Usd) -> DayReservation | None:
        """Set money aside; None where the day's limit would be passed, or nothing can be noted."""
        try:
            with self._locked() as today:
                if today.spent + usd > self.limit:
                    return None
                today.write(today.spent + usd)
                return DayReservation(usd, today.day)
        except OSError:  # the disk is full or away: what cannot be counted is not spent
            return None

    def settle(self, reserved: DayReservation, cost: Usd | None) -> None:
        """Put what a request cost in the place of what was reserved; an unknown cost is taken to be all of that.

        A request that ends on another day than it began on counts for the day on which it began.
        """
        with suppress(OSError), self._locked() as today:
            if cost is not None and today.day == reserved.day:
                today.write(max(0.0, today.spent - reserved.usd + cost))

    @property
    def spent(self) -> Usd:
        """US dollars of today, reservations included."""
        with self._locked() as today:
            return today.spent

    @contextmanager
    def _locked(self) -> Iterator[_Today]:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield self._read(descriptor)
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int) -> _Today:
        day = datetime.now(UTC).date().isoformat()
        try:
            kept = json.loads(os.pread(descriptor, 500, 0) or b"{}")
            if "day" in kept:  # as written by earlier versions, which kept one day
                kept = {kept["day"]: kept["usd"]}
            days = {str(each): float(usd) for each, usd in kept.items()}
            spent = days.pop(day, 0.0)
            return _Today(descriptor, day, spent if math.isfinite(spent) else self.limit, days)
        except (ValueError, KeyError, TypeError, AttributeError):  # torn: nothing more may be spent today
            return _Today(descriptor, day, self.limit, {})


@dataclass(frozen=True)
class _Today:
    """One per time that the file is locked.

    Attributes:
        others: Other days and their sums, that which was written last at the end.
    """

    descriptor: int
    day: str
    spent: Usd
    others: dict[str, Usd]

    def write(self, usd: Usd) -> None:
        line = json.dumps({**dict(list(self.others.items())[-_OTHER_DAYS:]), self.day: usd}).encode()
        if os.pwrite(self.descriptor, line, 0) == len(line):  # cut afterwards: a file that is torn is never empty
            os.ftruncate(self.descriptor, len(line))


class ServedBudget(Budget):
    """Who pays for a server's answers: each is counted, and within the day's limit where there is one.

    Somebody waits for each answer, so nothing waits for money that may come back.

    Args:
        day: The day's sum; None without a limit.
        on_cost: Called with what a request cost; None where that is not known.
    """

    def __init__(self, day: DailySpending | None, on_cost: Callable[[Usd | None], None]) -> None:
        super().__init__(math.inf if day is None else day.limit)
        self._day, self._on_cost = day, on_cost

    def reserve(self, usd: Usd | None) -> Reservation | None:
        """See `Budget`; where there is a limit, what has no price is not bought."""
        if self._day is None:
            return Reservation(usd or 0.0)
        return None if usd is None else self._day.reserve(usd)

    def settle(self, reservation: Reservation, usd: Usd | None, estimated: bool = False) -> None:
        """See `Budget`; of the day's money all that was reserved is taken to be spent where the cost is estimated."""
        self._settle(reservation, None if estimated else usd)
        self._on_cost(usd)

    def release(self, reservation: Reservation) -> None:
        """See `Budget`."""
        self._settle(reservation, 0.0)

    def lose(self, reservation: Reservation) -> None:
        """See `Budget`."""
        self.settle(reservation, None)

    def _settle(self, reservation: Reservation, usd: Usd | None) -> None:
        if self._day is not None and isinstance(reservation, DayReservation):
            self._day.settle(reservation, usd)

    def _left(self) -> float:
        return math.inf if self._day is None else self._day.limit - self._day.spent
