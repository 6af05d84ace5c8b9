"""The optimiser and its learning rates; the tensors it steps are the adapter's flat vector and the heads."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tailtune.training.job import FitJob

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def rate_share(step: int, steps: int, warmup_share: float) -> float:
    """The share of the peak rate at one step, 0 to 1: up over the warm-up, then straight down to 0 after the last."""
    warmup = warmup_share * steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (steps - step) / max(1.0, steps - warmup)


class Optimiser:
    """AdamW with a rate of its own for the heads."""

    def __init__(self, job: FitJob, adapter: Tensor, heads: Sequence[Tensor], steps: int) -> None:
        """Plan `steps` updates of the adapter and the heads."""
        self._peaks = (job.learning_rate, job.head_learning_rate)
        self._steps, self._warmup_share = steps, job.warmup_share
        self._parameters = [adapter, *heads]
        groups = [
            {"params": [adapter], "weight_decay": job.weight_decay},
            {"params": list(heads), "weight_decay": 0.0},
        ]
        self._adamw = torch.optim.AdamW(groups, lr=job.learning_rate, fused=True)

    def update(self, step: int) -> None:
        """Apply the gradients gathered since the last update, as update number `step` (0 is the first)."""
        share = rate_share(step, self._steps, self._warmup_share)
        for group, peak in zip(self._adamw.param_groups, self._peaks, strict=True):
            group["lr"] = peak * share
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """The moments, by flat name; empty before the first update."""
        state = self._adamw.state
        return {
            f"optimiser.{at}.{name}": state[parameter][name].detach().cpu()
            for at, parameter in enumerate(self._parameters)
            for name in _MOMENTS
            if name in state[parameter]
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        for at, parameter in enumerate(self._parameters):
            for name in _MOMENTS:
                kept = tensors.get(f"optimiser.{at}.{name}")
                if kept is not None:
                    self._adamw.state[parameter][name] = kept.clone().to(parameter.device)
