"""A batch of prompts to answers: the model scores, each answer's writer chooses, and both are timed apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tailtune.predictors.prompted.local.folder import Loaded
from tailtune.predictors.prompted.local.writers import Writer


@dataclass(frozen=True, slots=True)
class Spent:
    """One per answer: milliseconds of its whole batch until it was complete."""

    infer_ms: float
    decode_ms: float


class _Steering:
    """Stands where transformers lets scores be changed: leaves each row the one token that its writer chose."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = writers
        self._infer_s = self._decode_s = 0.0
        self._since = time.perf_counter()
        self.spent: list[Spent | None] = [None] * len(writers)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores (n, vocabulary) with minus infinity for all tokens but one of each row."""
        import torch

        asked = scores.float().cpu().numpy()  # waits for the device, so it is part of inference
        begun = time.perf_counter()
        self._infer_s += begun - self._since
        chosen = torch.full_like(scores, float("-inf"))
        for row, writer in enumerate(self._writers):
            chosen[row, 0 if writer.done else writer.take(asked[row])] = 0.0
        self._since = time.perf_counter()
        self._decode_s += self._since - begun
        for row, writer in enumerate(self._writers):
            if writer.done and self.spent[row] is None:
                self.spent[row] = self.now()
        return chosen

    def stops(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Which rows are complete, shape (n,) bool."""
        import torch

        return torch.tensor([writer.done for writer in self._writers], device=input_ids.device)

    def now(self) -> Spent:
        return Spent(self._infer_s * 1000, self._decode_s * 1000)


def write(loaded: Loaded, prompts: Sequence[Sequence[int]], writers: Sequence[Writer], most: int) -> list[Spent]:
    """Let writers write answers to prompts, all at once.

    Args:
        loaded: The model.
        prompts: Token ids, at least one each; padded on the left.
        writers: One per prompt.
        most: Tokens of an answer.

    Returns:
        What each answer took. Answers of a batch wait for each other, as requests to a busy server do.
    """
    import torch
    from transformers import LogitsProcessorList, StoppingCriteriaList

    longest = max(map(len, prompts))
    pad = loaded.tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (longest - len(one)) + list(one) for one in prompts], device=loaded.device)
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts], device=loaded.device)
    steering = _Steering(writers)
    with torch.inference_mode():
        loaded.model.generate(
            ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=most,
            logits_processor=LogitsProcessorList([steering]),
            stopping_criteria=StoppingCriteriaList([steering.stops]),
        )
    return [spent or steering.now() for spent in steering.spent]
