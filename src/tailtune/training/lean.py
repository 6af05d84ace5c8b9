"""The adapter's forward and backward, in as few kernels as a CPU allows.

peft's own modules cast, scale and add once per adapted layer; here query, key and value share one product, base and
adapter share one output, and no gradient is computed that nobody reads. Equality with peft's forward is tested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tailtune.predictors.bert import Bert, Linear, additive, attention


@dataclass(frozen=True)
class Part:
    """One adapted slice of a stacked linear map: output columns start:stop, and its lora_B (stop - start, rank)."""

    start: int
    stop: int
    up: Tensor


@dataclass(frozen=True)
class Adapter:
    """What LoRA adds to one linear map: stacked lora_A (parts · rank, in) and one `Part` for each adapted slice."""

    down: Tensor
    parts: tuple[Part, ...]


class _LoraLinear(torch.autograd.Function):  # type: ignore[misc]
    """y = x Wᵀ + b + s (x Aᵀ) Bᵀ, slice by slice; W and b are frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        base: Linear,
        scale: float,
        spans: Sequence[tuple[int, int]],
        down: Tensor,
        *ups: Tensor,
    ) -> Tensor:
        """Rows (rows, in) → (rows, out)."""
        narrow = torch.mm(x, down.t()).mul_(scale)
        out = base(x)
        rank = down.shape[0] // len(spans)
        for at, ((start, stop), up) in enumerate(zip(spans, ups, strict=True)):
            out[:, start:stop].addmm_(narrow[:, at * rank : (at + 1) * rank], up.t())
        ctx.save_for_backward(x, narrow, down, *ups)
        ctx.base, ctx.scale, ctx.spans = base, scale, spans
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of (rows, out) to x, A and each B."""
        grad = grads[0]
        x, narrow, down, *ups = ctx.saved_tensors
        rank = down.shape[0] // len(ctx.spans)
        through = torch.empty_like(narrow)
        grad_ups = []
        for at, ((start, stop), up) in enumerate(zip(ctx.spans, ups, strict=True)):
            piece, columns = grad[:, start:stop], slice(at * rank, (at + 1) * rank)
            torch.mm(piece, up, out=through[:, columns]) if len(ups) == 1 else through[:, columns].copy_(piece @ up)
            grad_ups.append(torch.mm(piece.t(), narrow[:, columns]))
        through.mul_(ctx.scale)
        grad_down = torch.mm(through.t(), x)
        grad_x = ctx.base.gradient(grad).addmm_(through, down) if ctx.needs_input_grad[0] else None
        return (grad_x, None, None, None, grad_down, *grad_ups)


def adapted(x: Tensor, base: Linear, adapter: Adapter | None, scale: float, dropout: float) -> Tensor:
    """Apply one linear map with its adapter to x (rows, in); `dropout` acts on the adapter's input only."""
    if adapter is None:
        return base(x)
    if dropout == 0.0:
        spans = tuple((part.start, part.stop) for part in adapter.parts)
        out: Tensor = _LoraLinear.apply(x, base, scale, spans, adapter.down, *(part.up for part in adapter.parts))
        return out
    narrow = (functional.dropout(x, dropout) @ adapter.down.t()).chunk(len(adapter.parts), dim=1)
    out = base(x)
    for part, piece in zip(adapter.parts, narrow, strict=True):
        widened = functional.pad(piece @ part.up.t(), (part.start, out.shape[1] - part.stop))
        out = out + scale * widened
    return out


def encode(
    bert: Bert,
    adapters: Mapping[tuple[int, str], Adapter],
    ids: Tensor,
    mask: Tensor | None,
    extra: Tensor | None = None,
    *,
    scale: float,
    dropout: float = 0.0,
) -> Tensor:
    """Encode with adapters.

    Args:
        bert: Frozen weights in the dtype to compute in.
        adapters: By layer number and map: `qkv`, `attention_out`, `up` or `down`.
        ids: (n, t) int64.
        mask: (n, t) bool, True = real token; None when nothing is padded.
        extra: (n, t, width) added to the embeddings; gradients flow back into it.
        scale: alpha / rank.
        dropout: On each adapter's input; 0 takes the fused path.

    Returns:
        Hidden states (n, t, width).
    """
    n, t = ids.shape
    x = bert.embeddings(ids, extra).view(n * t, bert.width)
    bias = None if mask is None else additive(mask, x.dtype)
    for at, layer in enumerate(bert.layers):
        qkv = adapted(x, layer.qkv, adapters.get((at, "qkv")), scale, dropout)
        mixed = attention(qkv.view(n, t, -1), bert.heads, bias).view(n * t, bert.width)
        attended = adapted(mixed, layer.attention_out, adapters.get((at, "attention_out")), scale, dropout)
        x = layer.attention_norm(attended + x)
        inner = functional.gelu(adapted(x, layer.up, adapters.get((at, "up")), scale, dropout))
        x = layer.out_norm(adapted(inner, layer.down, adapters.get((at, "down")), scale, dropout) + x)
    return x.view(n, t, bert.width)
