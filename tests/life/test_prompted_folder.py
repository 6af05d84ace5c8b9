"""The life of a causal model in a folder: it wins, is registered with its weights, and is told from other weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from predictors.prompted.random_model import write_random_model
from worlds import lives
from worlds.checkout import CLASSES, NAME, Checkout
from worlds.command import tailtune

from tailtune.lifecycle.table import STAGES
from tailtune.services import scratch

pytestmark = pytest.mark.slow
NAMES = [stage.name for stage in STAGES]
WINNER = lives.PROMPTED
SERVE = """
import json, sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
print(json.dumps(list(model.predict(pandas.DataFrame({"text": ["i lost my card", "refund the order"]}))["label"])))
"""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return lives.prompted(tmp_path_factory)[0]


@pytest.fixture
def mine(lived: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished life, to be changed."""
    return lived.copy(tmp_path / "checkout")


def test_it_is_priced_as_what_runs_on_our_own_cores_on_dev_on_test_and_on_the_road(lived: Checkout) -> None:
    assert lived.report("register")["winner"] == WINNER
    (dev,) = [one for one in lived.report("prompt")["rungs"] if one["name"] == WINNER]
    (test,) = [one for one in lived.report("evaluate")["candidates"] if one["name"] == WINNER]
    for one in (dev, test):
        assert one["usd_per_1000"] == pytest.approx(one["latency"]["mean_ms"] * 0.04 / 3600)
    assert (dev["usd"], lived.report("prompt")["usd_spent"], lived.report("evaluate")["usd_spent"]) == (0, 0, 0)
    (candidate,) = [one for one in lived.report("decide")["economics"]["candidates"] if one["name"] == WINNER]
    lines = {line["what"]: line["usd"] for line in candidate["lines"]}
    assert lines["serving"] == pytest.approx(2 * 0.04 * 730 * 12)
    assert "tokens" not in lines and candidate["request_usd"] == 0


def test_an_unchanged_project_has_nothing_to_do(mine: Checkout) -> None:
    before = mine.stamps(NAMES)
    mine.ok("tailtune", "run", NAME)
    assert mine.stamps(NAMES) == before


@pytest.fixture
def stages_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that are run again run in this process, which has imported what they need; nothing else is changed."""
    real = scratch._dvc

    def dvc(
        made: scratch.Scratch, *words: str, shown: bool = False, given: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        if words[0] != "repro":
            return real(made, *words, shown=shown, given=given)
        environment = scratch._environment(made, given or {})
        own = {name: value for name, value in environment.items() if name.startswith("TAILTUNE_")}
        for stage in NAMES[: NAMES.index(words[-1].partition("@")[0]) + 1]:
            ended = tailtune(made.paths.root, stage, NAME, env=own)
            assert ended.code == 0, ended.err
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(scratch, "_dvc", dvc)


@pytest.mark.usefixtures("stages_here")
def test_without_the_folder_the_version_answers_and_is_reproduced(mine: Checkout, tmp_path: Path) -> None:
    shutil.rmtree(mine.root / "lm")
    uri = f"sqlite:///{mine.root / 'mlflow' / 'store' / 'mlflow.db'}"
    again = mine.inside("reproduce", f"{NAME}@champion")
    assert again.code == 0, again.out + again.err
    assert "accuracy" in again.out and "agree" in again.out
    done = subprocess.run(
        [sys.executable, "-c", SERVE, uri, mine.report("register")["uri"]],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout.splitlines()[-1])) <= set(CLASSES)


@pytest.mark.servers
def test_other_weights_are_refused_by_a_stage_and_measured_again_by_a_run(
    mine: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_random_model(mine.root / "lm" / "tiny", texts=[json.dumps({"label": label}) for label in CLASSES], seed=9)
    for stage in ("register", "evaluate", "diagnose"):
        ended = mine.inside(stage, NAME)
        assert ended.code != 0
        assert "lm/tiny: the weights of tiny changed since the prompts were measured" in ended.err
        assert f"tailtune run {NAME}" in ended.err
    noted = mine.report("prompt")["weights"]
    done = mine.served(tmp_path_factory).run("tailtune", "run", NAME, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert mine.report("prompt")["weights"]["tiny"] != noted["tiny"]
    registered = mine.report("register")
    assert (registered["winner"], registered["version"]) == (WINNER, "2"), "other weights are another model"
