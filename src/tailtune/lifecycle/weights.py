"""Weights are no DVC dependency: the report of `prompt` notes what was measured, and later stages hold them to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tailtune.config.prompting import PromptSpec
from tailtune.core.errors import MissingInputError, ServiceError
from tailtune.core.reports import PromptReport
from tailtune.lifecycle.context import Context
from tailtune.services import store
from tailtune.services.weights import changed, digest_of, folders, holds


def digests(context: Context) -> dict[str, str]:
    """Declared model in a folder → what tells it from another: config, tokenizer and weights.

    Raises:
        MissingInputError: A folder does not hold a model.
    """
    found = folders(context.case.spec.prompt, context.settings.weights_root(context.project))
    if not found:
        return {}
    from tailtune.predictors.prompted.local.model import require_model

    for folder in found.values():
        require_model(folder)
    return {name: digest_of(folder) for name, folder in found.items()}


def require_unchanged(context: Context) -> None:
    """Make sure that the prompts were measured with the weights that are there now.

    Raises:
        MissingInputError: They were not, or the weights are gone.
    """
    case, path = context.case, context.paths.report("prompt")
    noted = store.read_report(path, PromptReport, case.name).weights if path.is_file() else {}
    for name, folder in changed(case.spec.prompt, context.settings.weights_root(context.project), noted).items():
        what = "changed" if folder.is_dir() else "are gone"
        raise MissingInputError(
            f"{context.project.shown(folder)}: the weights of {name} {what} since the prompts were measured "
            f"({noted[name][:12]})",
            f"tailtune run {case.name}",
        )


def restore(
    prompt: PromptSpec, noted: Mapping[str, str], here: Path, packed: Callable[[], Path | None], into: Path
) -> Path:
    """Bring together the models that were measured once: as they lie here, or from a version that took one with it.

    Args:
        prompt: What was declared then.
        noted: Model → digest, as reported then.
        here: What folders of local models are relative to now.
        packed: Fetches the model that the version took with it; None when it took none.
        into: A folder for links, where `here` does not have them all.

    Returns:
        What the declared folders are relative to.

    Raises:
        ServiceError: A model is neither here nor in the version.
    """
    lacking = changed(prompt, here, noted)
    if not lacking:
        return here
    held = packed()
    wanted = {one.name: one.folder for one in prompt.models if one.folder is not None and one.name in noted}
    for name, folder in wanted.items():
        source = held if name in lacking else here / folder
        place = Path(os.path.normpath(into / folder))
        if source is None or not holds(source, noted[name]) or not place.is_relative_to(into):
            raise ServiceError(
                f"{folder}: not the weights of {name} that were measured ({noted[name][:12]})",
                f"put them back into {folder}, then run the same command again",
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink():  # two models may be in one folder
            place.symlink_to(source.absolute(), target_is_directory=True)
    return into
