"""Confident learning on labels that were flipped on purpose."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tailtune.services.label_issues import suspects


def made(rows: int = 600, classes: int = 6, flipped: float = 0.08) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Given labels, true labels, and probabilities that are right and not too sure."""
    random = np.random.default_rng(6)
    true = random.integers(0, classes, rows)
    given = np.where(random.random(rows) < flipped, (true + random.integers(1, classes, rows)) % classes, true)
    noise = random.dirichlet(np.ones(classes), rows)
    probabilities = 0.5 * noise
    probabilities[np.arange(rows), true] += 0.5
    return given, true, probabilities.astype(np.float32)


def test_flipped_labels_are_found_and_few_others() -> None:
    given, true, probabilities = made()
    found, wrong = suspects(given, probabilities), given != true
    assert found.shape == (600,)
    assert found.dtype == np.bool_
    assert (found & wrong).sum() / wrong.sum() > 0.8
    assert (found & wrong).sum() / found.sum() > 0.8


def test_right_labels_are_not_suspect() -> None:
    _, true, probabilities = made()
    assert suspects(true, probabilities).mean() < 0.02


def test_a_class_that_is_always_named_hesitantly_is_not_noisy() -> None:
    """0.6 against 0.4 is what class 1 always looks like; who counts the losers of the argmax would not notice 0.7."""
    probabilities = np.array([[0.9, 0.1]] * 20 + [[0.45, 0.55]] * 20)
    labels = np.array([0] * 20 + [1] * 20)
    assert not suspects(labels, probabilities).any()
    labels[25] = 0  # looks like all of class 1
    assert list(np.flatnonzero(suspects(labels, probabilities))) == [25]


def test_classes_without_rows_do_no_harm() -> None:
    given, _, probabilities = made()
    kept = given > 1
    assert suspects(given[kept], probabilities[kept]).sum() > 5


@pytest.mark.parametrize("labels", [[], [2, 2, 2]])
def test_nothing_can_be_confused_with_nothing(labels: list[int]) -> None:
    probabilities = np.full((len(labels), 3), 1 / 3)
    assert not suspects(np.array(labels, dtype=np.int64), probabilities).any()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(n,\) and \(n, k\)"):
        suspects(np.array([0, 1, 0]), np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match="expected 0 to 1"):
        suspects(np.array([0, 2]), np.full((2, 2), 0.5))


def test_it_is_quiet_and_loads_no_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from tailtune.services.label_issues import suspects\n"
        "assert 'cleanlab' not in sys.modules\n"
        "suspects(np.array([0, 1, 0, 1]), np.array([[.9, .1], [.1, .9], [.1, .9], [.2, .8]]))\n"
        "assert 'cleanlab' in sys.modules and 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
