"""What a verdict is made of, as plain values: measured rungs, labels, cadence, prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tailtune.core.encoders import Reading
from tailtune.core.label_noise import LabelNoise
from tailtune.core.money import Usd
from tailtune.core.records import Split
from tailtune.core.reports import CurvePoint, DiagnoseReport, RungResult
from tailtune.judge.economics import Cadence, CostInputs

STRONGER = "a stronger model (none with role: strong is declared in prompt.models)"
"""Named as not measured as long as no model of that role is declared."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One per use case and moment: everything the verdict is made of.

    Attributes:
        rungs: Measured rungs, cheapest first, prompted ones after local ones; at least one. None ignores the text.
        curve: A cheap rung by number of train rows, ascending.
        train_rows: Good labelled rows after curation, dev and test not counted.
        estimated_usd: What training is expected to cost; None when no price is declared.
        unmeasured: What could not be measured and could change the verdict, in words.
        narrow: What is known of the answers' format, in words.
        cadence: How often behaviour must change.
        diagnosis: Whose fault the best prompt's failures are; None when there was none to diagnose.
        reading: How much of the texts the encoder can read; None when it was not measured.
        inputs: Volume and prices; None when no volume is declared, and then nothing is weighed in dollars.
        line: The best of what answers every text alike, which every rung must beat; None when none was measured.
        labels: How many dev labels look wrong; None where labels were not checked.
        unprompted: Whether it was decided to prompt no language model.
        split: Whose rows the figures of the rung in question are of: dev, or test once it was opened.
    """

    rungs: Sequence[RungResult]
    curve: Sequence[CurvePoint]
    train_rows: int
    estimated_usd: Usd | None
    unmeasured: tuple[str, ...]
    narrow: str = ""
    cadence: Cadence = field(default_factory=Cadence)
    diagnosis: DiagnoseReport | None = None
    reading: Reading | None = None
    inputs: CostInputs | None = None
    line: RungResult | None = None
    labels: LabelNoise | None = None
    unprompted: bool = False
    split: Split = "dev"

    @property
    def looks(self) -> int:
        """Rungs that were looked at on the same rows."""
        return max(1, len(self.rungs))

    @property
    def provisional(self) -> str:
        """Why a verdict on this is provisional, in words; empty when it is not."""
        others = [what for what in self.unmeasured if what != STRONGER]
        why = ["no stronger model was asked"] if STRONGER in self.unmeasured else []
        return "; ".join([*why, *([f"not measured: {'; '.join(others)}"] if others else [])])
