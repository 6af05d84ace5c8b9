import numpy as np
import pytest
import torch
from torch.nn import functional

from tailtune.training.calibrate import fit_power, fit_temperature


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(true: float) -> None:
    random = torch.Generator().manual_seed(4)
    logits = 3 * torch.randn(20_000, 5, generator=random)
    labels = torch.multinomial((logits / true).softmax(dim=1), 1, generator=random)[:, 0]
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(true, rel=0.05)
    best = functional.cross_entropy(logits / found, labels)
    assert all(best <= functional.cross_entropy(logits / (found * factor), labels) for factor in (0.99, 1.01))


def test_no_rows_change_nothing() -> None:
    assert fit_temperature(torch.empty(0, 3), torch.empty(0, dtype=torch.long)) == 1.0


def test_a_power_makes_confidence_as_frequent_as_it_is_right() -> None:
    random = np.random.default_rng(6)
    honest = random.uniform(0.2, 0.99, 4000)
    right = (random.random(4000) < honest).astype(np.float64)
    assert fit_power(honest, right) == pytest.approx(1.0, abs=0.1)
    assert fit_power(honest**3, right) == pytest.approx(1 / 3, abs=0.04)
    assert fit_power(honest**0.25, right) == pytest.approx(4.0, abs=0.4)


def test_a_dev_set_without_faults_promises_no_perfection() -> None:
    power = fit_power(np.full(50, 0.9), np.ones(50))
    assert 0.9**power == pytest.approx(51 / 52, abs=1e-3)
    assert fit_power(np.array([]), np.array([])) == 1.0
