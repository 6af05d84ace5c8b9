"""Which rows make up which batch: a pure function of lengths, seed and epoch, so that a resumed run repeats it."""

from collections.abc import Iterator, Sequence

import numpy as np

POOL_BATCHES = 50
"""Batches cut from one shuffled pool sorted by length: enough for almost no padding, few enough to mix classes."""

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


def micro_batches(batch: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Split one batch so that no part exceeds `MICRO_TOKENS` padded tokens (a single longer row stays whole)."""
    longest = max(lengths[row] for row in batch)
    rows = max(1, MICRO_TOKENS // max(1, longest))
    for start in range(0, len(batch), rows):
        yield list(batch[start : start + rows])
