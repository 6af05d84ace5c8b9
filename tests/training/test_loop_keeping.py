import pytest

from tailtune.training.loop import epoch_to_keep, epochs_without_gain, mean_rows_s
from tailtune.training.objective import EpochStats


def history(*accuracies: float, dev_rows: int = 1000, rows_s: float = 100.0) -> tuple[EpochStats, ...]:
    return tuple(
        EpochStats(at, 0.1, 0.2, value, (value * (1 - value) / dev_rows) ** 0.5, rows_s, 1.0)
        for at, value in enumerate(accuracies, start=1)
    )


@pytest.mark.parametrize(
    ("accuracies", "dev_rows", "kept"),
    [
        ((0.914, 0.934, 0.925, 0.926, 0.927), 1000, 5),  # 0.8 points are within one standard error
        ((0.914, 0.934, 0.925, 0.926, 0.927), 100_000, 2),  # now they are not
        ((0.90, 0.93, 0.80), 1000, 2),
        ((0.5, 0.7, 0.9), 1000, 3),
        ((1.0, 0.999), 1000, 1),  # perfect has no error
        ((0.0, 0.0), 10, 2),
    ],
)
def test_the_last_epoch_that_dev_cannot_tell_from_the_best(
    accuracies: tuple[float, ...], dev_rows: int, kept: int
) -> None:
    assert epoch_to_keep(history(*accuracies, dev_rows=dev_rows)).epoch == kept


def test_gain_counts_from_the_first_time_the_best_was_reached() -> None:
    assert epochs_without_gain(()) == 0
    assert epochs_without_gain(history(0.5, 0.6)) == 0
    assert epochs_without_gain(history(0.6, 0.5, 0.6)) == 2


def test_speed_is_rows_over_seconds() -> None:
    both = (*history(0.5, rows_s=100.0), *history(0.5, rows_s=300.0))
    assert mean_rows_s(both) == pytest.approx(150.0)
