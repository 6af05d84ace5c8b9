"""When a model is trained anew by itself: the section `retrain` of model.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tailtune.config.strict import StrictSpec
from tailtune.core.retrains import PushStep


class RetrainSpec(StrictSpec):
    """When a retrain is worth it, and how it comes back. Read by `tailtune retrain`; no stage depends on it."""

    cooldown_days: float = Field(
        6.0,
        ge=0,
        le=366,
        description="Days after a retrain in which none starts by itself; a little less than the schedule's.",
    )
    next_chance_days: float = Field(
        7.0, gt=0, le=366, description="Days until the next retrain may start: what errors cost until then is reckoned."
    )
    min_new_labels: int = Field(
        50,
        ge=1,
        description="Labels to learn from that people gave since the last version, from which on they start a retrain; "
        "drift wants as many since a week before it was found. Audited rows are test rows and do not count.",
    )
    labels_from: str | None = Field(
        None,
        min_length=1,
        description="Folder, relative to the checkout, whose CSV, JSONL and Parquet files hold right answers as "
        "`tailtune feedback --from` takes them.",
    )
    push: tuple[PushStep, ...] = Field(
        (),
        description="What leaves the machine after a retrain: `dvc` (rows and models, to the DVC remote), `branch` and "
        "`tag` (to the git remote that `git push` would use). What could not be pushed is made up for later.",
    )
    result: Literal["branch", "files"] = Field(
        "branch",
        description="How a retrain comes back: as a commit on a branch of its own, or as files in a folder. Without "
        "git always as files.",
    )
