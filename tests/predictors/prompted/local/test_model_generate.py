"""Each prompt gets its own writer's answer, and inference is timed apart from choosing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tailtune.predictors.prompted.local.model import Loaded, load, write


@pytest.fixture(scope="module")
def loaded(random_model: Path) -> Loaded:
    return load(random_model)


class Dictating:
    """Writes the tokens it was given, each after some time, and keeps the scores it saw."""

    def __init__(self, tokens: list[int], wait_s: float = 0.0) -> None:
        self.tokens, self.seen = list[int](), list[np.ndarray]()
        self.done = False
        self._tokens, self._wait_s = tokens, wait_s

    def take(self, scores: np.ndarray) -> int:
        assert not self.done, "asked although it was complete"
        time.sleep(self._wait_s)
        self.seen.append(scores.copy())
        self.tokens.append(self._tokens[len(self.tokens)])
        self.done = len(self.tokens) == len(self._tokens)
        return self.tokens[-1]

    def text(self) -> str:
        return ""


def test_a_writer_sees_what_follows_from_its_own_prompt_and_words(loaded: Loaded) -> None:
    import torch

    prompts, expected = [[9, 10, 11, 12, 13], [20, 21]], [[30, 31, 32], [40]]
    writers = [Dictating(tokens) for tokens in expected]
    write(loaded, prompts, writers, most=10)
    assert [writer.tokens for writer in writers] == expected
    for prompt, tokens, writer in zip(prompts, expected, writers, strict=True):
        for at, seen in enumerate(writer.seen):
            with torch.inference_mode():
                scores = loaded.model(torch.tensor([[*prompt, *tokens[:at]]])).logits[0, -1].float().numpy()
            assert np.abs(seen - scores).max() < 0.1 * np.abs(scores).max()
            assert seen.argmax() == scores.argmax()


def test_no_more_tokens_are_written_than_allowed(loaded: Loaded) -> None:
    writer = Dictating([30] * 50)
    write(loaded, [[9, 10]], [writer], most=7)
    assert writer.tokens == [30] * 7


def test_choosing_is_decode_and_a_short_answer_does_not_wait_for_a_long_one(loaded: Loaded) -> None:
    short, long = write(loaded, [[9, 10], [11, 12]], [Dictating([30], 0.05), Dictating([30] * 6, 0.05)], most=10)
    assert 100 <= short.decode_ms < 200
    assert long.decode_ms >= 350
    assert 0 < short.infer_ms < long.infer_ms
