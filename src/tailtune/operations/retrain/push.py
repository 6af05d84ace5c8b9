"""What leaves the machine after a retrain, by config: rows to the DVC remote, then its branch, then a tag.

In this order, since a branch whose rows nobody can fetch helps nobody: after a push that fails, the others wait. Each
may be done again without harm, so what a kill has cut off is tried again by the next retrain, or by
`tailtune retrain NAME --push`. Whoever is champion is not touched by any of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tailtune.core.errors import ServiceError, TailTuneError
from tailtune.core.retrains import PUSH_STEPS, Push, RetrainOutcome
from tailtune.lifecycle.context import Context
from tailtune.services import scratch, versions
from tailtune.services.retrains import EndedRetrain, Retrains

_CHECKOUT = "push"
_WAITS = "waits for {what}"


def planned(context: Context, outcome: RetrainOutcome) -> tuple[Push, ...]:
    """What the use case declares that is to leave the machine, of what there is."""
    names = {
        "dvc": outcome.use_case if outcome.result else "",
        "branch": outcome.result if outcome.commit else "",
        "tag": f"{outcome.use_case}/v{outcome.version}" if outcome.commit and outcome.version else "",
    }
    return tuple(
        Push(what=step, name=names[step])
        for step in PUSH_STEPS
        if step in context.case.spec.retrain.push and names[step]
    )


def push(context: Context, kept: Retrains, ended: EndedRetrain) -> RetrainOutcome:
    """Push what an outcome owes, as far as it goes, and keep what came of it. Returns the outcome as it is then."""
    pushes, failed = list[Push](), ""
    for each in ended.outcome.pushes:
        if each.done:
            pushes.append(each)
            continue
        why = _WAITS.format(what=failed) if failed else _tried(context, ended.outcome, each)
        failed = failed or (each.what if why else "")
        pushes.append(each.model_copy(update={"done": not why, "why": why}))
    outcome = ended.outcome.model_copy(update={"pushes": tuple(pushes)})
    if outcome != ended.outcome:
        kept.amend(ended.id, outcome)
    return outcome


def make_up(context: Context, kept: Retrains) -> list[Push]:
    """Push what earlier retrains owe, oldest first. Returns what was tried, as it is now."""
    tried = list[Push]()
    for ended in kept.owed(context.case.name):
        before = ended.outcome.owed
        after = {(each.what, each.name): each for each in push(context, kept, ended).pushes}
        tried += [after[each.what, each.name] for each in before]
    return tried


def _tried(context: Context, outcome: RetrainOutcome, each: Push) -> str:
    """Push one thing. Returns why it failed; empty where it did not."""
    steps: dict[str, Callable[[Context, RetrainOutcome, Push], None]] = {"dvc": _rows, "branch": _branch, "tag": _tag}
    try:
        steps[each.what](context, outcome, each)
    except TailTuneError as error:
        return error.message
    except OSError as error:
        return str(error)
    return ""


def _rows(context: Context, outcome: RetrainOutcome, each: Push) -> None:
    """From a checkout made for it, as that of the retrain may be gone by now; DVC's cache is the same."""
    project, folder = context.project, context.paths.retrain / _CHECKOUT
    made = scratch.make(project, folder, outcome.commit)
    try:
        if made.commit is None:
            _bring_pins(project.root / outcome.result, folder)
        versions.push(made.paths, each.name)
    finally:
        scratch.remove(project, folder)


def _bring_pins(result: Path, folder: Path) -> None:
    if not (result / "data.dvc").is_file():
        raise ServiceError(f"{result}: what the retrain left is gone", "dvc push")
    for name in ("data.dvc", "dvc.lock"):
        if (result / name).is_file():
            shutil.copyfile(result / name, folder / name)


def _branch(context: Context, outcome: RetrainOutcome, each: Push) -> None:
    scratch.push_ref(context.project, outcome.commit or "", f"refs/heads/{each.name}")


def _tag(context: Context, outcome: RetrainOutcome, each: Push) -> None:
    scratch.make_tag(context.project, each.name, outcome.commit or "")
    scratch.push_ref(context.project, f"refs/tags/{each.name}", f"refs/tags/{each.name}")
