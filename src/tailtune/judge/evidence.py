"""What a verdict is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tailtune.core.reports import CurvePoint, DiagnoseReport, RungResult
from tailtune.judge.cadence import Cadence
from tailtune.judge.economy import Setting


@dataclass(frozen=True)
class Evidence:
    """One per use case and moment: everything the verdict is made of.

    Attributes:
        rungs: Measured rungs, cheapest first, prompted ones after local ones; at least one.
        curve: A cheap rung by number of train rows, ascending.
        train_rows: Good labelled rows after curation, dev and test not counted.
        estimated_usd: What training is expected to cost; None when no price is declared.
        unmeasured: What could not be measured and could change the verdict, in words.
        narrow: What is known of the answers' format, in words.
        cadence: How often behaviour must change.
        diagnosis: Whose fault the best prompt's failures are; None when there was none to diagnose.
        setting: Volume and prices; None when no volume is declared, and then nothing is weighed in dollars.
    """

    rungs: Sequence[RungResult]
    curve: Sequence[CurvePoint]
    train_rows: int
    estimated_usd: float | None
    unmeasured: tuple[str, ...]
    narrow: str = ""
    cadence: Cadence = field(default_factory=Cadence)
    diagnosis: DiagnoseReport | None = None
    setting: Setting | None = None
