"""What `tailtune feedback` does: take in right answers, from a file or as people sent them to the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.cli import staging
from tailtune.cli.keeping import keep
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.lifecycle.feedback import receive, receive_sent
from tailtune.report.numbers import counted
from tailtune.services.corrections import Correction
from tailtune.tasks.use_case import UseCase, load_use_case

if TYPE_CHECKING:
    from tailtune.services.prediction_log.store import PredictionLog

_SHOWN = 10


def take_feedback(paths: Paths, name: str, file: Path | None) -> list[str]:
    """Keep right answers as train rows beside the use case's rows, and renew the pin of data/.

    Args:
        paths: The checkout.
        name: The use case.
        file: With the right answers; what people sent to the server when None.

    Returns:
        Lines that say what was done.

    Raises:
        DataError: Something is wrong in the file; all of it at once, and then nothing is kept.
        ServiceError: The prediction log does not answer.
        BusyError: Another one is at work.
    """
    from tailtune.services.prediction_log.opening import opened

    case, settings = load_use_case(paths, name), Settings()
    with opened(paths, settings, name) as log, staging.alone(paths):
        if file is not None:
            kept, fresh = receive(case, file, str(file), partial(_texts, log, name))
            lines = _keep(case, kept, fresh) or [f"{paths.shown(case.paths.feedback)}  has all of {file} already"]
            return [f"{file}  {counted(len(fresh), 'answer')} by {_people(fresh)}", *lines] if fresh else lines
        sent = [] if log is None else log.feedback(name)
        kept, fresh, refused = receive_sent(case, sent, partial(_texts, log, name))
        lines = _keep(case, kept, fresh) if sent else []
        if log is not None:
            log.feedback_taken([each.id for each in sent if each.id not in refused])
    if not sent:
        return [f"{name}: nobody has sent feedback that is not taken in yet"]
    taken = f"{counted(len(sent) - len(refused), 'answer')} that people sent to the server"
    return [taken, *lines, *_refusals(refused)]


def _texts(log: PredictionLog | None, name: str, request_id: str) -> Mapping[int, str | None]:
    return {} if log is None else log.request(name, request_id)


def _keep(case: UseCase, kept: Sequence[Correction], fresh: Sequence[Correction]) -> list[str]:
    """Write and pin what is kept from now on; nothing where nothing is new and all is pinned."""
    if not keep(case, case.paths.feedback, kept, fresh):
        return []
    shown = case.paths.project.shown(case.paths.feedback)
    return [f"{shown}  {counted(len(kept), 'row')} in all, for train only; pinned by data.dvc"]


def _people(fresh: Sequence[Correction]) -> str:
    return ", ".join(sorted({each.who for each in fresh}))


def _refusals(refused: Mapping[int, str]) -> list[str]:
    lines = [f"  not usable: {why}" for why in list(refused.values())[:_SHOWN]]
    return [*lines, *([f"  and {len(refused) - _SHOWN} more"] if len(refused) > _SHOWN else [])]
