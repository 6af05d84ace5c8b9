"""What `tailtune labels` does: write the rows whose label looks wrong, and take in what people made of them."""

from __future__ import annotations

from pathlib import Path

from tailtune.cli import staging
from tailtune.config.paths import Paths
from tailtune.lifecycle.corrections import receive
from tailtune.lifecycle.review_file import write_review
from tailtune.report.numbers import counted
from tailtune.services import versions
from tailtune.services.corrections import write_corrections
from tailtune.tasks.use_case import load_use_case


def write_suspects(paths: Paths, name: str, file: Path) -> list[str]:
    """Write the rows whose label looks wrong to a file for people to fill in. Returns lines that say what was done.

    Raises:
        MissingInputError: No labels were checked yet.
        UsageError: The file is there already, or is no CSV file.
    """
    rows = write_review(load_use_case(paths, name), file)
    return [
        f"{file}  {counted(rows, 'row')} whose label looks wrong, those of test and dev first",
        "fill in label (the right one, also where it is the one that the row has) and who, as far as you come; a line "
        "where both are empty counts as not looked at",
    ]


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
