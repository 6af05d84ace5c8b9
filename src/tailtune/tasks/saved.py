"""Which predictors there are, and how a saved one is brought back."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailtune.core.errors import TailTuneError
from tailtune.predictors.prepare.scrub import KINDS as PII_KINDS

if TYPE_CHECKING:
    from tailtune.config.model import Pii
    from tailtune.predictors.base import Embed, Floats, Predictor, Rung

CARD = "predictor.json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One per kind of predictor.

    Attributes:
        name: In specs, folders and reports.
        title: For people.
        where: Its class, `module:Class` below src/tailtune/.
        saved_as: What its folder's card says; its name, unless several tasks call theirs by one name.
    """

    name: str
    title: str
    where: str
    saved_as: str = ""

    def load_class(self) -> Any:
        """Import the class."""
        module, _, name = self.where.partition(":")
        return getattr(importlib.import_module(f"tailtune.{module}"), name)


FINE_TUNE, FINE_TUNE_TITLE = "lora", "LoRA fine-tune"
"""What every task calls its fine-tune."""
FINE_TUNES: Mapping[str, Kind] = {
    "classification": Kind(FINE_TUNE, FINE_TUNE_TITLE, "tasks.classification.fine_tune:LoraPredictor"),
    "extraction": Kind(FINE_TUNE, FINE_TUNE_TITLE, "tasks.extraction.fine_tune:LoraExtractor", "lora-extraction"),
}
"""Task → its fine-tune."""
_PROMPTED = "predictors.prompted.rung:Prompted"  # language models, the same for every task
RUNG_KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("majority", "Majority class", "tasks.classification.majority:Majority"),
        Kind("tfidf", "TF-IDF + linear", "tasks.classification.tfidf:Tfidf"),
        Kind("zero_shot", "Zero-shot by label description", "tasks.classification.zero_shot:ZeroShot"),
        Kind("prototypes", "Few-shot prototypes", "tasks.classification.prototypes:Prototypes"),
        Kind("retrieval", "Retrieval, nearest labelled rows", "tasks.classification.retrieval:Retrieval"),
        Kind("probe", "Frozen encoder + linear probe", "tasks.classification.probe:Probe"),
        Kind("blank", "Nothing said", "tasks.extraction.rungs.blank:Blank"),
        Kind("patterns", "Patterns and gazetteers", "tasks.extraction.rungs.patterns:Patterns"),
        Kind("template", "Nearest example as template", "tasks.extraction.rungs.template:Template"),
        Kind("token_probe", "Frozen encoder + token head", "tasks.extraction.rungs.token_probe:TokenProbe"),
        Kind("lm_zero_shot", "Prompt, zero-shot", _PROMPTED),
        Kind("lm_few_shot", "Prompt, few-shot", _PROMPTED),
        Kind("lm_chain_of_thought", "Prompt, step by step", _PROMPTED),
        Kind("lm_retrieval", "Prompt with retrieved examples", _PROMPTED),
        Kind("lm_constrained", "Best prompt, answer held to the schema", _PROMPTED),
        Kind("lm_strong", "Best prompt, stronger model", _PROMPTED),
        Kind("lm_optimised", "Best prompt, optimised", _PROMPTED),
    )
}
"""Name → rung, of all tasks: no two rungs share a name."""


def title(name: str) -> str:
    """What people call a predictor."""
    return FINE_TUNE_TITLE if name == FINE_TUNE else RUNG_KINDS[name].title


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
        folder: What `save` wrote, with its card.
        embed: The encoder to use; the embedded one is loaded when None and needed.

    Raises:
        TailTuneError: No card, or a kind this version does not know.
    """
    kind = _card(folder)["kind"]
    for tuned in FINE_TUNES.values():
        if kind == (tuned.saved_as or tuned.name):
            loaded: Predictor = tuned.load_class().load(folder)
            return loaded
    if kind not in RUNG_KINDS:
        raise TailTuneError(f"{folder / CARD}: unknown kind {kind!r}; known are {', '.join(RUNG_KINDS)}")
    rung: Rung[Any] = RUNG_KINDS[kind].load_class().load(folder, embed or _embed_on_demand())
    return rung


def _card(folder: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TailTuneError(f"{folder}: no {CARD}; not a saved predictor", "tailtune run <use-case>") from None
    return card


def _embed_on_demand() -> Embed:
    """The embedded encoder, loaded when the first text comes: rungs that never embed need neither it nor torch."""
    loaded: list[Embed] = []

    def embed(texts: Sequence[str]) -> Floats:
        if not loaded:
            from tailtune.predictors.encoder import Encoder

            loaded.append(Encoder.load().embed)
        return loaded[0](texts)

    return embed
