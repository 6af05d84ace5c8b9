"""What a stage is handed: the use case, its inputs, the folder to write into, and a way to show progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tailtune.config.paths import CasePaths, Paths
from tailtune.config.settings import Settings
from tailtune.core.money import Usd, known_sum
from tailtune.core.progress import Progress
from tailtune.lifecycle.inputs import Inputs
from tailtune.services.endpoint import Budget
from tailtune.services.mlflow import Tracker
from tailtune.tasks.use_case import UseCase


@dataclass(frozen=True)
class Context:
    """One per stage run.

    Attributes:
        stage: Name of the stage: which inputs it may read, and where its files end up.
        staging: An empty folder of the runner's; it takes the place of the stage's folder when the stage ends. None
            outside the runner: then the stage writes where its files end up.
    """

    case: UseCase
    settings: Settings
    progress: Progress
    tracker: Tracker
    stage: str = ""
    staging: Path | None = None
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    """Called by the runner once the report is safe: what must outlive a failure until then is removed here."""
    budgets: list[Budget] = field(default_factory=list)
    """Every budget that `language_models` has opened for this run."""

    @cached_property
    def inputs(self) -> Inputs:
        """Everything that the stage may read."""
        return Inputs(self.case, self.stage)

    @property
    def out(self) -> Path:
        """The folder that the stage writes into."""
        return self.case.paths.stage(self.stage) if self.staging is None else self.staging

    def shown(self, path: Path) -> str:
        """A path as people read it: relative to the checkout; what lies in `out`, where it ends up."""
        if path.is_relative_to(self.out):
            path = self.case.paths.stage(self.stage) / path.relative_to(self.out)
        return self.project.shown(path)

    @property
    def bought_usd(self) -> Usd | None:
        """Paid to endpoints until now, US dollars; None when the cost of an answer is not known."""
        return known_sum(budget.spent_usd for budget in self.budgets)

    @property
    def lost_requests(self) -> int:
        """Requests that were sent and never answered; an endpoint may charge them, and they are in no sum."""
        return sum(budget.lost_requests for budget in self.budgets)

    @property
    def paths(self) -> CasePaths:
        """Paths of the use case."""
        return self.case.paths

    @property
    def project(self) -> Paths:
        """Paths of the checkout."""
        return self.case.paths.project
