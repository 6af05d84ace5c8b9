"""Heads of random numbers for a small schema: enough to be told apart, too wild to be right."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from tailtune.predictors.base import Floats
from tailtune.predictors.encoder import open_stack
from tailtune.predictors.torch_encoder import Precision
from tailtune.tasks.extraction.heads import empty_heads
from tailtune.tasks.extraction.layout import Layout, TokenStates
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.windows import Windowed, Windows

SCHEMA = schema_from(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "amount", "peril", "police"],
        "properties": {
            "name": {"type": ["string", "null"]},
            "amount": {"type": ["integer", "null"]},
            "items": {"type": "array", "items": {"type": "string"}},
            "peril": {"enum": ["fire", "water", None]},
            "police": {"type": "boolean"},
        },
    }
)


def random_heads(schema: ObjectSchema = SCHEMA, width: int = 32, kinds: int = 8) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(4)
    empty = empty_heads(Layout.of(schema), width, kinds, "cpu")
    return {name: torch.randn(tensor.shape, generator=random) for name, tensor in empty.items()}


def plain_states(encoder: Path, precision: Precision = "fp32") -> TokenStates:
    return TokenStates(open_stack(encoder, precision), Windows(encoder, 32))


def token_states(states: TokenStates, texts: Sequence[str]) -> list[tuple[Windowed, Floats]]:
    """Each text's words with their states (1 + words, width), `[CLS]` first."""
    rows = states.windows(texts) if texts else []
    found = dict(states.each(rows))
    return [(row, found[at]) for at, row in enumerate(rows)]
