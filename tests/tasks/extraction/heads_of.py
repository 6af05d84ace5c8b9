"""Heads of random numbers for a small schema: enough to be told apart, too wild to be right."""

import torch
from torch import Tensor

from tailtune.tasks.extraction.heads import Layout
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from

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
