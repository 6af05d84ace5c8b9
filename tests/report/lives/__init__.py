"""Four whole lives with prompted models: stay, fine-tune, not yet, and an extraction. Their numbers agree."""

from __future__ import annotations

from .extracting import extraction
from .staying import stay
from .tuning import tune
from .waiting import not_yet

LIVES = {"stay": stay, "tune": tune, "not-yet": not_yet, "extraction": extraction}
__all__ = ["LIVES", "extraction", "not_yet", "stay", "tune"]
