"""The encoder's arithmetic, written for a CPU: a BERT stack over fused, frozen weights, its memory and its threads.

Why not `transformers.AutoModel`: its import takes three seconds and its forward spends more time in Python than in
kernels on one short text. This module reads the same `model.safetensors`; a test holds the two equal.
"""

import ctypes
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from tailtune.core.json_text import read_object

_ROWS_HINT = 512  # the layout serves any number of rows; measured the same for 16 and 1,024


@dataclass(frozen=True)
class Linear:
    """`weight` (out, in) and `bias` (out,), with copies in oneDNN's blocked layout where that library is at hand.

    PyTorch multiplies float32 with MKL, which takes the slow path on AMD processors: oneDNN on a packed weight was
    measured 2.2 times faster there, and 5 to 10 % faster in bf16 (docs/adr/004-training-engine.md).
    """

    weight: Tensor
    bias: Tensor
    forth: Tensor | None = None
    back: Tensor | None = None

    @classmethod
    def packed(cls, weight: Tensor, bias: Tensor) -> "Linear":
        """Pack a CPU weight for inference; elsewhere, or without oneDNN, keep it plain."""
        return cls(weight, bias, _pack(weight))

    def for_training(self) -> "Linear":
        """The same map, packed for its backward pass too."""
        return Linear(self.weight, self.bias, self.forth, _pack(self.weight.t().contiguous()))

    def __call__(self, x: Tensor) -> Tensor:
        """Map (…, in) to (…, out). The packed kernel knows no autograd: with gradients the plain one runs."""
        if self.forth is None or (torch.is_grad_enabled() and x.requires_grad):
            return functional.linear(x, self.weight, self.bias)
        return _product(x, self.forth, self.bias)

    def gradient(self, grad: Tensor) -> Tensor:
        """The gradient to the input (rows, in) of a gradient to the output (rows, out)."""
        return torch.mm(grad, self.weight) if self.back is None else _product(grad, self.back, None)

    def to(self, device: str) -> "Linear":
        """The same map on another device."""
        return self if device == "cpu" else Linear(self.weight.to(device), self.bias.to(device))


def _pack(weight: Tensor) -> Tensor | None:
    """The blocked copy of a weight; None where there is no oneDNN or no such kernel."""
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return None
    try:
        blocked: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS_HINT)
        _product(weight[:1], blocked, None)
    except (AttributeError, RuntimeError):  # private operators; another torch may lack them, or this dtype
        return None
    return blocked


def _product(x: Tensor, blocked: Tensor, bias: Tensor | None) -> Tensor:
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, blocked, bias, "none", [], "")
    return result


@dataclass(frozen=True)
class Norm:
    """One layer norm: `weight` and `bias` (width,)."""

    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)

    def to(self, device: str) -> "Norm":
        """The same norm on another device."""
        return replace(self, weight=self.weight.to(device), bias=self.bias.to(device))


