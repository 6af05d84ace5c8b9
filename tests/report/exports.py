"""Reports of an export: what passed at once, what had to be less reduced, and what needs no encoder."""

from __future__ import annotations

from tailtune.core.encoders import ExportedModel, Parity
from tailtune.core.records import Estimate

from .basics import estimate

FILES = {"int8": 23.4, "int8-mixed": 34.0, "fp32": 90.3}


def parity(
    weights: str, same: float, lost: float, rows: int, passed: bool = True, objects: float | None = None
) -> Parity:
    """A try: share of 5,000 texts, or of their fields, answered alike, and what was lost on dev, 0 to 1."""
    wholly = None if objects is None else estimate(objects, 5000)
    texts = f"the same answer on {same * 100:.1f} % of 5,000 texts"
    if wholly is not None:
        texts = f"the same value in {same * 100:.1f} % of fields with one"
        texts += f" ({wholly.value * 100:.1f} % of 5,000 objects in every field)"
    return Parity(
        weights=weights,
        same=estimate(same, 5000),
        same_objects=wholly,
        difference=Estimate(value=-lost, low=-lost - 0.004, high=0.004 - lost, rows=rows),
        passed=passed,
        reason=texts if passed else f"{texts}, less than 99.0 %",
    )


def exported(name: str, title: str, *tries: Parity) -> ExportedModel:
    """A candidate as it was exported; without tries where answers would cost money."""
    last = tries[-1].weights if tries else "fp32"
    return ExportedModel(name=name, title=title, weights=last, megabytes=FILES[last], tries=tries)
