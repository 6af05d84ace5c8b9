import pytest

from tailtune.training.loop import rate_share


def test_up_over_the_warm_up_then_straight_down() -> None:
    shares = [rate_share(step, 100, 0.1) for step in range(100)]
    assert shares[0] > 0 and max(shares) == shares[10] == 1.0
    assert shares[:11] == sorted(shares[:11]) and shares[10:] == sorted(shares[10:], reverse=True)
    assert shares[55] == pytest.approx(0.5) and shares[-1] == pytest.approx(1 / 90)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_short_runs_have_rates_too(steps: int) -> None:
    assert all(0 < rate_share(step, steps, 0.05) <= 1 for step in range(steps))
