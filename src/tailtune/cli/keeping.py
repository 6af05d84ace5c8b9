"""Labels that people gave, kept beside a use case's rows and pinned by data.dvc."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tailtune.services import versions
from tailtune.services.corrections import Correction, write_corrections
from tailtune.tasks.use_case import UseCase


def keep(case: UseCase, file: Path, labels: Sequence[Correction], fresh: Sequence[Correction]) -> bool:
    """Write labels where some are new, and renew the pin of data/.

    What was written and not pinned, because a run had the rows in use or a kill came between, is pinned now.

    Args:
        case: The use case.
        file: Where they are kept.
        labels: All of them from now on.
        fresh: Those among them that are new.

    Returns:
        Whether there was something to do.

    Raises:
        BusyError: A run has the rows in use; the same command pins them when it has ended.
    """
    if fresh:
        write_corrections(file, labels)
    paths = case.paths.project
    if not fresh and (not labels or versions.data_is_pinned(paths, case.name)):
        return False
    versions.pin_data(paths, case.name)
    return True
