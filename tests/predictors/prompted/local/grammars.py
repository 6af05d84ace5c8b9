"""What tests of held decoding share: a byte-level tokenizer as llguidance reads it, and a claim-sized schema."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from llguidance import LLTokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CLAIMS = Path(__file__).parents[4] / "models" / "insurance-claims" / "schema.json"


@cache
def claims_schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CLAIMS.read_text(encoding="utf-8"))
    return found


@cache
def tokens_of(vocabulary: int = 1500) -> LLTokenizer:
    """Every byte, and what the claims' schema is made of."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([CLAIMS.read_text(encoding="utf-8")], trainer)
    return LLTokenizer(raw.to_str(), eos_token=0)


def object_of(**properties: Any) -> dict[str, Any]:
    """An object that has exactly these."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
