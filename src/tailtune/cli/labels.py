"""What `tailtune labels` does: take in a file of labels that people corrected or confirmed."""

from __future__ import annotations

from pathlib import Path

from tailtune.cli import staging
from tailtune.config.paths import Paths
from tailtune.lifecycle.corrections import receive
from tailtune.report.numbers import counted
from tailtune.services import versions
from tailtune.services.corrections import write_corrections
from tailtune.tasks.use_case import load_use_case


def take_labels(paths: Paths, name: str, file: Path) -> list[str]:
    """Keep the labels beside the use case's rows, and renew the pin of data/. Returns lines that say what was done.

    Raises:
        MissingInputError: Curation has not run.
        DataError: Something is wrong in the file; all of it at once, and then nothing is kept.
        BusyError: Another one is at work.
    """
    case = load_use_case(paths, name)
    kept = case.paths.corrections
    with staging.alone(paths):
        corrections, fresh = receive(case, file, str(file))
        if not fresh:
            return [f"{paths.shown(kept)}  has all of {file} already"]
        write_corrections(kept, corrections)
        versions.pin_data(paths, name)
    people = ", ".join(sorted({each.who for each in fresh}))
    return [
        f"{file}  {counted(len(fresh), 'label')} by {people}",
        f"{paths.shown(kept)}  {counted(len(corrections), 'label')} in all, pinned by data.dvc",
    ]
