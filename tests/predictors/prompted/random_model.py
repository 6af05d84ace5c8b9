"""A tiny causal language model with random weights, on disk: what it says is noise, so what holds it must hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

CHAT = (
    "{% for one in messages %}<|{{ one.role }}|>\n{{ one.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
_WORDS = ('{"label": "card_arrival"}', "which of these labels fits the text: my card has not arrived yet", "0123456789")

KINDS: dict[str, dict[str, Any]] = {
    "LlamaConfig": {},
    "Qwen2Config": {},
    "Gemma3TextConfig": {"head_dim": 8, "sliding_window": 1000, "layer_types": ["sliding_attention", "full_attention"]},
    "Gemma2Config": {"head_dim": 8, "sliding_window": 16},
    "GPT2Config": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "BloomConfig": {"n_layer": 2, "n_head": 4},
    "Lfm2Config": {"layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False},
}
"""Ways to attend: to everything, within windows that prompts fit into or do not, by distance, beside a state."""


def random_network(kind: str, seed: int, **changed: Any) -> Any:
    """Two layers of width 32 with seeded random weights, of one of `KINDS`; `changed` are keys of its configuration."""
    common = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = getattr(transformers, kind)(**{**common, "num_key_value_heads": 2, **KINDS[kind], **changed})
    torch.manual_seed(seed)
    return transformers.AutoModelForCausalLM.from_config(config)


def write_random_model(
    folder: Path,
    *,
    texts: Sequence[str] = _WORDS,
    chat_template: str | None = CHAT,
    positions: int = 4096,
    vocabulary: int = 400,
    seed: int = 5,
    kind: str = "LlamaConfig",
) -> Path:
    """Two layers of width 32 with seeded random weights, and a byte-level BPE tokenizer trained on some texts.

    Args:
        folder: Where; made when it is not there.
        texts: What the tokenizer learns its tokens from.
        chat_template: Of the tokenizer; None writes none.
        positions: Longest prompt and answer together, tokens.
        vocabulary: Tokens at most; 260 are needed for all bytes and the special tokens.
        seed: Of the weights.
        kind: One of `KINDS`.
    """
    special = ["<s>", "</s>", "<pad>", "<|system|>", "<|user|>", "<|assistant|>"]
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(folder)
    network = random_network(
        kind,
        seed,
        vocab_size=len(tokenizer) + 7,  # as real ones: rounded up, beyond what the tokenizer knows
        max_position_embeddings=positions,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        initializer_range=0.5,
    )
    disable_progress_bar()
    network.save_pretrained(folder)
    return folder
