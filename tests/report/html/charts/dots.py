"""Marks of a picture, as a test reads them."""

from __future__ import annotations

import re


def dots(svg: str, kind: str) -> list[tuple[float, float, float]]:
    """Centre and radius of the marks of a kind."""
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)" class="([^"]*)"', svg)
    return [(float(x), float(y), float(r)) for x, y, r, css in found if kind in css.split()]
