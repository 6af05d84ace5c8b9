"""Each prompt gets its own writer's answer, whatever was read before it, and inference is timed apart from choosing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictors.prompted.random_model import KINDS, random_network
from tailtune.predictors.prompted.local.decoding import Decoder
from tailtune.predictors.prompted.local.model import Loaded, load

WORDS = 120


@pytest.fixture(scope="module")
def loaded(random_model: Path) -> Loaded:
    return load(random_model)


class Dictating:
    """Writes the tokens it was given, each after some time, and keeps the scores it saw."""

    def __init__(self, tokens: list[int], wait_s: float = 0.0) -> None:
        self.tokens, self.seen = list[int](), list[np.ndarray]()
        self.done = False
        self._tokens, self._wait_s = tokens, wait_s

    def forced(self) -> list[int]:
        return []

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
    Decoder(loaded.model).write(prompts, writers, most=10)
    assert [writer.tokens for writer in writers] == expected
    for prompt, tokens, writer in zip(prompts, expected, writers, strict=True):
        for at, seen in enumerate(writer.seen):
            with torch.inference_mode():
                scores = loaded.model(torch.tensor([[*prompt, *tokens[:at]]])).logits[0, -1].float().numpy()
            assert np.abs(seen - scores).max() < 0.1 * np.abs(scores).max()
            assert seen.argmax() == scores.argmax()


def test_no_more_tokens_are_written_than_allowed(loaded: Loaded) -> None:
    writer = Dictating([30] * 50)
    Decoder(loaded.model).write([[9, 10]], [writer], most=7)
    assert writer.tokens == [30] * 7


def test_choosing_is_decode_and_a_short_answer_does_not_wait_for_a_long_one(loaded: Loaded) -> None:
    writers = [Dictating([30], 0.05), Dictating([30] * 6, 0.05)]
    short, long = Decoder(loaded.model).write([[9, 10], [11, 12]], writers, most=10)
    assert 100 <= short.decode_ms < 200
    assert long.decode_ms >= 350
    assert 0 < short.infer_ms < long.infer_ms


class Greedy:
    """Writes the likeliest token; some are forced, at the start and amid the answer."""

    def __init__(self, forces: bool) -> None:
        self.tokens, self.done = list[int](), False
        self._forces = forces

    def forced(self) -> list[int]:
        tokens = [7, 8] if self._forces and len(self.tokens) in (0, 5) else []
        self.tokens += tokens
        return tokens

    def take(self, scores: np.ndarray) -> int:
        self.tokens.append(int(scores.argmax()))
        return self.tokens[-1]

    def text(self) -> str:
        return ""


def tiny(kind: str) -> Any:
    # A model of noise with tied embeddings repeats what it read last.
    return random_network(kind, 1, vocab_size=WORDS, initializer_range=0.3, tie_word_embeddings=False).eval()


def by_whole_readings(model: Any, prompt: list[int], forces: bool, most: int) -> list[int]:
    """What is written when everything is read from its start for each token."""
    import torch

    writer = Greedy(forces)
    writer.forced()
    while len(writer.tokens) < most:
        with torch.inference_mode():
            scores = model(torch.tensor([[*prompt, *writer.tokens]]), use_cache=False).logits[0, -1]
        writer.take(scores.numpy())
        writer.forced()
    return writer.tokens


def similar_prompts() -> list[list[int]]:
    """Some with one beginning, then some with a shorter one, then strangers; of many lengths."""
    random = np.random.default_rng(3)
    head = random.integers(3, WORDS, 90).tolist()
    beginnings = [head] * 6 + [head[:70]] * 5 + [[]] * 3
    return [
        [*beginning, *random.integers(3, WORDS, 2 + 3 * (at % 4)).tolist()] for at, beginning in enumerate(beginnings)
    ]


@pytest.mark.parametrize("forces", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_read_before_and_company_change_no_token(kind: str, forces: bool) -> None:
    model, prompts, most = tiny(kind), similar_prompts(), 10
    expected = [by_whole_readings(model, prompt, forces, most) for prompt in prompts]
    assert len({tuple(tokens) for tokens in expected}) > 3, "the model does not tell the prompts apart"
    for together in (1, 4):
        decoder, found = Decoder(model), list[list[int]]()
        for start in range(0, len(prompts), together):
            writers = [Greedy(forces) for _ in prompts[start : start + together]]
            decoder.write(prompts[start : start + together], writers, most)
            found += [writer.tokens for writer in writers]
        assert found == expected


def test_a_beginning_is_read_once(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    head, read = list(range(10, 110)), list[tuple[int, int]]()
    forward = loaded.model.model.forward
    monkeypatch.setattr(
        loaded.model.model, "forward", lambda *a, **k: (read.append(tuple(k["input_ids"].shape)), forward(*a, **k))[1]
    )
    decoder = Decoder(loaded.model)
    for start in (200, 210):
        prompts = [[*head, start], [*head, start + 1, start + 2]]
        decoder.write(prompts, [Dictating([30, 31]), Dictating([30, 31])], most=10)
    assert read == [(1, 100), (2, 2), (2, 1), (2, 2), (2, 1)]


def test_requests_that_come_alone_share_a_beginning_from_the_third_on(loaded: Loaded) -> None:
    decoder, spent = Decoder(loaded.model), list[int]()
    for end in (200, 201, 202):
        decoder.write([[*range(10, 110), end]], [Dictating([30])], most=10)
        spent.append(len(decoder._head.tokens))
    assert spent == [0, 100, 100]
