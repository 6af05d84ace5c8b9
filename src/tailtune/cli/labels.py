"""What `tailtune labels` does: write labels that look wrong, or classes that are missing; take in what people say."""

from __future__ import annotations

import time
from pathlib import Path

from tailtune.cli import staging
from tailtune.cli.keeping import keep
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.days import span
from tailtune.core.errors import UsageError
from tailtune.core.proposals import Proposals
from tailtune.lifecycle import accepting, proposed_file
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.corrections import receive
from tailtune.lifecycle.review_file import write_review
from tailtune.report.numbers import counted, share
from tailtune.report.terminal.progress import ConsoleProgress
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


def propose_classes(paths: Paths, name: str, days: int, version: str | None, out: Path | None) -> tuple[list[str], str]:
    """Look for classes that nobody has labelled yet, and write them to a file for a person to accept.

    Returns:
        Lines that say what was done, and the command to run next.

    Raises:
        UsageError: Answers are no labels, no such version, no text of it was kept, or the file is there already.
        ServiceError: The tracking store or the prediction log does not answer.
    """
    from tailtune.operations.new_classes import propose
    from tailtune.services.mlflow import connect

    case, settings = load_use_case(paths, name), Settings()
    file = out or Path(f"proposed-{name}.yaml")
    proposed_file.expect_new(file)
    with ConsoleProgress("labels", f"look for classes that are missing in {name}", settings.progress) as progress:
        tracker = connect(settings.resolved_tracking_uri(paths), case)
        context = Context(case, settings, progress, tracker, "labels")
        made = propose(context, version or case.spec.serve.alias, days, time.time_ns() // 1000)
    lines = _seen(made)
    if not made.classes:
        return [*lines, "no group of texts is unlike all that is labelled"], f"tailtune monitor {name}"
    proposed_file.write(file, made)
    lines += [
        f"  {each.name:<28}{counted(each.rows, 'row')}, {share(each.share)}  {each.texts[0]}" for each in made.classes
    ]
    lines.append(f"{file}  name the groups that are classes, delete texts that do not belong; accept: yes, and who")
    return lines, f"tailtune labels {name} --from {file}"


def _seen(made: Proposals) -> list[str]:
    days = span(made.first_day, made.last_day)
    left = [f"{counted(made.labelled, 'row')} labelled already"] if made.labelled else []
    left += [f"{made.without_text:,} more without a text"] if made.without_text else []
    groups = counted(len(made.classes), "proposed class", "proposed classes")
    return [f"v{made.version}, {days}: {', '.join([counted(made.rows, 'row'), *left])}; {groups}"]


def accept_classes(paths: Paths, name: str, file: Path) -> list[str]:
    """Make labels of the classes that a person accepted, and labelled rows of their texts; renew the pin of data/.

    Returns:
        Lines that say what was done.

    Raises:
        UsageError: Answers are no labels, a class has too few texts, or the labels stand in a form that cannot be
            added to.
        SpecError: The file cannot be read.
        DataError: Something is wrong in it; all of it at once, and then nothing is kept.
        BusyError: Another one is at work.
    """
    case = load_use_case(paths, name)
    kept = case.paths.proposed
    with staging.alone(paths):
        accepted = accepting.receive(case, file)
        few = accepting.too_few(case, accepted)
        if few:
            raise UsageError(
                "; ".join(few), f"tailtune labels {name} --propose --days 56   (more days have more texts)"
            )
        if accepted.fresh:
            accepting.declare(case, accepted)
        pinned = keep(case, kept, accepted.kept, accepted.fresh)
    if not accepted.fresh:
        return _known(paths, kept, file, pinned)
    classes = sorted({each.label for each in accepted.fresh})
    rows = [f"{label}: {counted(accepted.rows_of(label), 'row')}" for label in classes]
    return [
        f"{file}  {', '.join(rows)}; by {', '.join(accepted.people)}",
        *(f"{paths.shown(case.answers_file)}  {label}: a new label" for label in accepted.new),
        f"{paths.shown(kept)}  {counted(len(accepted.kept), 'row')} in all, for every split; pinned by data.dvc",
        *([f"{counted(accepted.refused, 'group')} not accepted"] if accepted.refused else []),
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
        pinned = keep(case, kept, corrections, fresh)
    if not fresh:
        return _known(paths, kept, file, pinned)
    people = ", ".join(sorted({each.who for each in fresh}))
    return [
        f"{file}  {counted(len(fresh), 'label')} by {people}",
        f"{paths.shown(kept)}  {counted(len(corrections), 'label')} in all, pinned by data.dvc",
    ]


def _known(paths: Paths, kept: Path, file: Path, pinned: bool) -> list[str]:
    """The line for a file that says nothing new."""
    return [f"{paths.shown(kept)}  has all of {file} already{'; pinned by data.dvc' if pinned else ''}"]
