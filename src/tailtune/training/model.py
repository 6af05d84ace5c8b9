"""What every task trains: a frozen encoder with a peft LoRA adapter. Heads on top are the objective's own."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import AutoModel
from transformers.utils import logging

from tailtune.core.errors import TrainingError
from tailtune.predictors.bert import load_bert
from tailtune.training.lean import Adapter, Part, encode

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
    """Where one adapted map's tensors lie in the flat vector: sizes and shapes in order, lora_A of all parts first."""

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
            parts = tuple(
                Part(start, stop, next(pieces).view(shape))
                for (start, stop), shape in zip(slot.spans, slot.up_shapes, strict=True)
            )
            built[slot.layer, slot.map] = Adapter(down, parts)
        return built

    def _collect(self) -> tuple[list[_Slot], list[torch.nn.Parameter]]:
        slots: list[_Slot] = []
        tensors: list[torch.nn.Parameter] = []
        for layer in range(len(self._bert.layers)):
            for name, modules in _MAPS.items():
                found = list(self._lora_of(layer, modules))
                if not found:
                    continue
                downs, ups = [down for _, down, _ in found], [up for _, _, up in found]
                width = ups[0].shape[0]
                slots.append(
                    _Slot(
                        layer=layer,
                        map=name,
                        spans=tuple((at * width, (at + 1) * width) for at, _, _ in found),
                        down_shape=(self.shape.rank * len(found), downs[0].shape[1]),
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
