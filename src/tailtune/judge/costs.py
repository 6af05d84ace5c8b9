"""What work is worth, from what it used. Unknown prices give None, never 0."""

from __future__ import annotations


def usd_per_1000(mean_ms: float, core_hour_usd: float | None) -> float | None:
    """US dollars for 1,000 rows answered one after the other on one busy core.

    Args:
        mean_ms: Mean milliseconds per row.
        core_hour_usd: Price of the core for an hour.

    Limit: idle time of a server that waits for requests is not in it.
    """
    return None if core_hour_usd is None else mean_ms * core_hour_usd / 3600


def training_usd(rows: int, epochs: int, rows_per_s: float, machine_hour_usd: float | None) -> float | None:
    """US dollars for passing rows through training, at a given pace."""
    if machine_hour_usd is None or rows_per_s <= 0:
        return None
    return rows * epochs / rows_per_s * machine_hour_usd / 3600
