"""A language model by what its use case declares: an endpoint, or a causal model in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import LanguageModel

if TYPE_CHECKING:
    from tailtune.services.endpoint import AnswerCache, Purse


def open_model(
    spec: LanguageModelSpec,
    root: Path | None = None,
    price: TokenPrice | None = None,
    cache: AnswerCache | None = None,
    purse: Purse | None = None,
) -> LanguageModel:
    """Open a declared model.

    Args:
        spec: What is declared.
        root: What a local model's folder is relative to; the current folder when None.
        price: Of an endpoint's tokens; costs are not known when None.
        cache: Answers kept from earlier; none are kept when None.
        purse: What may be spent; no limit when None.

    Raises:
        TailTuneError: A local model's folder cannot be used.
    """
    if spec.folder is not None:
        from tailtune.predictors.prompted.local import LocalModel

        return LocalModel(spec, root or Path.cwd(), cache)
    from tailtune.services.endpoint import Endpoint

    return Endpoint(spec, price, cache, purse)
