"""Which rows make up which batch: a pure function of lengths, seed and epoch, so that a resumed run repeats it."""

from collections.abc import Iterator, Sequence

import numpy as np

POOL_BATCHES = 50
"""Batches cut from one shuffled pool sorted by length: enough for almost no padding, few enough to mix classes."""

_WHOLE_BELOW = 6

MICRO_TOKENS = 2048
"""Padded tokens that go through the encoder at once; a longer batch is split and its gradients add up."""


def epoch_batches(lengths: Sequence[int], batch_rows: int, seed: int, epoch: int) -> list[list[int]]:
    """Cut one epoch into batches of rows of similar length, in random order.

    Args:
        lengths: Tokens of each of n rows.
        batch_rows: Rows of a batch; at most one batch of each pool, the last, is smaller.
        seed: The run's seed.
        epoch: 0 for the first pass; each epoch has another order.

    Returns:
        Row numbers by batch; every row stands in exactly one batch.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    size = np.asarray(lengths)
    pool_rows = batch_rows * POOL_BATCHES
    batches: list[list[int]] = []
    for start in range(0, len(order), pool_rows):
        pool = order[start : start + pool_rows]
        pool = pool[np.argsort(size[pool], kind="stable")]
        batches += [pool[at : at + batch_rows].tolist() for at in range(0, len(pool), batch_rows)]
    return [batches[place] for place in random.permutation(len(batches))]


def thinned(rows: Sequence[Sequence[int]], share: float, seed: int, epoch: int, batch: int) -> list[list[int]]:
    """Leave out each inner token with a chance of `share`: a row is never seen twice in the same words.

    It keeps the model from learning wrong labels by heart, and costs less than nothing, as there are fewer tokens
    (word dropout: Iyyer et al. 2015, Deep Unordered Composition). A pure function of seed, epoch and batch number.

    Args:
        rows: Token ids; the first and the last of a row (`[CLS]`, `[SEP]`) always stay.
        share: Chance of leaving a token out, 0 to 1; rows of fewer than 6 tokens stay whole.
        seed: The run's seed.
        epoch: 0 for the first pass.
        batch: The batch's number within the epoch.
    """
    if share == 0:
        return [list(row) for row in rows]
    random = np.random.default_rng([seed, epoch, batch])
    kept = []
    for row in rows:
        stay = random.random(len(row)) >= share
        stay[0] = stay[-1] = True
        kept.append([token for token, stays in zip(row, stay, strict=True) if stays or len(row) < _WHOLE_BELOW])
    return kept


def micro_batches(batch: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Split one batch so that no part exceeds `MICRO_TOKENS` padded tokens (a single longer row stays whole)."""
    longest = max(lengths[row] for row in batch)
    rows = max(1, MICRO_TOKENS // max(1, longest))
    for start in range(0, len(batch), rows):
        yield list(batch[start : start + rows])
