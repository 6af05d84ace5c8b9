"""One frozen dense map, laid out once for the CPU's own kernels."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

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
