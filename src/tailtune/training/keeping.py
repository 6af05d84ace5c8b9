"""Which epoch's weights are kept, and when more epochs are in vain: pure functions of the history."""

from tailtune.training.job import EpochStats


def keep(history: tuple[EpochStats, ...]) -> EpochStats:
    """The last epoch whose dev quality lies within one standard error of the best.

    A few hundred or thousand noisy dev rows cannot tell 93.4 % from 92.6 %; the later epoch learned at a lower rate and
    is the better one on test (docs/adr/004-training-engine.md). An epoch that is really worse is never kept.

    Args:
        history: At least one finished epoch, in order.
    """
    best = _best(history)
    return [epoch for epoch in history if epoch.dev_quality >= best.dev_quality - best.dev_error][-1]


def epochs_without_gain(history: tuple[EpochStats, ...]) -> int:
    """Epochs since the highest dev quality was first reached; 0 before the first epoch."""
    return history[-1].epoch - _best(history).epoch if history else 0


def mean_rows_s(history: tuple[EpochStats, ...]) -> float:
    """Train rows per second over all epochs: their harmonic mean, as epochs are of equal size."""
    return len(history) / sum(1 / max(epoch.rows_s, 1e-9) for epoch in history)


def _best(history: tuple[EpochStats, ...]) -> EpochStats:
    """The first among equals."""
    return max(history, key=lambda epoch: epoch.dev_quality)
