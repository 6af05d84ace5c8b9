"""What a use case declares of its server."""

from pathlib import Path

from house.tree import ROOT

from tailtune.config.paths import Paths
from tailtune.serving.batch.answering import _Worker
from tailtune.serving.declared import worker_environment
from tailtune.tasks.use_case import load_use_case

ONE_EACH = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def test_workers_sum_with_one_thread_so_that_digits_are_the_same_everywhere() -> None:
    environment = worker_environment(load_use_case(Paths(ROOT), "support-tickets"))
    assert environment.items() >= ONE_EACH.items()
    assert _Worker(Path(), "1", 1)._environment.items() >= ONE_EACH.items()
