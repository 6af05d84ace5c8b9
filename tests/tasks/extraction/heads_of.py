"""Heads of random numbers for a small schema: enough to be told apart, too wild to be right."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from tailtune.predictors.encoder import Precision, open_bert
from tailtune.tasks.extraction.heads import Layout, TokenStates
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.windows import Packed, Windowed, Windows

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
    empty = Layout.of(schema).empty(width, kinds, "cpu")
    return {name: torch.randn(tensor.shape, generator=random) for name, tensor in empty.items()}


def plain_states(encoder: Path, precision: Precision = "fp32") -> TokenStates:
    return TokenStates(open_bert(encoder, precision), Windows(encoder, 32))


def token_states(states: TokenStates, texts: Sequence[str]) -> list[tuple[Windowed, Tensor]]:
    """Each text's words with their states (1 + words, width), `[CLS]` first."""
    rows = states.windows(texts) if texts else []
    found: dict[int, Tensor] = {}

    def keep(numbers: list[int], packed: Packed, batch: Tensor) -> None:
        found.update(
            {at: of_row[: 1 + len(rows[at].starts)].clone() for at, of_row in zip(numbers, batch, strict=True)}
        )

    states.each(rows, keep)
    return [(row, found[at]) for at, row in enumerate(rows)]
