from pathlib import Path

import numpy as np
import pytest

from tailtune.core.records import Span
from tailtune.predictors.base import softmax
from tailtune.tasks.extraction.layout import Layout, TextScores
from tailtune.tasks.extraction.tag_reading import Calibration, read
from tailtune.tasks.extraction.windows import Windows
from tasks.extraction.heads_of import SCHEMA

LAYOUT = Layout.of(SCHEMA)
PERIL, POLICE = np.array([0.0, 2.0, 1.0], dtype=np.float32), np.array([3.0, 0.0], dtype=np.float32)


def scores(encoder: Path, text: str, tags: list[int], height: float = 3.0) -> TextScores:
    """Each word's tag stands out by `height`."""
    words = Windows(encoder, 64)([text])[0]
    return TextScores(words, height * np.eye(LAYOUT.tags.size, dtype=np.float32)[tags], (PERIL, POLICE))


def test_what_is_found_chosen_and_absent(tiny_encoder: Path) -> None:
    reading = read(LAYOUT, scores(tiny_encoder, "Ann Lee paid 5", [1, 2, 0, 3]), Calibration())
    assert [one.span for one in reading.found] == [Span(0, 7, "name"), Span(13, 14, "amount")]
    own = float(np.exp(3) / (np.exp(3) + 6))
    other = (1 - own) / 6
    assert reading.found[0].confidence == pytest.approx(own**2 * (1 - other))
    assert reading.found[1].confidence == pytest.approx(own), "nothing stands behind the last word"
    assert reading.absent == {"items": pytest.approx(1 - other)}
    assert {name: one.value for name, one in reading.chosen.items()} == {"peril": "water", "police": False}
    assert reading.chosen["peril"].confidence == pytest.approx(softmax(PERIL)[1])


def test_calibration_moves_confidence_and_never_the_answer(tiny_encoder: Path) -> None:
    given = scores(tiny_encoder, "Ann Lee paid 5", [1, 2, 0, 3])
    plain = read(LAYOUT, given, Calibration())
    tempered = read(LAYOUT, given, Calibration(2.0, (4.0, 0.5)))
    powered = read(LAYOUT, given, Calibration(1.0, (), 2.0, 3.0))
    for other in (tempered, powered):
        assert [one.span for one in other.found] == [one.span for one in plain.found]
        assert {n: one.value for n, one in other.chosen.items()} == {n: one.value for n, one in plain.chosen.items()}
    assert tempered.found[0].confidence < plain.found[0].confidence
    assert tempered.chosen["peril"].confidence < plain.chosen["peril"].confidence
    assert tempered.chosen["police"].confidence > plain.chosen["police"].confidence
    assert powered.found[1].confidence == pytest.approx(plain.found[1].confidence ** 2)
    assert powered.absent["items"] == pytest.approx(plain.absent["items"] ** 3)


def test_an_illegal_best_of_each_word_is_mended(tiny_encoder: Path) -> None:
    reading = read(LAYOUT, scores(tiny_encoder, "Ann Lee paid 5", [1, 2, 0, 4]), Calibration())
    assert [one.span.label for one in reading.found] == ["name"]


def test_a_text_without_words(tiny_encoder: Path) -> None:
    empty = TextScores(Windows(tiny_encoder, 64)([""])[0], np.zeros((0, 7), dtype=np.float32), (PERIL, POLICE))
    reading = read(LAYOUT, empty, Calibration())
    assert reading.found == () and reading.absent == {"name": 1.0, "amount": 1.0, "items": 1.0}
    assert reading.chosen["peril"].value == "water"


def test_probabilities_of_large_scores_are_finite() -> None:
    assert softmax(np.array([1e4, 0.0, -1e4], dtype=np.float32)).tolist() == [1.0, 0.0, 0.0]
