"""An outcome of a retrain, to vary."""

from __future__ import annotations

from tailtune.core.retrains import Reckoning, RetrainDecision, RetrainOutcome

OUTCOME = RetrainOutcome(
    use_case="first",
    measure="accuracy",
    state="promoted",
    decision=RetrainDecision(
        because="hand",
        go=True,
        reason="by hand",
        worth_it=None,
        new_labels=3,
        reckoning=Reckoning(then=None, now=None, requests_per_day=None, error_usd=None, days=7),
    ),
    version="2",
    why="it is better",
    verdict_after="stay",
)
