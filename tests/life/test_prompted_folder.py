"""The life of a causal model in a folder: it wins, is registered with its weights, and is told from other weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from predictors.prompted.random_model import write_random_model

from life.checkout import CLASSES, NAME, Checkout, rows
from tailtune.lifecycle.table import STAGES

pytestmark = pytest.mark.slow
NAMES = [stage.name for stage in STAGES]
WINNER = "lm_constrained"
SERVE = """
import json, sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
print(json.dumps(list(model.predict(pandas.DataFrame({"text": ["i lost my card", "refund the order"]}))["label"])))
"""


def live(checkout: Checkout) -> None:
    """The whole life; a busy machine takes its time."""
    done = checkout.run("tailtune", "run", NAME, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Random weights, held to the labels, reach a target that asks for nothing, and cost least to own."""
    made = Checkout.bare(tmp_path_factory.mktemp("folder") / "checkout")
    made.bring(rows(per_class=50))
    made.spec(ladder={"latency_rows": 20, "curve_points": 2, "rungs": ["tfidf"]})
    made.spec(
        targets={"accuracy": 0.001, "head_room": 1, "min_train_rows": 0},
        evaluate={"latency_rows": 20, "resamples": 200},
    )
    made.spec(value={"requests_per_day": 10, "error_usd": 0.0001, "change_every_days": 60})
    made.settle()
    write_random_model(made.root / "lm" / "tiny", texts=[json.dumps({"label": label}) for label in CLASSES])
    model = {"name": "tiny", "folder": "lm/tiny", "context_tokens": 4096, "max_output_tokens": 24, "concurrency": 16}
    made.spec(prompt={"models": [model], "rungs": ["lm_zero_shot", WINNER], "stop": "never"})
    live(made)
    return made


def test_it_is_priced_as_what_runs_on_our_own_cores_on_dev_on_test_and_on_the_road(lived: Checkout) -> None:
    assert lived.report("register")["winner"] == WINNER
    (dev,) = [one for one in lived.report("prompt")["rungs"] if one["name"] == WINNER]
    (test,) = [one for one in lived.report("evaluate")["candidates"] if one["name"] == WINNER]
    for one in (dev, test):
        assert one["usd_per_1000"] == pytest.approx(one["latency"]["mean_ms"] * 0.04 / 3600)
    assert (dev["usd"], lived.report("prompt")["usd_spent"], lived.report("evaluate")["usd_spent"]) == (0, 0, 0)
    (road,) = [one for one in lived.report("decide")["economics"]["candidates"] if one["name"] == WINNER]
    lines = {line["what"]: line["usd"] for line in road["lines"]}
    assert lines["serving"] == pytest.approx(2 * 0.04 * 730 * 12)
    assert "tokens" not in lines and road["request_usd"] == 0


def test_an_unchanged_project_has_nothing_to_do(lived: Checkout) -> None:
    before = lived.stamps(NAMES)
    live(lived)
    assert lived.stamps(NAMES) == before


def test_without_the_folder_the_version_answers_and_is_reproduced(lived: Checkout, tmp_path: Path) -> None:
    away = lived.root.parent / "away"
    (lived.root / "lm").rename(away)
    try:
        uri = f"sqlite:///{lived.root / 'mlflow' / 'store' / 'mlflow.db'}"
        done = subprocess.run(
            [sys.executable, "-c", SERVE, uri, lived.report("register")["uri"]],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert set(json.loads(done.stdout.splitlines()[-1])) <= set(CLASSES)
        again = lived.run("tailtune", "reproduce", f"{NAME}@champion", timeout=900)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "accuracy" in again.stdout and "agree" in again.stdout
    finally:
        away.rename(lived.root / "lm")


def test_other_weights_are_refused_by_a_stage_and_measured_again_by_a_run(lived: Checkout) -> None:
    write_random_model(lived.root / "lm" / "tiny", texts=[json.dumps({"label": label}) for label in CLASSES], seed=9)
    for stage in ("register", "evaluate", "diagnose"):
        done = lived.run("tailtune", stage, NAME)
        assert done.returncode != 0
        assert "lm/tiny: the weights of tiny changed since the prompts were measured" in done.stderr
        assert f"tailtune run {NAME}" in done.stderr
    noted = lived.report("prompt")["weights"]
    live(lived)
    assert lived.report("prompt")["weights"]["tiny"] != noted["tiny"]
    registered = lived.report("register")
    assert (registered["winner"], registered["version"]) == (WINNER, "2"), "other weights are another model"
