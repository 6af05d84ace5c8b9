"""One text at a time, warm-up left out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from threading import Thread

import numpy as np
import pytest
from tasks.extraction.heads_of import plain_states

from tailtune.core.records import Answer
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.timing import PARTS, WARM_UP_ROWS, time_rows, timed
from tailtune.tasks.classification.rungs import Classifier
from tailtune.tasks.extraction.layout import TokenStates


class Slow:
    """Waits as long as a text says, in milliseconds; the first calls are slower."""

    def __init__(self, first_ms: float = 0.0) -> None:
        self.requests: list[list[str]] = []
        self._first_ms = first_ms

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        self.requests.append(list(texts))
        time.sleep((float(texts[0]) + (self._first_ms if len(self.requests) <= WARM_UP_ROWS else 0)) / 1000)
        return [Answer("x", 1.0)]


def test_each_text_is_asked_alone_after_a_warm_up() -> None:
    slow = Slow()
    texts = [str(i % 2) for i in range(8)]
    found = time_rows(slow, texts)
    assert slow.requests == [[text] for text in (*texts[:WARM_UP_ROWS], *texts)]
    assert found.rows == 8


def test_percentiles_are_those_of_the_texts_in_milliseconds() -> None:
    found = time_rows(Slow(first_ms=150), [*(["2"] * 19), "60"])
    assert 2 <= found.p50_ms < 40
    assert found.p99_ms * 1.3 >= 60
    assert found.p50_ms <= found.p95_ms <= found.p99_ms
    assert 4.9 <= found.mean_ms < 60, "the warm-up counts"


def test_percentiles_on_a_clock_that_tells_known_times(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = np.arange(1, 101, dtype=float)
    ticks = iter(np.column_stack([np.zeros(100), spent / 1000]).ravel().tolist())
    monkeypatch.setattr("tailtune.predictors.timing.time.perf_counter", lambda: next(ticks))
    found = time_rows(Slow(), ["0"] * 100)
    known = [round(float(q), 3) for q in np.percentile(spent, [50, 95, 99])]
    assert [found.p50_ms, found.p95_ms, found.p99_ms] == known
    assert found.mean_ms == pytest.approx(50.5)


class Clock:
    """Moves only when a predictor says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def passes(self, ms: float) -> None:
        self.now_s += ms / 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr("tailtune.predictors.timing.time.perf_counter", made)
    yield made


class Parted:
    """1 ms unmarked, 8 ms infer with 2 ms tokenise inside, 4 ms decode; ten times that for a long text."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        times = 10 if texts[0] == "long" else 1
        self._clock.passes(1 * times)
        with timed("infer"):
            self._clock.passes(3 * times)
            with timed("tokenise"):
                self._clock.passes(2 * times)
            self._clock.passes(3 * times)
        with timed("decode"):
            self._clock.passes(4 * times)
        return [Answer("x", 1.0)]


def test_the_inner_part_is_charged_and_what_is_not_marked_is_decode(clock: Clock) -> None:
    found = time_rows(Parted(clock), ["short"])
    assert found.parts == pytest.approx({"tokenise": 2, "infer": 6, "decode": 5})


def test_parts_are_means_and_add_up_to_the_mean(clock: Clock) -> None:
    found = time_rows(Parted(clock), ["short", "long"])
    assert found.parts == pytest.approx({"tokenise": 11, "infer": 33, "decode": 27.5})
    assert sum(found.parts.values()) == pytest.approx(found.mean_ms)


def test_a_predictor_that_marks_nothing_decodes() -> None:
    found = time_rows(Slow(), ["5"])
    assert found.parts["decode"] == found.mean_ms >= 5
    assert found.parts["tokenise"] == found.parts["infer"] == 0


class Failing:
    def answer(self, texts: Sequence[str]) -> list[Answer]:
        with timed("infer"):
            raise ValueError(texts[0])


def test_an_error_goes_on_and_leaves_nobody_timing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailtune.predictors.timing.WARM_UP_ROWS", 0)
    with pytest.raises(ValueError, match="a"):
        time_rows(Failing(), ["a"])
    assert timed("infer") is timed("decode"), "a watch still runs"


class Elsewhere:
    """Another thread works on something else meanwhile, marked too."""

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        seen: list[bool] = []
        other = Thread(target=lambda: seen.append(timed("infer") is timed("decode")))
        other.start()
        other.join()
        assert seen == [True], "the other thread was timed"
        assert copy_context().run(lambda: timed("infer") is not timed("infer")), "nobody times here"
        return [Answer("x", 1.0)]


def test_other_threads_are_not_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailtune.predictors.timing.WARM_UP_ROWS", 0)
    assert set(time_rows(Elsewhere(), ["a"]).parts) == set(PARTS)


class OfEncoder(Classifier):
    labels = ("a", "b")

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        vectors = self._encoder.embed(texts)
        return np.tile(np.array([[0.5, 0.5]], dtype=np.float32), (len(vectors), 1))


class OfStates:
    def __init__(self, states: TokenStates) -> None:
        self._states = states

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        rows = self._states.windows(texts)
        for _ in self._states.each(rows):
            time.sleep(0.02)
        return [Answer("x", 1.0)]


def test_the_encoder_says_what_is_tokenising_and_what_is_inference(tiny_encoder) -> None:
    found = time_rows(OfEncoder(Encoder.load(tiny_encoder)), ["a card that was not sent"] * 3)
    assert all(found.parts[name] > 0 for name in PARTS)
    assert sum(found.parts.values()) == pytest.approx(found.mean_ms, abs=0.002)


def test_what_is_made_of_the_states_of_words_is_not_inference(tiny_encoder) -> None:
    found = time_rows(OfStates(plain_states(tiny_encoder)), ["a card that was not sent"] * 3)
    assert found.parts["tokenise"] > 0
    assert found.parts["infer"] > 0
    assert found.parts["decode"] >= 20
