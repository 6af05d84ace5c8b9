"""A project whose stages are one shell script: flows can be tested without models, data or time."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from worlds import servers

from tailtune.config.paths import Paths
from tailtune.core import reports as r
from tailtune.core.encoders import ExportedModel, Parity
from tailtune.core.records import Cost, Decision, Estimate, Latency
from tailtune.lifecycle.table import STAGES

ROOT = Path(__file__).parents[2]
SOME = Estimate(value=0.9, low=0.88, high=0.92, rows=100)
FAST = Latency(p50_ms=1.0, p95_ms=2.0, p99_ms=3.0, mean_ms=1.1, rows=100)
COST = Cost(wall_s=1.5, cpu_s=1.0, peak_memory_mb=300.0, usd=None)

SCRIPT = """\
stage=$1; use_case=$2
echo "$stage" >> ran.txt
test -f "slow-$stage" && { touch "started-$stage"; sleep "$(cat "slow-$stage")"; }
for out in $3; do
    mkdir -p "$(dirname "$out")"
    case $out in *.*) echo "$stage" > "$out";; *) mkdir -p "$out"; esac
done
mkdir -p "build/$use_case/$stage"
test "$stage" = validate && echo "{}" > "build/$use_case/validate/passed.json"
test "$stage" = decide && echo "{}" > "build/$use_case/decide/ticket.json"
cp "given/$stage.json" "reports/$use_case/$stage.json"
if test -f "fail-$stage"; then exit "$(cat "fail-$stage")"; fi
"""


def sample_reports(use_case: str) -> dict[str, r.Report]:
    """One report per stage, small and valid."""
    rung = r.RungResult(
        name="probe",
        title="Probe",
        metrics={"accuracy": SOME, "macro_f1": SOME},
        latency=FAST,
        usd_per_1000=None,
        fit_s=1.0,
        fit_rows=80,
    )
    prompted = r.PromptedRung(
        name="lm_few_shot", title="Prompt, few-shot", metrics={"accuracy": SOME}, latency=FAST, usd_per_1000=0.2,
        fit_s=0.0, fit_rows=8, model="small", role="base", prompt="few_shot", prompt_digest="0" * 12, prompt_version=3,
        settled="stays", of_rows=100, p_adjusted=0.004, invalid_rows=1, usd=0.02,
        comparison=r.Paired(
            first="lm_few_shot", second="probe", only_first_right=9, only_second_right=2, p=0.004,
            difference=Estimate(value=0.1, low=0.02, high=0.18, rows=100),
        ),
    )  # fmt: skip
    candidate = r.CandidateResult(
        name="probe", title="Probe", metrics={"accuracy": SOME, "macro_f1": SOME}, ece=float("nan"), latency=None
    )
    expectation = r.ExpectationResult(
        name="expect_x", subject="text", meaning="Texts are not empty.", passed=False, bad_rows=1, bad_origins=("a:3",)
    )
    common = {"use_case": use_case, "cost": COST}
    made = (
        r.CurateReport(
            stage="curate", rows_read=3, rows_kept=2, dropped={"empty": 1}, splits={"train": 1, "test": 1},
            labels={"a": 2}, test_file=False, **common,
        ),
        r.ValidateReport(
            stage="validate", rows_read=2, passed=False, expectations=(expectation,),
            docs=f"build/{use_case}/validate/passed.json", **common,
        ),
        r.LadderReport(
            stage="ladder", train_rows=80, dev_rows=100, rungs=(rung,), curve=(r.CurvePoint(rows=80, quality=SOME),),
            encode_rows_per_s=100.0, **common,
        ),
        r.PromptReport(
            stage="prompt", models={"small": "base"}, dev_rows=100, rungs=(prompted,), best="lm_few_shot",
            usd_spent=0.02, rows_bought=60, rows_saved_share=0.4, not_needed={"lm_strong": "the target is met"},
            **common,
        ),
        r.DiagnoseReport(
            stage="diagnose", rung="lm_few_shot", rows=60, failures=6,
            mixed_up=(r.MixedUp(first="a", second="b", rows=2),),
            classes=(r.FailureClass(
                fault="context", reason="no example", rows=6, share=SOME, action="add one",
                examples=(r.FailureExample(origin="a:3", text="t", expected="a", answered=None),),
            ),), **common,
        ),
        r.DecideReport(
            stage="decide", verdict="stay", reason="good enough", provisional=True, best_rung="probe",
            target=0.9, train=Decision(yes=False, reason="no need"),
            questions=(r.Question(question="q?", answer="yes", evidence="e", figures={"network_ms": 7.0}),),
            economics=r.Economics(requests_per_day=None, error_usd=None, horizon_months=12, candidates=(
                r.CandidateCost(
                    name="probe", title="Probe", quality=0.9, one_off_usd=1.0, monthly_usd=None, request_usd=None
                ),
            )), **common,
        ),
        r.TrainReport(
            stage="train", trained=True, reason="it pays", train_rows=80,
            epochs=(r.EpochResult(epoch=1, train_loss=1.0, dev_loss=float("nan"), dev_quality=0.9, rows_per_s=99.0),),
            **common,
        ),
        r.ExportReport(
            stage="export", as_they_are=("TF-IDF",), models=(ExportedModel(
                name="probe", title="Probe", weights="int8", megabytes=22.9,
                tries=(Parity(weights="int8", same=SOME, difference=SOME, passed=True, reason="the same"),),
            ),), **common,
        ),
        r.EvaluateReport(
            stage="evaluate", test_rows=100, candidates=(candidate,), winner="probe", winner_reason="alone",
            per_class=(r.ClassResult(label="a", rows=9, precision=1, recall=1, f1=1, f1_other=float("nan")),), **common,
        ),
        r.RegisterReport(
            stage="register", model=use_case, version="1", run_id="r", uri="models:/x/1", aliases=("champion",),
            champion_version="1", promotion=Decision(yes=True, reason="first"), winner="probe", page="", **common,
        ),
    )  # fmt: skip
    return {report.stage: report for report in made}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh project; copy it."""
    from dvc.repo import Repo

    root = tmp_path_factory.mktemp("template") / "project"
    for folder in ("models/toy", "data/toy", "given", "build/toy", "reports/toy"):
        (root / folder).mkdir(parents=True)
    shutil.copy(ROOT / "models/support-tickets/model.yaml", root / "models/toy/model.yaml")
    shutil.copy(ROOT / "models/prices.yaml", root / "models/prices.yaml")
    shutil.copytree(ROOT / "flows", root / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", root / "prefect.yaml")
    (root / "models/toy/labels.yaml").write_text("a: one\nb: two\n")
    shutil.copytree(ROOT / "models/support-tickets/prompts", root / "models/toy/prompts")
    (root / "data/toy/rows.jsonl").write_text("{}\n")
    (root / ".gitignore").write_text("/data/\n/build/\n")
    for stage, report in sample_reports("toy").items():
        (root / f"given/{stage}.json").write_text(report.model_dump_json())
    (root / "stage.sh").write_text(SCRIPT)
    stages = {}
    for stage in STAGES:
        outs = " ".join(stage.writes)
        stages[stage.name] = {
            "foreach": "${use_cases}",
            "do": {
                "cmd": f'sh stage.sh {stage.name} ${{key}} "{outs}"',
                "params": [{"models/${key}/model.yaml": list(stage.sections)}],
                "deps": list(stage.reads),
                "outs": list(stage.writes),
                "metrics": [{stage.report: {"cache": False}}],
            },
        }
    with (root / "dvc.yaml").open("w") as out:
        YAML().dump({"vars": [{"use_cases": {"toy": {"answers": "labels.yaml"}}}], "stages": stages}, out)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    with Repo.init(str(root)) as repo:
        repo.add([str(root / "data")])
    (root / "mlflow/store").mkdir(parents=True)
    with closing(sqlite3.connect(root / "mlflow/store/mlflow.db")) as database, database:  # where `given/` registered
        database.execute("CREATE TABLE model_versions (name, version INTEGER, run_id, current_stage, source)")
        database.execute("CREATE TABLE logged_models (model_id, artifact_location, lifecycle_stage)")
        database.execute("CREATE TABLE model_version_tags (name, version, key, value)")
        database.execute("INSERT INTO model_versions VALUES ('toy', 1, 'r', 'None', 'elsewhere')")
    return root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Paths:
    """A project of its own for a test."""
    shutil.copytree(template, tmp_path / "project")
    return Paths(tmp_path / "project")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a flow's process gets: nothing of the developer's own Prefect; one migrated database for all tests."""
    home = tmp_path_factory.mktemp("prefect")
    return {
        **servers.prefect_environment(home),
        "TAILTUNE_EMBEDDED": "none",
        "DO_NOT_TRACK": "true",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
