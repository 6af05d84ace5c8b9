"""What serving costs, noted in the ledger now and then: processor time, and what endpoints were paid."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import astuple, dataclass
from threading import Event

from tailtune.core.money import Usd
from tailtune.serving.counters import Counters

_EVERY_S = 3600.0
_LEAST_CPU_S = 60.0
log = logging.getLogger("tailtune.serving")


@dataclass(frozen=True)
class ServingUse:
    """One per entry of the ledger: what was used since the entry before.

    Attributes:
        cpu_s: Processor time of the workers, seconds.
        usd: Paid for requests that were passed through, where it is known.
        unpriced: Requests to endpoints whose price is not known.
        prompted_usd: Paid for answers of prompted versions, where it is known.
    """

    cpu_s: float
    usd: Usd
    unpriced: int
    prompted_usd: Usd = 0.0


class CostNotes:
    """Notes what was used, every hour and at the end; a ledger that is away gets it the next time.

    Args:
        counters: Of the server.
        note: Writes into the ledger.
    """

    def __init__(self, counters: Counters, note: Callable[[ServingUse], None]) -> None:
        self._counters, self._note = counters, note
        self._noted = ServingUse(0.0, 0.0, 0)

    def keep_noting(self, ended: Event) -> None:
        """Note every hour until it is time to end."""
        while not ended.wait(_EVERY_S):
            self.note()

    def note(self) -> None:
        """Note what was used since the last time; less than a minute and nothing paid is nothing."""
        cpu_s, usd, unpriced, prompted_usd = self._counters.sums(
            "cpu_seconds", "passed_through_usd", "unpriced_rows", "prompted_usd"
        )
        before, all_of_it = self._noted, ServingUse(cpu_s, usd, round(unpriced), prompted_usd)
        use = ServingUse(*(now - then for now, then in zip(astuple(all_of_it), astuple(before), strict=True)))
        if use.cpu_s < _LEAST_CPU_S and not use.usd and not use.unpriced and not use.prompted_usd:
            return
        try:
            self._note(use)
        except Exception as error:  # whatever it is, it must not end the server
            log.warning("what serving costs could not be noted in the ledger: %s", error)
            return
        self._noted = all_of_it
