"""A language model by what its use case declares, and a saved rung with the model that it asks beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.json_text import read_object
from tailtune.core.language import LanguageModel
from tailtune.predictors.prompted.embedded import folder_of
from tailtune.predictors.prompted.weights import files_of

if TYPE_CHECKING:
    from tailtune.services.endpoint import AnswerCache, Budget


def open_model(
    spec: LanguageModelSpec,
    root: Path | None = None,
    price: TokenPrice | None = None,
    cache: AnswerCache | None = None,
    budget: Budget | None = None,
    on_wait: Callable[[str], None] | None = None,
    served: bool = False,
) -> LanguageModel:
    """Open a declared model.

    Args:
        spec: What is declared.
        root: What a local model's folder is relative to; the current folder when None.
        price: Of an endpoint's tokens; costs are not known when None.
        cache: Answers kept from earlier; none are kept when None.
        budget: What may be spent; no limit when None.
        on_wait: Is shown a line when an endpoint's rate limit asks to wait.
        served: Whether somebody waits for each call, so that rate limits are waited out for a few seconds only.

    Raises:
        TailTuneError: A local model's folder cannot be used.
    """
    if spec.local:
        from tailtune.predictors.prompted.local import LocalModel

        return LocalModel(spec, root or Path.cwd(), cache)
    from tailtune.services.endpoint import Endpoint

    return Endpoint(spec, price, cache, budget, on_wait, served)


CARD = "prompt.json"
WEIGHTS = "model"
"""Folder of a packed model, beside the card."""


def declared(folder: Path, card: LanguageModelSpec) -> LanguageModelSpec:
    """What a saved rung asks: as its card says, or the model that was packed with it, by its absolute path."""
    packed_folder = (folder / WEIGHTS).absolute()
    packed = card.local and packed_folder.is_dir()
    return card.model_copy(update={"folder": str(packed_folder), "embedded": None}) if packed else card


def model_of(folder: Path, root: Path) -> Path | None:
    """Folder of the local model that a saved rung asks; None where an endpoint answers.

    Args:
        folder: The saved rung.
        root: What folders of local models are relative to.
    """
    card = read_object(folder / CARD)
    spec = declared(folder, LanguageModelSpec.model_validate(card["spec"]))
    return folder_of(spec, root)


def pack(folder: Path, model: Path, into: Path) -> Path:
    """Lay a saved rung and its local model together.

    Config, tokenizer and safetensors are taken and nothing else. On one file system they are hard links, so that the
    bytes are copied only by who stores the whole.

    Args:
        folder: The saved rung.
        model: As `model_of` says.
        into: A folder to lay it in.

    Returns:
        The whole, under the rung's own name.

    Raises:
        MissingInputError: The model's folder cannot be read without running code from it.
    """
    from tailtune.predictors.prompted.local.model import require_model

    require_model(model)
    whole = Path(shutil.copytree(folder, into / folder.name))
    (whole / WEIGHTS).mkdir()
    for file in files_of(model):
        _place(file.resolve(), whole / WEIGHTS / file.name)
    return whole


def _place(file: Path, at: Path) -> None:
    try:
        at.hardlink_to(file)  # MLflow stores no symbolic ones
    except OSError:  # another file system, or one that knows no links
        shutil.copyfile(file, at)
