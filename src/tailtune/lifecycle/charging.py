"""What work costs is known however it ends: with a report, with an error, with Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tailtune.core.errors import TailTuneError
from tailtune.core.money import Usd
from tailtune.core.process import Terminated
from tailtune.core.records import Cost
from tailtune.core.run_plan import Status
from tailtune.core.secrets import without_key, without_passwords
from tailtune.lifecycle.context import Context
from tailtune.services.meter import Meter
from tailtune.services.mlflow import Charge

_MOST = 300


@contextmanager
def charged(
    context: Context, stage: str, machine_hour_usd: Usd | None, aside: str = ""
) -> Iterator[Callable[[], Cost]]:
    """Meter work, and tell MLflow what it cost when nothing else does.

    Work that raises, whatever it raises, is charged as `failed` or `interrupted`. Work that ends well publishes its
    cost with its report; work aside from the stages has none, and is charged under its own name.

    Args:
        context: What the work is handed; its budgets say what was bought.
        stage: Whose work it is.
        machine_hour_usd: Price of the machine; None when none is declared.
        aside: What work without a report is called, e.g. `repeats`.

    Yields:
        A function that says what the work has cost until now.

    Limit: a process that is ended from outside with SIGHUP or SIGKILL charges nothing.
    """
    meter = Meter()

    def cost() -> Cost:
        return meter.cost(machine_hour_usd).model_copy(update={"bought_usd": context.bought_usd})

    def note(ended: str, why: str = "", status: Status = "FINISHED") -> None:
        what = f"{aside} {ended}".strip()
        _note(context, Charge(stage, what, cost(), why, status, context.lost_requests))

    try:
        yield cost
    except KeyboardInterrupt as interrupt:
        how = "Ended with SIGTERM." if isinstance(interrupt, Terminated) else "Interrupted with Ctrl-C."
        note("interrupted", how, "KILLED")
        raise
    except BaseException as error:
        note("failed", _reason(context, error), "FAILED")
        raise
    if aside:
        note("")


def _note(context: Context, charge: Charge) -> None:
    """Tell MLflow; when that fails, one line says what is missing there, and the work ends as it would have."""
    if charge.noticeable:
        context.progress.at(0, 1, "noting in MLflow what this has cost")
    try:
        context.tracker.charge(charge)
    except (Exception, KeyboardInterrupt) as error:  # whatever it is, it must not hide why the work has ended
        bought = charge.cost.bought_usd
        paid = "answers whose cost is not known" if bought is None else f"{bought:.4f} US dollars of answers"
        why = _first_line(error) or type(error).__name__
        context.progress.say(f"not in the ledger: {charge.cost.wall_s:.0f} s of the machine and {paid} ({why})")


def _reason(context: Context, error: BaseException) -> str:
    """The error's class and first line, without passwords and without the keys of declared models."""
    message = _first_line(error)
    for model in context.case.spec.prompt.models:
        message = without_key(message, os.environ.get(model.key_env or "", "").strip())
    return f"`{type(error).__name__}`" + (f": {message}" if message else "")


def _first_line(error: BaseException) -> str:
    message = error.message if isinstance(error, TailTuneError) else str(error)
    return without_passwords(next(iter(message.strip().splitlines()), ""))[:_MOST]
