"""Where the files of a candidate are: as a stage made it, and as it was exported for serving."""

from __future__ import annotations

from pathlib import Path

from tailtune.config.prompting import PROMPT_RUNGS
from tailtune.core.errors import MissingInputError
from tailtune.lifecycle.context import Context
from tailtune.tasks import saved
from tailtune.tasks.table import FINE_TUNE


def folder_of(context: Context, name: str) -> Path:
    """A candidate's folder, as training, the ladder or the prompts left it.

    Raises:
        MissingInputError: It is not there.
    """
    if name == FINE_TUNE:
        folder, stage = context.inputs.folder("train/model"), "train"
    else:
        stage = "prompt" if name in PROMPT_RUNGS else "ladder"
        folder = context.inputs.folder(f"{stage}/rungs/{name}")
    return _there(context, folder, name)


def served_folder_of(context: Context, name: str) -> Path:
    """A candidate's folder as it would be served: as it was exported, or as it is where it needs no encoder.

    Raises:
        MissingInputError: It is not there.
    """
    exported = context.inputs.folder(f"export/models/{name}")
    return exported if (exported / saved.CARD).is_file() else folder_of(context, name)


def _there(context: Context, folder: Path, name: str) -> Path:
    if not (folder / saved.CARD).is_file():
        raise MissingInputError(
            f"{context.shown(folder)}: no {saved.title(name)}; its files are not there",
            f"tailtune run {context.case.name}",
        )
    return folder
