"""Marks small enough for a table's cell. The numbers stand beside them."""

from __future__ import annotations

import math

from markupsafe import Markup

from tailtune.core.records import Estimate
from tailtune.core.reports import ClassResult
from tailtune.report.scale import Scale
from tailtune.report.svg import dot, line, tag


def strip(found: ClassResult) -> Markup:
    """The F1 of a label or field from 0 to 1 as a dot, the other candidate's as a ring."""
    if math.isnan(found.f1):
        return Markup("")
    parts = [line((5, 8), (115, 8), "grid")]
    if not math.isnan(found.f1_other):
        parts.append(line((5 + found.f1_other * 110, 8), (5 + found.f1 * 110, 8), "whisker"))
        parts.append(dot((5 + found.f1_other * 110, 8), 3.5, "ring"))
    parts.append(dot((5 + found.f1 * 110, 8), 4.5, "mark"))
    return tag("svg", *parts, viewBox="0 0 120 16", aria_hidden="true", class_="strip")


def whisker_strip(found: Estimate, scale: Scale, kind: str = "") -> Markup:
    """A share as a dot with its interval.

    Args:
        found: The share; nothing is drawn when it is NaN.
        scale: From end to end of the strip.
        kind: CSS class of the marks.
    """
    if math.isnan(found.value):
        return Markup("")

    def at(value: float) -> float:
        return 5 + min(max(scale.place(value), 0.0), 1.0) * 110

    parts = [line((5, 8), (115, 8), "grid")]
    if not (math.isnan(found.low) or math.isnan(found.high)):
        parts.append(line((at(found.low), 8), (at(found.high), 8), f"whisker {kind}"))
    parts.append(dot((at(found.value), 8), 4.5, f"mark {kind}"))
    return tag("svg", *parts, viewBox="0 0 120 16", aria_hidden="true", class_="strip")
