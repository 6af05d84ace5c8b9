"""What to compute on and in: GPU or CPU, and bfloat16 only where it is really faster."""

import time

import torch

from tailtune.predictors.encoder import has_fast_bf16

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
