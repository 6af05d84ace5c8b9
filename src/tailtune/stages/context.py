"""What a stage is handed: the use case, the settings, and a way to show that long work goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tailtune.core.progress import Progress
from tailtune.services.tracking import Tracker
from tailtune.spec.load import UseCase
from tailtune.spec.paths import CasePaths, Paths
from tailtune.spec.settings import Settings


@dataclass(frozen=True)
class Context:
    """One per stage run."""

    case: UseCase
    settings: Settings
    progress: Progress
    tracker: Tracker
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    """Called by the runner once the report is safe: what must outlive a failure until then is removed here."""

    @property
    def paths(self) -> CasePaths:
        """Paths of the use case."""
        return self.case.paths

    @property
    def project(self) -> Paths:
        """Paths of the checkout."""
        return self.case.paths.project
