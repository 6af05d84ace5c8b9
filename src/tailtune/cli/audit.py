"""What `tailtune audit` does: draw rows for a person to label, and say what the labels say of the model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tailtune.cli import staging
from tailtune.cli.keeping import keep
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import ServiceError
from tailtune.core.progress import Progress
from tailtune.core.spreadsheet import harmless
from tailtune.lifecycle import audits
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.review_file import expect_new, write_cells
from tailtune.operations import audit as operations
from tailtune.operations.audit import DrawnText, Labelled
from tailtune.operations.windows import Window
from tailtune.report import audited
from tailtune.report.numbers import counted
from tailtune.report.terminal.progress import ConsoleProgress
from tailtune.services.mlflow import connect, windows
from tailtune.tasks.use_case import UseCase, load_use_case

COLUMNS = (
    "id", "text", "label", "who", "answer", "confidence", "likeliest", "request_id", "row", "weight", "stratum"
)  # fmt: skip
"""`label` and `who` are for people; the text comes first, so that they read it before the answer."""


def draw_rows(
    paths: Paths, name: str, rows: int, window: str, version: str | None, seed: int, out: Path | None
) -> tuple[list[str], Path]:
    """Draw rows and write them to a file for a person to label. Returns lines that say what was done, and the file.

    Raises:
        UsageError: No such version or window, no row of it that can be labelled, or the file is there already.
        ServiceError: The tracking store or the prediction log does not answer.
    """
    case, settings, span = load_use_case(paths, name), Settings(), Window.parse(window)
    so_far = "" if span.is_over else f"{datetime.now(UTC):T%H%M%S}"
    file = Path(f"audit-{name}-{span.name}{so_far}.csv") if out is None else out
    expect_new(file)
    with ConsoleProgress("audit", f"draw rows of {span.name}", settings.progress) as progress:
        context = _context(paths, case, settings, progress)
        audit, texts = operations.draw(context, version or case.spec.serve.alias, span, rows, seed)
    write_cells(file, COLUMNS, [_cells(each) for each in texts])
    return [
        *audited.drawn(audit),
        f"{file}  fill in two columns: label, the right answer, also where the model gave it; and who, your name",
        "begin at the top and stop where you like: rows are in random order, so a part is a fair sample, too",
    ], file


def _context(paths: Paths, case: UseCase, settings: Settings, progress: Progress) -> Context:
    return Context(case, settings, progress, connect(settings.resolved_tracking_uri(paths), case), "audit")


def _cells(drawn: DrawnText) -> list[str]:
    row = drawn.row
    likeliest = ", ".join(f"{name} {probability:.2f}" for name, probability in drawn.likeliest)
    confidence = "" if row.confidence is None else f"{row.confidence:.4f}"
    texts = (row.id, drawn.text, "", "", row.answer or "", confidence, likeliest, row.request_id)
    return [*map(harmless, texts), str(row.row), f"{row.weight:.2f}", str(row.stratum)]


def take_labels(paths: Paths, name: str, file: Path) -> list[str]:
    """Say what a filled file says, and keep its rows for test. Returns lines.

    Raises:
        UsageError: No such audit was drawn.
        DataError: Something is wrong in the file; all of it at once, and then nothing is kept.
        ServiceError: The tracking store or the prediction log does not answer.
        BusyError: Another one is at work.
    """
    case, settings = load_use_case(paths, name), Settings()
    with (
        ConsoleProgress("audit", f"what the labels of {file} say", settings.progress) as progress,
        staging.alone(paths),
    ):
        context = _context(paths, case, settings, progress)
        audit, labelled = operations.read(context, file, str(file))
        received = audits.receive(case, [each.answer for each in labelled])
        result = operations.judge_rows(context, audit, labelled)
        kept = _keep(case, received)
        try:
            plan = audited.plan_of(audit, result)
            key, look = f"audit {audit.id}", f"{audit.id} {result.judged_at}"
            windows.publish(context.tracker, audit.version, key, plan, [], 0.0, "audit", look=look)
        except ServiceError as error:
            progress.say(f"not in MLflow, the same command writes it there later: {error.message}")
    return [
        f"{file}  {counted(len(labelled), 'label')} by {_people(labelled)}",
        *audited.lines_of(audit, result),
        *kept,
    ]


def _people(labelled: Sequence[Labelled]) -> str:
    return ", ".join(sorted({each.answer.who for each in labelled}))


def _keep(case: UseCase, received: audits.Received) -> list[str]:
    """Write and pin the rows that are test rows from now on."""
    shown = case.paths.project.shown(case.paths.audits)
    lines = []
    if keep(case, case.paths.audits, received.kept, received.fresh):
        lines.append(f"{shown}  {counted(len(received.kept), 'row')} in all, for test only; pinned by data.dvc")
    elif received.kept:
        lines.append(f"{shown}  has these rows with these labels already")
    if received.feedback:
        lines.append(f"{counted(received.feedback, 'row')} not kept for test: feedback has their texts already")
    return lines
