"""What a use case declares of its server."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from house.tree import ROOT
from services.mlflow import examples

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import SpecError
from tailtune.serving.batch.answering import _Worker
from tailtune.serving.declared import plan_of, worker_environment
from tailtune.serving.plan import ServerPlan
from tailtune.tasks.use_case import load_use_case

ONE_EACH = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def test_workers_sum_with_one_thread_so_that_digits_are_the_same_everywhere() -> None:
    environment = worker_environment(load_use_case(Paths(ROOT), "support-tickets"))
    assert environment.items() >= ONE_EACH.items()
    assert _Worker(Path(), "1", 1)._environment.items() >= ONE_EACH.items()


def planned(root: Path, **sections: Any) -> ServerPlan:
    case = examples.make_case(root)
    spec = yaml.safe_load(case.paths.model_yaml.read_text(encoding="utf-8")) | sections
    case.paths.model_yaml.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return plan_of(load_use_case(Paths(root), case.name), Settings())


def test_a_limit_is_for_what_may_cost_money(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILTUNE_ENDPOINTS", raising=False)
    limit, prompted = {"max_usd_per_day": 2.0}, {"models": [{"name": "small", "endpoint": "http://127.0.0.1:9/v1"}]}
    with pytest.raises(SpecError, match=r"nothing costs money without serve\.passthrough or a prompted model"):
        planned(tmp_path / "nobody", serve=limit)
    assert planned(tmp_path / "prompted", serve=limit, prompt=prompted).max_usd_per_day == 2.0
    with pytest.raises(SpecError, match="what small costs is not known"):
        planned(tmp_path / "passing", serve=limit | {"passthrough": "small"}, prompt=prompted)


def test_an_answer_has_the_time_that_is_declared_for_it(tmp_path: Path) -> None:
    limits = planned(tmp_path / "usual").limits
    assert (limits.deadline(None), limits.deadline(60.0)) == (2.0, 60.0)
    limits = planned(tmp_path / "declared", serve={"limits": {"deadline_s": 5}}).limits
    assert (limits.deadline(None), limits.deadline(60.0)) == (5.0, 5.0)
