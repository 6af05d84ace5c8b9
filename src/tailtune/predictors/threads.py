"""How many threads help right now: on a busy machine, threads that wait for each other are slower than one."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_SAMPLE_S = 0.03
_GAIN = 1.1
_WORTH_ROWS = 256


def settle_threads(most: int) -> int:
    """Time a layer-sized kernel mix on `most` threads and on one, and set torch to the faster.

    OpenMP threads spin while they wait; next to one other busy process two threads were measured 12 times slower than
    one (26 against 314 rows/s). Costs about 0.1 s.

    Where waiting threads sleep (`OMP_WAIT_POLICY=PASSIVE`, as the command line sets it) nothing is changed: there two
    threads lose little on a busy machine, and a fixed number keeps training the same to the last bit.

    Args:
        most: Threads to use on a quiet machine, normally `torch.get_num_threads()` at the start.

    Returns:
        The number now in force.
    """
    if most <= 1 or os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE":
        return most
    x, weight = torch.ones(512, 384), torch.ones(768, 384)
    speed = {threads: _speed(threads, x, weight) for threads in (most, 1)}
    chosen = most if speed[most] > _GAIN * speed[1] else 1
    torch.set_num_threads(chosen)
    return chosen


@contextmanager
def settled(rows: int) -> Iterator[None]:
    """Work with the better number of threads, then as before. Fewer than 256 rows are not worth the measurement."""
    before = torch.get_num_threads()
    try:
        if rows >= _WORTH_ROWS:
            settle_threads(before)
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def _speed(threads: int, x: Tensor, weight: Tensor) -> float:
    """Kernel mixes a second with that many threads."""
    torch.set_num_threads(threads)
    with torch.inference_mode():
        torch.nn.functional.gelu(x @ weight.t())
        begun, done = time.perf_counter(), 0
        while time.perf_counter() - begun < _SAMPLE_S:
            torch.nn.functional.gelu(x @ weight.t())
            done += 1
        return done / (time.perf_counter() - begun)
