"""The checkout that a retrain works in: made anew each time, so that people go on editing theirs.

It starts from the commit that is checked out and from the rows that the checkout's data.dvc pins, shares DVC's cache,
the tracking store, the prediction log and kept answers, and stays until the next retrain, for whoever wants to look.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tailtune.config.paths import CasePaths, Paths
from tailtune.core.errors import BusyError, TailTuneError, UsageError
from tailtune.core.locks import alone
from tailtune.core.process import LEAVING_S
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.local_server import WITHIN_VARIABLE, run_flow
from tailtune.lifecycle.new_classes import undeclared
from tailtune.services import scratch, versions
from tailtune.services.corrections import Correction, write_corrections
from tailtune.tasks.use_case import read_declaration

T = TypeVar("T")
_CHECKOUT = "checkout"
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Workspace:
    """One per retrain.

    Attributes:
        context: Of the retrain; its checkout is not changed.
        scratch: Where it works.
    """

    context: Context
    scratch: scratch.Scratch

    @classmethod
    def make(cls, context: Context, feedback: Sequence[Correction]) -> Workspace:
        """A checkout with the rows and right answers of now, pinned and committed.

        Raises:
            UsageError: The use case is not in the commit, or no rows are pinned.
            BusyError: What a killed retrain has left is still ending.
            ServiceError: The rows are not there, or git or DVC refused.
        """
        origin, name = context.project, context.case.name
        folder = context.paths.retrain / _CHECKOUT
        if not origin.data_dvc.is_file():
            raise UsageError("data.dvc: no rows are pinned yet", f"tailtune run {name}")
        _wait_for_the_dead(CasePaths(Paths(folder), name))
        made = cls(context, scratch.make(origin, folder, versions.git_commit(origin.root)))
        if not made.paths.model_yaml.is_file():
            raise UsageError(
                f"models/{name}/ is not in commit {str(made.scratch.commit)[:12]}, which a retrain starts from",
                f"git add models/{name} dvc.yaml data.dvc && git commit",
            )
        made._bring_rows(feedback)
        return made

    @property
    def paths(self) -> CasePaths:
        """The use case's paths in it."""
        return CasePaths(self.scratch.paths, self.context.case.name)

    def _bring_rows(self, feedback: Sequence[Correction]) -> None:
        origin, name = self.context.project, self.context.case.name
        shutil.copyfile(origin.data_dvc, self.scratch.paths.data_dvc)
        pinned = patiently(lambda: versions.data_is_pinned(origin, name), BusyError, _PATIENCE_S)
        scratch.restore_data(self.scratch, name, same_as_origin=pinned)
        if not pinned:
            self.context.progress.say(f"data/{name} has edits that data.dvc does not pin: left out")
        if feedback:
            write_corrections(self.paths.feedback, feedback)
        self._declare_accepted()
        versions.pin_data(self.scratch.paths, name)
        self._commit(f"Rows of {name} for a retrain")

    def _declare_accepted(self) -> None:
        """Classes that a person accepted are labels here too, though their declaration may not be committed yet."""
        case = read_declaration(self.paths)
        known = getattr(self.context.case.answers, "labels", {})
        missing = {name: known[name] for name in sorted(undeclared(case, self.paths.proposed)) if name in known}
        if missing:
            text = case.task.with_classes(case.answers_file.read_text(encoding="utf-8"), missing)
            case.answers_file.write_text(text, encoding="utf-8")

    def run_life(self) -> int:
        """Run the whole life there, as `tailtune run` does. Returns its exit code."""
        return run_flow(self.scratch.paths, self.context.case.name, False, self._environment())

    def bring_back(self, message: str, day: str) -> tuple[str, str | None]:
        """Keep what changed, as a branch or as files.

        Returns:
            The branch and its last commit; or the folder, as people read it, and None.

        Args:
            message: Of the commit.
            day: Of the retrain, as people write it.

        Raises:
            ServiceError: Git refused.
        """
        context, name = self.context, self.context.case.name
        if context.case.spec.retrain.result == "branch" and (commit := self._commit(message)) is not None:
            return scratch.keep_branch(self.scratch, f"retrain/{name}/{day}"), commit
        folder = context.paths.retrain / "changed" / day
        shutil.rmtree(folder, ignore_errors=True)
        feedback = self.paths.feedback.relative_to(self.scratch.paths.root)
        for file in (*self._written(), str(feedback)):
            source, target = self.scratch.paths.root / file, folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            elif source.is_file():
                shutil.copyfile(source, target)
        return context.project.shown(folder), None

    def _commit(self, message: str) -> str | None:
        return scratch.commit(self.scratch, self._written(), message)

    def _written(self) -> tuple[str, ...]:
        """What a life changes of what git keeps."""
        name, answers = self.context.case.name, self.context.case.answers_file
        return ("data.dvc", "dvc.lock", f"reports/{name}", str(answers.relative_to(self.context.project.root)))

    def _environment(self) -> dict[str, str]:
        """Of the life: stores and keys are those of the checkout it was started from."""
        origin, settings, root = self.context.project, self.context.settings, self.scratch.paths.root
        own = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "PREFECT__"))}
        code = [str(root / "src")] if (root / "src").is_dir() else []
        within = os.environ.get("PREFECT__FLOW_RUN_ID")
        return {
            **own,
            **({WITHIN_VARIABLE: within} if within else {}),
            "PYTHONPATH": os.pathsep.join([*code, *filter(None, [own.get("PYTHONPATH")])]),
            "TAILTUNE_ROOT": str(root),
            "TAILTUNE_TRACKING_URI": settings.resolved_tracking_uri(origin),
            "TAILTUNE_PREDICTION_LOG": settings.prediction_log_url(origin),
            "TAILTUNE_SPOOL": str(settings.spool_folder(origin).absolute()),
            "TAILTUNE_ANSWERS": str(settings.answers_file(origin).absolute()),
            "TAILTUNE_WEIGHTS": str(settings.weights_root(origin).absolute()),
        }


def patiently(ask: Callable[[], T], during: type[TailTuneError], most_s: float) -> T:
    """Ask again and again while something is in the way for a moment.

    Args:
        ask: What is asked.
        during: The error that says so.
        most_s: How long it may last, seconds.

    Raises:
        TailTuneError: That error, after so long.
    """
    deadline = time.monotonic() + most_s
    while True:
        try:
            return ask()
        except during:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _wait_for_the_dead(left: CasePaths) -> None:
    """Let the life of a killed retrain end, which notices the kill by itself.

    Raises:
        BusyError: It goes on; somebody runs a life there.
    """
    if not left.lock.is_file():
        return
    busy = BusyError(f"{left.project.root} is in use", "wait for it, then run the same command again")

    def hold() -> None:
        with alone(left.lock, busy):
            pass

    patiently(hold, BusyError, LEAVING_S + 5)
