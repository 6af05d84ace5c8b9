import pytest
import torch
from torch.nn import functional

from tailtune.stages.train.calibrate import fit_temperature


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