@dataclass(frozen=True)
class Layer:
    """One transformer layer; query, key and value are stacked in `qkv` (3 · width, width)."""

    qkv: Linear
    attention_out: Linear
    attention_norm: Norm
    up: Linear
    down: Linear
    out_norm: Norm

    def for_training(self) -> "Layer":
        """The same layer, laid out for the backward pass too."""
        dense = ("qkv", "attention_out", "up", "down")
        return replace(self, **{name: getattr(self, name).for_training() for name in dense})

    def to(self, device: str) -> "Layer":
        """The same layer on another device."""
        return Layer(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


@dataclass(frozen=True)
class Bert:
    """A whole BERT encoder; every tensor shares one dtype and device."""

    words: Tensor
    positions: Tensor
    embedding_norm: Norm
    layers: tuple[Layer, ...]
    heads: int

    @property
    def width(self) -> int:
        """Hidden size (384 for MiniLM)."""
        return int(self.words.shape[1])

    @property
    def dtype(self) -> torch.dtype:
        """The dtype all arithmetic runs in."""
        return self.words.dtype

    @property
    def max_positions(self) -> int:
        """The longest input in tokens."""
        return int(self.positions.shape[0])

    def to(self, device: str) -> "Bert":
        """The same weights on another device."""
        return replace(
            self,
            words=self.words.to(device),
            positions=self.positions.to(device),
            embedding_norm=self.embedding_norm.to(device),
            layers=tuple(layer.to(device) for layer in self.layers),
        )

    def for_training(self) -> "Bert":
        """The same encoder, its dense maps laid out for the backward pass too."""
        return replace(self, layers=tuple(layer.for_training() for layer in self.layers))

    def embeddings(self, ids: Tensor, extra: Tensor | None = None) -> Tensor:
        """Token and position embeddings, and `extra` (n, t, width) ones, normalised: ids (n, t) → (n, t, width)."""
        x = functional.embedding(ids, self.words) + self.positions[: ids.shape[1]]
        return self.embedding_norm(x if extra is None else x + extra.to(x.dtype))

    def __call__(self, ids: Tensor, mask: Tensor | None, extra: Tensor | None = None) -> Tensor:
        """Encode token ids.

        Args:
            ids: (n, t) int64.
            mask: (n, t) bool, True = real token; None when nothing is padded.
            extra: (n, t, width) added to the embeddings: features of each token besides its id.

        Returns:
            Hidden states (n, t, width).
        """
        x = self.embeddings(ids, extra)
        bias = None if mask is None else additive(mask, x.dtype)
        for layer in self.layers:
            attended = layer.attention_out(attention(layer.qkv(x), self.heads, bias))
            x = layer.attention_norm(attended.add_(x))
            x = layer.out_norm(layer.down(functional.gelu(layer.up(x))).add_(x))
        return x


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn a bool mask (n, t), True = real token, into an additive attention bias (n, 1, 1, t)."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -1e4)[:, None, None, :]


def attention(qkv: Tensor, heads: int, bias: Tensor | None) -> Tensor:
    """Self-attention of stacked projections qkv (n, t, 3 · width) → (n, t, width).

    Written as two batched products: on short texts PyTorch's fused kernel is 2 times slower forward on a CPU and, in
    bf16, 10 times slower backward (docs/adr/004-training-engine.md).
    """
    n, t, triple = qkv.shape
    size = triple // 3 // heads
    query, key, value = qkv.view(n, t, 3, heads, size).permute(2, 0, 3, 1, 4).reshape(3, n * heads, t, size).unbind(0)
    scores = torch.bmm(query, key.transpose(1, 2)).view(n, heads, t, t) * size**-0.5
    weights = (scores if bias is None else scores + bias).softmax(dim=-1).view(n * heads, t, t)
    return torch.bmm(weights, value).view(n, heads, t, size).transpose(1, 2).reshape(n, t, triple // 3)


def mean_pool(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """Average the real tokens of hidden (n, t, width) in float32 → (n, width)."""
    hidden = hidden.float()
    if mask is None:
        return hidden.mean(dim=1)
    weight = mask.to(hidden.dtype)
    return torch.bmm(weight[:, None, :], hidden)[:, 0] / weight.sum(dim=1, keepdim=True)


def load_bert(folder: Path, dtype: torch.dtype, deltas: Mapping[str, Tensor] | None = None) -> Bert:
    """Read a BERT encoder from a Hugging Face model folder.

    Args:
        folder: Holds `config.json` and `model.safetensors`.
        dtype: What the weights are converted to, after any delta is added in float32.
        deltas: Weight updates (out, in) by module path, such as `encoder.layer.0.attention.self.query`: a merged LoRA.

    Raises:
        ValueError: The folder holds another architecture than BERT with GELU and absolute positions, or a delta names
            a module that does not exist.
    """
    config = read_object(folder / "config.json")
    found = (
        config.get("model_type"),
        config.get("hidden_act"),
        config.get("position_embedding_type", "absolute"),
    )
    if found != ("bert", "gelu", "absolute"):
        raise ValueError(
            f"{folder / 'config.json'}: expected a bert encoder with gelu and absolute positions, not {found}"
        )
    state = {name.removeprefix("bert."): tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    for module, delta in (deltas or {}).items():
        if f"{module}.weight" not in state:
            raise ValueError(f"{folder / 'model.safetensors'}: the adapter changes {module}, which this encoder lacks")
        state[f"{module}.weight"] = state[f"{module}.weight"].float() + delta
    return _assemble(state, config, dtype)


def _assemble(state: Mapping[str, Tensor], config: Mapping[str, object], dtype: torch.dtype) -> Bert:
    eps = float(str(config["layer_norm_eps"]))

    def get(*names: str) -> Tensor:
        return torch.cat([state[name].float() for name in names]).to(dtype).contiguous()

    def linear(*modules: str) -> Linear:
        return Linear.packed(get(*(f"{m}.weight" for m in modules)), get(*(f"{m}.bias" for m in modules)))

    def norm(module: str) -> Norm:
        return Norm(get(f"{module}.weight"), get(f"{module}.bias"), eps)

    def layer(at: str) -> Layer:
        return Layer(
            qkv=linear(*(f"{at}.attention.self.{part}" for part in ("query", "key", "value"))),
            attention_out=linear(f"{at}.attention.output.dense"),
            attention_norm=norm(f"{at}.attention.output.LayerNorm"),
            up=linear(f"{at}.intermediate.dense"),
            down=linear(f"{at}.output.dense"),
            out_norm=norm(f"{at}.output.LayerNorm"),
        )

    first_type = state["embeddings.token_type_embeddings.weight"][0].float()
    positions = state["embeddings.position_embeddings.weight"].float() + first_type
    return Bert(
        words=get("embeddings.word_embeddings.weight"),
        positions=positions.to(dtype),
        embedding_norm=norm("embeddings.LayerNorm"),
        layers=tuple(layer(f"encoder.layer.{i}") for i in range(int(str(config["num_hidden_layers"])))),
        heads=int(str(config["num_attention_heads"])),
    )


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h
_LARGE = 1 << 30
_OLD_GLIBC_MAX = 32 << 20


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Stop glibc from handing each freed block back to the kernel; measured 20 to 30 % more rows/s.

    Returns:
        Whether it took effect; False on a C library without `mallopt` (macOS, musl), where nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    mapped = mallopt(_MMAP_THRESHOLD, _LARGE) or mallopt(_MMAP_THRESHOLD, _OLD_GLIBC_MAX)
    return bool(mapped and mallopt(_TRIM_THRESHOLD, _LARGE) and mallopt(_TOP_PAD, 64 << 20))


_SAMPLE_S = 0.03
_GAIN = 1.1
_WORTH_ROWS = 256


def settle_threads(most: int) -> int:
    """Time a layer-sized kernel mix on `most` threads and on one, and set torch to the faster.

    OpenMP threads spin while they wait; next to one other busy process two threads were measured 12 times slower than
    one (26 against 314 rows/s). Costs about 0.1 s.

    Where waiting threads sleep (`OMP_WAIT_POLICY=PASSIVE`, as the command line sets it) nothing is changed: there two
    threads lose little on a busy machine, and a fixed number keeps training the same to the last bit.

    Args:
        most: Threads to use on a quiet machine, normally `torch.get_num_threads()` at the start.

    Returns:
        The number now in force.
    """
    if most <= 1 or os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE":
        return most
    x, weight = torch.ones(512, 384), torch.ones(768, 384)
    speed = {threads: _speed(threads, x, weight) for threads in (most, 1)}
    chosen = most if speed[most] > _GAIN * speed[1] else 1
    torch.set_num_threads(chosen)
    return chosen


@contextmanager
def settled(rows: int) -> Iterator[None]:
    """Work with the better number of threads, then as before. Fewer than 256 rows are not worth the measurement."""
    before = torch.get_num_threads()
    try:
        if rows >= _WORTH_ROWS:
            settle_threads(before)
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def _speed(threads: int, x: Tensor, weight: Tensor) -> float:
    """Kernel mixes a second with that many threads."""
    torch.set_num_threads(threads)
    with torch.inference_mode():
        torch.nn.functional.gelu(x @ weight.t())
        begun, done = time.perf_counter(), 0
        while time.perf_counter() - begun < _SAMPLE_S:
            torch.nn.functional.gelu(x @ weight.t())
            done += 1
        return done / (time.perf_counter() - begun)
