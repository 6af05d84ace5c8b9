"""A GGUF file, written as llama.cpp's converter writes them, becomes a folder with the same model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFWriter, TokenType
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from predictors.prompted.random_model import write_random_model
from tailtune.core.errors import MissingInputError
from tailtune.predictors.prompted.gguf_file import write_folder

TEXT = "my card, number 1234, has not arrived yet"
LAYER = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
OUTSIDE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def permuted(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Query and key rows as llama.cpp rotates them: pairs, where transformers has halves."""
    shape = (heads, 2, values.shape[0] // heads // 2, values.shape[1])
    return np.ascontiguousarray(values.reshape(shape).swapaxes(1, 2).reshape(values.shape))


def write_gguf(file: Path, folder: Path, architecture: str = "llama") -> LlamaForCausalLM:
    """A folder's model as GGUF; returns the model in bfloat16, as the folder made of the file will have it."""
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = model.config
    writer = GGUFWriter(file, architecture)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    add_tokenizer(writer, tokenizer, config.vocab_size)
    for name, tensor in model.state_dict().items():
        values = tensor.float().numpy()
        stem = name.removesuffix(".weight")
        if stem in OUTSIDE:
            writer.add_tensor(f"{OUTSIDE[stem]}.weight", values)
            continue
        _, _, layer, of_layer = stem.split(".", 3)
        if of_layer in ("self_attn.q_proj", "self_attn.k_proj"):
            queries = of_layer == "self_attn.q_proj"
            values = permuted(values, config.num_attention_heads if queries else config.num_key_value_heads)
        writer.add_tensor(f"blk.{layer}.{LAYER[of_layer]}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def add_tokenizer(writer: GGUFWriter, tokenizer: Any, size: int) -> None:
    """A byte-level BPE's tokens, filled up to the size of the vocabulary, merges and chat template."""
    import json

    raw = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    words = sorted(raw["vocab"], key=raw["vocab"].__getitem__)
    words += [f"<unused{at}>" for at in range(size - len(words))]
    special = set(tokenizer.all_special_tokens) | {"<|system|>", "<|user|>", "<|assistant|>"}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(words)
    writer.add_token_types([TokenType.CONTROL if word in special else TokenType.NORMAL for word in words])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in raw["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(1)
    writer.add_pad_token_id(2)
    writer.add_chat_template(tokenizer.chat_template)


def test_the_folder_holds_the_model_of_the_file(tmp_path: Path) -> None:
    before = write_random_model(tmp_path / "before")
    model = write_gguf(tmp_path / "model.gguf", before)
    write_folder(tmp_path / "model.gguf", tmp_path / "after")
    after = AutoModelForCausalLM.from_pretrained(tmp_path / "after", torch_dtype=torch.bfloat16)
    given, made = AutoTokenizer.from_pretrained(before), AutoTokenizer.from_pretrained(tmp_path / "after")
    assert made.decode(made(TEXT)["input_ids"]) == TEXT
    assert made.chat_template == given.chat_template
    assert (made.bos_token, made.eos_token, made.pad_token) == ("<s>", "</s>", "<pad>")
    ids = torch.tensor([made("<|user|>\n" + TEXT)["input_ids"]])
    assert ids[0, 0] == given.convert_tokens_to_ids("<|user|>")
    with torch.inference_mode():
        assert torch.equal(after(ids).logits, model(ids).logits)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf", write_random_model(tmp_path / "before"), "qwen2")
    with pytest.raises(MissingInputError, match=r"qwen2 gpt2 smollm, expected a Llama model"):
        write_folder(tmp_path / "model.gguf", tmp_path / "after")
    assert not (tmp_path / "after").exists()
