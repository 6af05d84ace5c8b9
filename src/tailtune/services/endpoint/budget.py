"""What may be spent, held so that requests in flight cannot overrun it."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Hold:
    """One per request in flight: the most it may cost, put aside until its true cost is known.

    Attributes:
        usd: The most it may cost; 0 where no price is known, and then it limits nothing.
    """

    usd: float


class Purse:
    """A hard limit that several models and threads share.

    Before a request is sent, the most it may cost is put aside; a request is not sent while that does not fit, so that
    the sum of true costs stays below the limit, whatever is in flight. What was put aside and not spent comes back.
    Answers without usage, and requests that were sent and never answered, may have cost anything up to it, so for them
    it stays put aside.

    Args:
        max_usd: The limit, US dollars.

    Limit: as hard as the estimates are high; and what has no price limits nothing.
    """

    def __init__(self, max_usd: float) -> None:
        self.max_usd = float(max_usd)
        self._lock = threading.Lock()
        self._open: set[Hold] = set()
        self._spent_usd = 0.0
        self._kept_usd = 0.0
        self._unknown = 0
        self._lost = 0

    def hold(self, usd: float | None) -> Hold | None:
        """Put aside the most that a request may cost.

        Args:
            usd: That; None when there is no price.

        Returns:
            The hold; None when it does not fit now. When the purse is `busy` it may fit later.
        """
        with self._lock:
            if usd is not None and usd > self._left():
                return None
            held = Hold(usd or 0.0)
            self._open.add(held)
            return held

    def settle(self, held: Hold, usd: float | None) -> None:
        """A request was answered, for so much; None when its cost is not known."""
        with self._lock:
            self._open.remove(held)
            if usd is None:
                self._kept_usd += held.usd
                self._unknown += 1
            else:
                self._spent_usd += usd

    def release(self, held: Hold) -> None:
        """A request was not sent, or was refused: it costs nothing."""
        with self._lock:
            self._open.remove(held)

    def lose(self, held: Hold) -> None:
        """A request was sent and no answer came; the server may charge for it all the same."""
        with self._lock:
            self._open.remove(held)
            self._kept_usd += held.usd
            self._lost += 1

    def count(self, usd: float | None) -> None:
        """An answer was bought without this purse, for so much; None when its cost is not known."""
        with self._lock:
            if usd is None:
                self._unknown += 1
            else:
                self._spent_usd += usd

    @property
    def busy(self) -> bool:
        """Whether requests are in flight, so that some of what is put aside may come back."""
        with self._lock:
            return bool(self._open)

    @property
    def spent_usd(self) -> float | None:
        """What the answers cost; None when the cost of one is not known."""
        with self._lock:
            return None if self._unknown else self._spent_usd

    @property
    def left_usd(self) -> float:
        """What can still be put aside, at least 0."""
        with self._lock:
            return max(0.0, self._left())

    @property
    def lost_requests(self) -> int:
        """Requests that were sent and never answered. They are not in `spent_usd`."""
        with self._lock:
            return self._lost

    def _left(self) -> float:
        return self.max_usd - self._spent_usd - self._kept_usd - sum(held.usd for held in self._open)
