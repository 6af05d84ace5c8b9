"""A tiny encoder on disk, shaped like the embedded one."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from tailtune.predictors.reading import encoder_path


def write_tiny_encoder(folder: Path) -> Path:
    """Two layers of width 32, four heads, seeded random weights, the embedded encoder's tokenizer."""
    torch.manual_seed(3)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, max_position_embeddings=64
    )
    config.save_pretrained(folder)
    state = BertModel(config, add_pooling_layer=False).state_dict()
    noise = {name: t + 0.05 * torch.randn_like(t) if t.is_floating_point() else t for name, t in state.items()}
    save_file(noise, folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copyfile(encoder_path() / "tokenizer.json", folder / "tokenizer.json")
    return folder
