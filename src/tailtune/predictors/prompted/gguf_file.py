"""A Llama model in a GGUF file, written as a folder that transformers reads: dequantised weights, tokenizer, template.

transformers reads GGUF files itself, but keeps their weights packed, so that they cannot be saved. Names, permutation
and fields are those of llama.cpp's converter (https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.core.errors import MissingInputError

_OF_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_CONTROL = 3  # of `tokenizer.ggml.token_type`: a token that no text is made of


def write_folder(file: Path, folder: Path) -> None:
    """Write config, tokenizer and bfloat16 safetensors.

    Args:
        file: GGUF, of the Llama architecture, with a byte-level BPE tokenizer.
        folder: Where; made when it is not there.

    Raises:
        MissingInputError: The library `gguf` is not installed, or the file holds another kind of model.
    """
    try:
        from gguf import GGUFReader
    except ImportError:
        raise MissingInputError(
            f"{file.name}: reading it takes the library gguf, which is not installed", "pip install gguf"
        ) from None
    reader = GGUFReader(file)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    kind = fields["general.architecture"], fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]
    if kind != ("llama", "gpt2", "smollm"):
        raise MissingInputError(
            f"{file}: {' '.join(kind)}, expected a Llama model with SmolLM's tokenizer",
            "save another model as safetensors, and name its `folder`",
        )
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer(fields).save_pretrained(folder)
    _model(fields, reader.tensors).save_pretrained(folder)


def _model(fields: Mapping[str, Any], tensors: Any) -> Any:
    import torch
    from gguf import dequantize
    from transformers import LlamaConfig, LlamaForCausalLM

    heads, key_heads = fields["llama.attention.head_count"], fields["llama.attention.head_count_kv"]
    weights = {}
    for tensor in tensors:
        values = np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)  # a copy that can be written
        values = values.reshape(tuple(tensor.shape)[::-1])  # GGUF names the innermost dimension first
        if ".attn_q." in tensor.name or ".attn_k." in tensor.name:
            values = _unpermuted(values, heads if ".attn_q." in tensor.name else key_heads)
        weights[_name(tensor.name)] = torch.from_numpy(values).to(torch.bfloat16)
    tied = "lm_head.weight" not in weights
    if tied:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    config = LlamaConfig(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=fields["llama.embedding_length"],
        intermediate_size=fields["llama.feed_forward_length"],
        num_hidden_layers=fields["llama.block_count"],
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        max_position_embeddings=fields["llama.context_length"],
        rope_parameters={"rope_type": "default", "rope_theta": float(fields["llama.rope.freq_base"])},
        rms_norm_eps=float(np.float32(fields["llama.attention.layer_norm_rms_epsilon"])),
        tie_word_embeddings=tied,
        bos_token_id=fields["tokenizer.ggml.bos_token_id"],
        eos_token_id=fields["tokenizer.ggml.eos_token_id"],
        pad_token_id=fields["tokenizer.ggml.padding_token_id"],
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.load_state_dict(weights, assign=True)
    model.tie_weights()
    return model.to(torch.bfloat16)


def _name(name: str) -> str:
    """A tensor's name in transformers, of its name in llama.cpp."""
    stem, _, ending = name.rpartition(".")
    if not stem.startswith("blk."):
        return f"{_OUTSIDE[stem]}.{ending}"
    _, layer, of_layer = stem.split(".")
    return f"model.layers.{layer}.{_OF_LAYER[of_layer]}.{ending}"


def _unpermuted(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of a query or key matrix as transformers rotates them: halves, where llama.cpp has pairs."""
    pairs = values.reshape(heads, values.shape[0] // heads // 2, 2, values.shape[1])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(values.shape))


def _tokenizer(fields: Mapping[str, Any]) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    raw = Tokenizer(models.BPE({word: at for at, word in enumerate(words)}, merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    raw.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    raw.decoder = decoders.ByteLevel()
    kinds = fields["tokenizer.ggml.token_type"]
    special = [word for word, kind in zip(words, kinds, strict=True) if kind == _CONTROL]
    raw.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in special])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token=words[fields["tokenizer.ggml.bos_token_id"]],
        eos_token=words[fields["tokenizer.ggml.eos_token_id"]],
        unk_token=words[fields["tokenizer.ggml.unknown_token_id"]],
        pad_token=words[fields["tokenizer.ggml.padding_token_id"]],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = fields["tokenizer.chat_template"]
    return tokenizer
