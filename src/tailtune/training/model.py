"""What every task trains: a frozen encoder with a peft LoRA adapter. Heads on top are the objective's own.

peft's own modules cast, scale and add once per adapted layer; here query, key and value share one product, base and
adapter share one output, and no gradient is computed that nobody reads. A test holds the two forward passes equal.
"""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel
from transformers.utils import logging

from tailtune.core.errors import TrainingError
from tailtune.predictors.bert import Bert, Linear, additive, attention, load_bert
from tailtune.predictors.torch_encoder import has_fast_bf16

_REPEATS = 8
_WORTH = 1.2


def pick_device() -> str:
    """`cuda` when a GPU is usable, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def pick_dtype(device: str) -> torch.dtype:
    """bfloat16 where the hardware multiplies it and a layer-sized product is at least 1.2 times faster, else float32.

    Costs about 30 ms on a CPU.
    """
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if has_fast_bf16() and _product_s(torch.float32) > _WORTH * _product_s(torch.bfloat16):
        return torch.bfloat16
    return torch.float32


def _product_s(dtype: torch.dtype) -> float:
    """The fastest of a few 512 × 384 × 1536 products, in seconds."""
    x, weight = torch.ones(512, 384, dtype=dtype), torch.ones(1536, 384, dtype=dtype)
    best = float("inf")
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        best = min(best, time.perf_counter() - begun)
    return best


@dataclass(frozen=True)
class AdaptedSlice:
    """One adapted slice of a stacked linear map: output columns start:stop, and its lora_B (stop - start, rank)."""

    start: int
    stop: int
    up: Tensor


@dataclass(frozen=True)
class Adapter:
    """What LoRA adds to one linear map: stacked lora_A (slices · rank, in), and each slice with its lora_B."""

    down: Tensor
    slices: tuple[AdaptedSlice, ...]


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
        spans = tuple((piece.start, piece.stop) for piece in adapter.slices)
        out: Tensor = _LoraLinear.apply(x, base, scale, spans, adapter.down, *(piece.up for piece in adapter.slices))
        return out
    narrow = (functional.dropout(x, dropout) @ adapter.down.t()).chunk(len(adapter.slices), dim=1)
    out = base(x)
    for piece, columns in zip(adapter.slices, narrow, strict=True):
        widened = functional.pad(columns @ piece.up.t(), (piece.start, out.shape[1] - piece.stop))
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


_MAPS = {  # our stacked map → peft's modules within one layer, in stacking order
    "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention_out": ("attention.output.dense",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
}


@dataclass(frozen=True)
class LoraShape:
    """What is adapted. One per training run."""

    rank: int
    alpha: int
    dropout: float
    modules: tuple[str, ...]


@dataclass(frozen=True)
class _Slot:
    """Where one adapted map's tensors lie in the flat vector: sizes and shapes in order, lora_A of all slices first."""

    layer: int
    map: str
    spans: tuple[tuple[int, int], ...]
    down_shape: tuple[int, int]
    up_shapes: tuple[tuple[int, int], ...]


