"""Which codecs there are, and how a saved one is brought back."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from tailtune.predictors.prompted.codec import Codec

KIND = "kind"
CODECS: Mapping[str, str] = {
    "labels": "tasks.classification.replies:LabelCodec",
    "object": "tasks.extraction.replies:ObjectCodec",
}
"""Kind, as a codec's card says it → its class, `module:Class` below src/tailtune/."""


def codec_from(card: Mapping[str, Any]) -> Codec:
    """The codec whose `card` this is."""
    module, _, name = CODECS[card[KIND]].partition(":")
    loaded: Codec = getattr(importlib.import_module(f"tailtune.{module}"), name).from_card(card)
    return loaded
