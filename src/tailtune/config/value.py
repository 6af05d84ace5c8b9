"""What an answer is worth and how often the task changes: the section `value` of model.yaml."""

from __future__ import annotations

from pydantic import Field

from tailtune.config.strict import StrictSpec
from tailtune.core.money import Usd


class ValueSpec(StrictSpec):
    """What the product gains. Read by decide and evaluate. What is null is not declared, and never guessed."""

    requests_per_day: float | None = Field(None, gt=0, description="Texts to answer in a day.")
    error_usd: Usd | None = Field(None, ge=0, description="What a wrong answer costs, US dollars.")
    horizon_months: int = Field(12, ge=1, le=120, description="Months over which costs are added up.")
    change_every_days: float | None = Field(
        None, gt=0, description="How often behaviour must change; where null, git is looked at, which forbids nothing."
    )
    prompt_hours_per_change: float = Field(1.0, ge=0, description="A person's hours for a change of the prompt.")
    retrain_hours_per_change: float = Field(2.0, ge=0, description="A person's hours for a retraining, labels aside.")
    new_labels_per_change: int = Field(100, ge=0, description="Rows labelled anew for a retraining.")
