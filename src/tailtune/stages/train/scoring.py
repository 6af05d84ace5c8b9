"""Passes without gradients: first sentence vectors of the train rows, and class scores of the dev rows."""

from collections.abc import Callable

import torch
from torch import Tensor

from tailtune.predictors.tokens import by_length, pad
from tailtune.stages.train.inputs import Inputs
from tailtune.stages.train.model import LoraClassifier


def train_vectors(model: LoraClassifier, inputs: Inputs) -> Tensor:
    """Unit vectors of all train rows → (n, width) float32, for the head's prototypes."""
    return _over(inputs.ids, model.vectors)


def dev_logits(model: LoraClassifier, inputs: Inputs) -> Tensor:
    """Class scores of all dev rows → (n, classes) float32."""
    return _over(inputs.dev_ids, model.logits)


def _over(ids: list[list[int]], function: Callable[[Tensor, Tensor | None], Tensor]) -> Tensor:
    found: Tensor | None = None
    with torch.no_grad():
        for rows in by_length(ids):
            values = function(*pad([ids[row] for row in rows])).cpu()
            if found is None:
                found = torch.empty(len(ids), values.shape[1])
            found[rows] = values
    if found is None:
        raise ValueError("no rows to score")
    return found
