"""What a stage is handed: the use case, the settings, and a way to show that long work goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tailtune.config.paths import CasePaths, Paths
from tailtune.config.settings import Settings
from tailtune.core.money import known_sum
from tailtune.core.progress import Progress
from tailtune.services.endpoint import Purse
from tailtune.services.mlflow import Tracker
from tailtune.tasks.use_case import UseCase


@dataclass(frozen=True)
class Context:
    """One per stage run."""

    case: UseCase
    settings: Settings
    progress: Progress
    tracker: Tracker
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    """Called by the runner once the report is safe: what must outlive a failure until then is removed here."""
    purses: list[Purse] = field(default_factory=list)
    """Every purse that `language_models` has opened for this run."""

    @property
    def bought_usd(self) -> float | None:
        """Paid to endpoints until now, US dollars; None when the cost of an answer is not known."""
        return known_sum(purse.spent_usd for purse in self.purses)

    @property
    def lost_requests(self) -> int:
        """Requests that were sent and never answered; an endpoint may charge them, and they are in no sum."""
        return sum(purse.lost_requests for purse in self.purses)

    @property
    def paths(self) -> CasePaths:
        """Paths of the use case."""
        return self.case.paths

    @property
    def project(self) -> Paths:
        """Paths of the checkout."""
        return self.case.paths.project
