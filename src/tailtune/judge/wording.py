"""Figures as the reasons of gates tell them."""

from __future__ import annotations

from math import floor, log10

from tailtune.core.records import Estimate


def pct(estimate: Estimate) -> str:
    """`93.1 % (92.2–93.9)`."""
    return f"{estimate.value * 100:.1f} % ({estimate.low * 100:.1f}–{estimate.high * 100:.1f})"


def usd(value: float) -> str:
    """`$1,240`, `−$3.20`, `$0.0012`: two digits below a dollar, no cents from a hundred dollars up."""
    size = abs(value)
    if size >= 99.5:
        text = f"{size:,.0f}"
    elif size >= 1 or size == 0:
        text = f"{size:.2f}"
    else:
        text = f"{size:.{1 - floor(log10(size))}f}"
    return f"{'−' if value < 0 else ''}${text}"


def usd_between(estimate: Estimate) -> str:
    """`$5,020 (−$310 to $11,930)`."""
    return f"{usd(estimate.value)} ({usd(estimate.low)} to {usd(estimate.high)})"


def points(estimate: Estimate) -> str:
    """A difference of shares: `+1.2 points (+0.4 to +2.1)`."""
    return f"{estimate.value * 100:+.1f} points ({estimate.low * 100:+.1f} to {estimate.high * 100:+.1f})"


def months(count: int) -> str:
    """`1 month`, `12 months`."""
    return f"{count} month" if count == 1 else f"{count} months"
