"""Predictors by name: which there are, and how a saved one is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailtune.core.errors import TailTuneError
from tailtune.core.json_text import read_object
from tailtune.predictors.prepare.scrub import KINDS as PII_KINDS
from tailtune.predictors.reading import served_encoder
from tailtune.tasks.table import FINE_TUNE, FINE_TUNE_TITLE, TASKS, Kind, imported

if TYPE_CHECKING:
    from tailtune.config.model import Pii
    from tailtune.predictors.base import Embed, Floats, Predictor
    from tailtune.predictors.onnx_graph import Source
    from tailtune.predictors.prompted.codec import Codec

CARD = "predictor.json"
"""In a predictor's folder: its kind by name, and what was scrubbed from the rows it learnt from."""
_PROMPTED = "predictors.prompted.rung:Prompted"  # language models, the same for every task
PROMPTED_KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("lm_zero_shot", "Prompt, zero-shot", _PROMPTED),
        Kind("lm_few_shot", "Prompt, few-shot", _PROMPTED),
        Kind("lm_chain_of_thought", "Prompt, step by step", _PROMPTED),
        Kind("lm_retrieval", "Prompt with retrieved examples", _PROMPTED),
        Kind("lm_constrained", "Best prompt, answer held to the schema", _PROMPTED),
        Kind("lm_strong", "Best prompt, stronger model", _PROMPTED),
        Kind("lm_optimised", "Best prompt, optimised", _PROMPTED),
    )
}
"""Name → rung of a language model."""
RUNG_KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (*(rung for task in TASKS.values() for rung in task.rungs), *PROMPTED_KINDS.values())
}
"""Name → rung, of all tasks: no two rungs share a name."""


def title(name: str) -> str:
    """What people call a predictor."""
    return FINE_TUNE_TITLE if name == FINE_TUNE else RUNG_KINDS[name].title


def ignores_text(name: str) -> bool:
    """Whether a predictor answers every text alike, and so is only what others must beat."""
    return name in RUNG_KINDS and RUNG_KINDS[name].ignores_text


def write_card(folder: Path, kind: Kind, scrub_pii: Iterable[Pii]) -> None:
    """Note in a predictor's folder which kind it is, and what was scrubbed from the rows it learnt from."""
    card = {"kind": kind.saved_as or kind.name, "scrub_pii": sorted(scrub_pii)}
    (folder / CARD).write_text(json.dumps(card) + "\n", encoding="utf-8")


def scrubbed(folder: Path) -> tuple[Pii, ...]:
    """Kinds of personal data to take out of a text before a saved predictor answers it.

    Raises:
        TailTuneError: No card, or one that does not say it in words this version knows.
    """
    kinds = _card(folder).get("scrub_pii")
    if not isinstance(kinds, list) or not PII_KINDS.issuperset(kinds):
        raise TailTuneError(
            f"{folder / CARD}: scrub_pii is {kinds!r}; expected a list of {', '.join(sorted(PII_KINDS))}",
            "tailtune run <use-case>",
        )
    return tuple(kinds)


def load(folder: Path, embed: Embed | None = None) -> Predictor:
    """Bring back a saved predictor.

    Args:
        folder: What `save` wrote, with its card; one that was exported brings its own encoder.
        embed: The encoder to use where it brings none; the embedded one is loaded when None and needed.

    Raises:
        TailTuneError: No card, or a kind this version does not know.
    """
    loaded: Predictor
    kind, saved_class = kind_of(folder), _class(folder)
    if kind not in RUNG_KINDS:
        loaded = saved_class.load(folder)
        return loaded
    exported = served_encoder(folder)
    more = (codec_from,) if kind in PROMPTED_KINDS else ()
    loaded = saved_class.load(folder, _on_demand(exported) if exported else embed or _on_demand(None), *more)
    return loaded


def kind_of(folder: Path) -> str:
    """What a folder's card calls its predictor.

    Raises:
        TailTuneError: No card.
    """
    return str(_card(folder).get("kind"))


def source(folder: Path) -> Source | None:
    """The encoder to export for a saved predictor, on PyTorch; None for one that has none.

    Raises:
        TailTuneError: No card, or a kind this version does not know.
    """
    find = getattr(_class(folder), "source", None)
    found: Source | None = None if find is None else find(folder)
    return found


def _class(folder: Path) -> Any:
    """The class that a folder's card names.

    Raises:
        TailTuneError: No card, or a kind this version does not know.
    """
    kind = kind_of(folder)
    tuned = {task.fine_tune.saved_as or task.fine_tune.name: task.fine_tune for task in TASKS.values()}
    if kind not in tuned and kind not in RUNG_KINDS:
        raise TailTuneError(f"{folder / CARD}: unknown kind {kind!r}; known are {', '.join(RUNG_KINDS)}")
    return (tuned.get(kind) or RUNG_KINDS[kind]).load_class()


def codec_from(card: Mapping[str, Any]) -> Codec:
    """The codec that a saved prompted model was made with, from its `card`."""
    where = next(task.codec_where for task in TASKS.values() if task.codec == card["kind"])
    codec: Codec = imported(where).from_card(card)
    return codec


def _card(folder: Path) -> dict[str, Any]:
    if not (folder / CARD).is_file():
        raise TailTuneError(f"{folder}: no {CARD}; not a saved predictor", "tailtune run <use-case>")
    return read_object(folder / CARD)


def _on_demand(folder: Path | None) -> Embed:
    """An encoder, loaded when the first text comes: rungs that never embed need neither it nor torch.

    Args:
        folder: An exported encoder; the embedded one when None.
    """
    loaded: list[Embed] = []

    def embed(texts: Sequence[str]) -> Floats:
        if not loaded:
            from tailtune.predictors.encoder import Encoder

            loaded.append(Encoder.load(folder).embed)
        return loaded[0](texts)

    return embed
