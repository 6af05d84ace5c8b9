"""The trained classifier: a frozen encoder, a peft LoRA adapter and a linear head on the unit sentence vector."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel
from transformers.utils import logging

from tailtune.core.errors import TrainingError
from tailtune.predictors.bert import load_bert, mean_pool
from tailtune.stages.train.lean import Adapter, Part, encode

HEAD_SCALE = 20.0
"""Logits are this many times the cosine to a class prototype at the start."""

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


class LoraClassifier:
    """Encoder with adapter and head; all adapter weights are views of one flat float32 vector.

    One vector means one cast to bf16 for each step, one gradient and one optimiser tensor, while peft's modules go on
    seeing (and saving) their own weights.
    """

    def __init__(self, encoder: Path, n_classes: int, shape: LoraShape, dtype: torch.dtype, device: str) -> None:
        """Build on the frozen encoder at `encoder`; torch's global seed decides the adapter's first weights."""
        config = LoraConfig(
            r=shape.rank,
            lora_alpha=shape.alpha,
            lora_dropout=shape.dropout,
            target_modules=list(shape.modules),
        )
        self.peft: PeftModel = _with_adapter(encoder, config)
        self.shape = shape
        self.n_classes = n_classes
        self.device = device
        self._bert = load_bert(encoder, dtype).to(device).for_training()
        self._slots, tensors = self._collect()
        if not tensors:
            raise TrainingError(f"train.modules: none of {', '.join(shape.modules)} is a layer of {encoder}")
        self.adapter = torch.cat([t.detach().flatten() for t in tensors]).to(device).requires_grad_()
        self._share(tensors)
        self.head_weight = torch.zeros(n_classes, self._bert.width, device=device, requires_grad=True)
        self.head_bias = torch.zeros(n_classes, device=device, requires_grad=True)

    @property
    def max_positions(self) -> int:
        """The longest input in tokens."""
        return self._bert.max_positions

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """The head's trainable weight (classes, width) and bias (classes,)."""
        return self.head_weight, self.head_bias

    def parameters(self) -> tuple[Tensor, ...]:
        """Everything that is trained; the frozen encoder is not among it."""
        return self.adapter, *self.head

    def state(self) -> dict[str, Tensor]:
        """A copy of everything trained, by name, on the CPU."""
        named = {"adapter": self.adapter, "head_weight": self.head_weight, "head_bias": self.head_bias}
        return {name: tensor.detach().cpu().clone() for name, tensor in named.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Put a copy made by `state` back, in place."""
        with torch.no_grad():
            self.adapter.copy_(state["adapter"])
            self.head_weight.copy_(state["head_weight"])
            self.head_bias.copy_(state["head_bias"])

    def vectors(self, ids: Tensor, mask: Tensor | None, *, training: bool = False) -> Tensor:
        """Unit sentence vectors of ids (n, t) → (n, width) float32."""
        ids, mask = ids.to(self.device), None if mask is None else mask.to(self.device)
        dropout = self.shape.dropout if training else 0.0
        scale = self.shape.alpha / self.shape.rank
        hidden = encode(self._bert, self._adapters(), ids, mask, scale=scale, dropout=dropout)
        return functional.normalize(mean_pool(hidden, mask), dim=1)

    def logits(self, ids: Tensor, mask: Tensor | None, *, training: bool = False) -> Tensor:
        """Class scores of ids (n, t) → (n, classes) float32."""
        return functional.linear(self.vectors(ids, mask, training=training), self.head_weight, self.head_bias)

    def start_head(self, vectors: Tensor, labels: Sequence[int]) -> None:
        """Set the head to the class prototypes: the unit mean of each class's vectors (n, width).

        Classes without rows keep a zero prototype.
        """
        target = torch.tensor(labels)
        sums = torch.zeros(self.n_classes, vectors.shape[1]).index_add_(0, target, vectors.cpu())
        with torch.no_grad():
            self.head_weight.copy_(functional.normalize(sums, dim=1) * HEAD_SCALE)
            self.head_bias.zero_()

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
