"""What `tailtune retrain` does: ask whether a retrain is worth it, retrain, print figures before and after."""

from __future__ import annotations

from collections.abc import Callable

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import ServiceError
from tailtune.core.retrains import way_in_of
from tailtune.operations.retrain.run import push_owed, retrain
from tailtune.report.retraining import decision_lines, next_step, outcome_lines, push_line
from tailtune.report.terminal.progress import ConsoleProgress


def push_retrains(paths: Paths, name: str, show: Callable[[str], None]) -> str:
    """Push what earlier retrains could not, and print. Returns the command to run next.

    Raises:
        BusyError: A retrain is at work.
        ServiceError: Something could not be pushed; all else was.
    """
    settings = Settings()
    with ConsoleProgress("retrain", f"push what retrains of {name} have left", settings.progress) as progress:
        tried = push_owed(paths, settings, name, progress)
    for each in tried:
        show(f"{'pushed' if each.done else 'not pushed'}  {push_line(each)}")
    if not tried:
        show(f"{name}: nothing is left to push")
    failed = [each.name for each in tried if not each.done]
    if failed:
        raise ServiceError(f"{len(failed)} of {len(tried)} could not be pushed", f"tailtune retrain {name} --push")
    return f"tailtune retrain {name} --dry-run --because schedule"


def retrain_use_case(paths: Paths, name: str, because: str, dry_run: bool, show: Callable[[str], None]) -> str:
    """Retrain and print. Returns the command to run next.

    Raises:
        UsageError: No such way in.
        TailTuneError: As `operations.retrain.run.retrain`.
    """
    settings = Settings()
    with ConsoleProgress("retrain", f"make {name} anew, if that is worth it", settings.progress) as progress:
        done = retrain(paths, settings, name, way_in_of(because), progress, dry_run)
    for line in decision_lines(name, done.decision, dry_run):
        show(line)
    if done.outcome is None:
        return f"tailtune retrain {name}"
    show("")
    for line in outcome_lines(done.outcome):
        show(line)
    return next_step(done.outcome)