class AdaptedEncoder:
    """Encoder with adapter; all adapter weights are views of one flat float32 vector.

    One vector means one cast to bf16 for each step, one gradient and one optimiser tensor, while peft's modules go on
    seeing (and saving) their own weights.
    """

    def __init__(self, encoder: Path, shape: LoraShape, dtype: torch.dtype, device: str) -> None:
        """Build on the frozen encoder at `encoder`; torch's global seed decides the adapter's first weights."""
        config = LoraConfig(
            r=shape.rank,
            lora_alpha=shape.alpha,
            lora_dropout=shape.dropout,
            target_modules=list(shape.modules),
        )
        self.peft: PeftModel = _with_adapter(encoder, config)
        self.shape = shape
        self.device = device
        self._bert = load_bert(encoder, dtype).to(device).for_training()
        self._slots, tensors = self._collect()
        if not tensors:
            raise TrainingError(f"train.modules: none of {', '.join(shape.modules)} is a layer of {encoder}")
        self.adapter = torch.cat([t.detach().flatten() for t in tensors]).to(device).requires_grad_()
        self._share(tensors)

    @property
    def max_positions(self) -> int:
        """The longest input in tokens."""
        return self._bert.max_positions

    @property
    def width(self) -> int:
        """Hidden size (384 for MiniLM)."""
        return self._bert.width

    def hidden(
        self, ids: Tensor, mask: Tensor | None, extra: Tensor | None = None, *, training: bool = False
    ) -> Tensor:
        """Hidden states of ids (n, t) → (n, t, width), in the dtype that the encoder computes in.

        Args:
            ids: Token ids, on any device.
            mask: (n, t) bool, True = real token; None when nothing is padded.
            extra: (n, t, width) added to the embeddings.
            training: Whether dropout is on.
        """
        ids, mask = ids.to(self.device), None if mask is None else mask.to(self.device)
        dropout = self.shape.dropout if training else 0.0
        scale = self.shape.alpha / self.shape.rank
        return encode(self._bert, self._adapters(), ids, mask, extra, scale=scale, dropout=dropout)

    def _adapters(self) -> dict[tuple[int, str], Adapter]:
        """The flat vector as adapters, in the encoder's dtype; gradients flow back into the one vector."""
        sizes = [rows * columns for slot in self._slots for rows, columns in (slot.down_shape, *slot.up_shapes)]
        pieces = iter(torch.split(self.adapter.to(self._bert.dtype), sizes))
        built = {}
        for slot in self._slots:
            down = next(pieces).view(slot.down_shape)
            slices = tuple(
                AdaptedSlice(start, stop, next(pieces).view(shape))
                for (start, stop), shape in zip(slot.spans, slot.up_shapes, strict=True)
            )
            built[slot.layer, slot.map] = Adapter(down, slices)
        return built

    def _collect(self) -> tuple[list[_Slot], list[torch.nn.Parameter]]:
        slots: list[_Slot] = []
        tensors: list[torch.nn.Parameter] = []
        for layer in range(len(self._bert.layers)):
            for name, modules in _MAPS.items():
                adapted_modules = list(self._lora_of(layer, modules))
                if not adapted_modules:
                    continue
                downs, ups = [down for _, down, _ in adapted_modules], [up for _, _, up in adapted_modules]
                width = ups[0].shape[0]
                slots.append(
                    _Slot(
                        layer=layer,
                        map=name,
                        spans=tuple((at * width, (at + 1) * width) for at, _, _ in adapted_modules),
                        down_shape=(self.shape.rank * len(adapted_modules), downs[0].shape[1]),
                        up_shapes=tuple((up.shape[0], up.shape[1]) for up in ups),
                    )
                )
                tensors += [*downs, *ups]
        return slots, tensors

    def _lora_of(
        self, layer: int, modules: tuple[str, ...]
    ) -> Iterator[tuple[int, torch.nn.Parameter, torch.nn.Parameter]]:
        for at, module in enumerate(modules):
            linear = self.peft.get_base_model().get_submodule(f"encoder.layer.{layer}.{module}")
            if hasattr(linear, "lora_A"):
                yield at, linear.lora_A["default"].weight, linear.lora_B["default"].weight

    def _share(self, tensors: list[torch.nn.Parameter]) -> None:
        """Let peft's parameters be views of the flat vector."""
        start = 0
        for tensor in tensors:
            flat = self.adapter.detach()[start : start + tensor.numel()]
            tensor.data = flat.view(tensor.shape)
            start += tensor.numel()


def _with_adapter(encoder: Path, config: LoraConfig) -> PeftModel:
    """The encoder wrapped by peft, without the bars and warnings of two libraries about their own matters."""
    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 reads a name that transformers 5 renames
            base = AutoModel.from_pretrained(encoder, dtype=torch.float32, add_pooling_layer=False)
            return get_peft_model(base, config)
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
