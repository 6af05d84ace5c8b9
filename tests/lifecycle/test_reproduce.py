"""`tailtune reproduce` in a small real git and DVC project whose life is a script."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY, made_store  # noqa: F401 - fixture
from services.mlflow.examples import publish

from lifecycle.helpers import perform
from tailtune.config.settings import Settings
from tailtune.core.errors import BusyError, ServiceError, StageFailedError, UsageError
from tailtune.core.locks import alone
from tailtune.core.progress import Silent
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.reproduce import Reproduction, reproduce
from tailtune.services import scratch, versions
from tailtune.services.mlflow import Tracker, connect, registry
from tailtune.tasks.use_case import UseCase

pytestmark = THIRD_PARTY
NAME = "support-tickets"
DVC_YAML = f"""\
vars:
  - use_cases:
      {NAME}: {{answers: labels.yaml}}
stages:
  evaluate:
    foreach: ${{use_cases}}
    do:
      cmd: python src/life.py ${{key}}
      deps:
        - data/${{key}}
      outs:
        - build/${{key}}/evaluate
      metrics:
        - reports/${{key}}/evaluate.json:
            cache: false
"""
# Accuracy depends on the code's own constant and on the number of rows: both must be the recorded ones.
LIFE = """\
import json, pathlib, sys
name, bonus = sys.argv[1], {bonus}
rows = len(pathlib.Path(f"data/{{name}}/tickets.jsonl").read_text().splitlines())
report = json.loads(pathlib.Path("src/template.json").read_text())
for candidate in report["candidates"]:
    candidate["metrics"]["accuracy"]["value"] += bonus + 0.1 * (rows - 3)
pathlib.Path(f"build/{{name}}/evaluate").mkdir(parents=True, exist_ok=True)
pathlib.Path(f"reports/{{name}}").mkdir(parents=True, exist_ok=True)
pathlib.Path(f"reports/{{name}}/evaluate.json").write_text(json.dumps(report))
"""


def git(root: Path, *words: str) -> str:
    command = ["git", "-c", "user.email=a@b.c", "-c", "user.name=a", *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def case(tmp_path: Path, made_store: Path) -> UseCase:  # noqa: F811
    """A project whose champion was made at a commit, and which has moved on since: other code, other rows."""
    root = tmp_path / "project"
    case = examples.make_case(root, NAME)
    shutil.copytree(made_store, case.paths.project.mlflow_store)
    git(root, "init", "-q")
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=root, check=True)
    (root / ".gitignore").write_text("/build/\n/data/\n/mlflow/store/\n/reports/\n")
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "src").mkdir()
    write_rows(case, 3)
    examples.make_life(case)
    shutil.copyfile(case.paths.report("evaluate"), root / "src" / "template.json")
    (root / "src" / "life.py").write_text(LIFE.format(bonus=0.0))
    versions.pin_data(case.paths.project)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    tracker = connect(f"sqlite:///{case.paths.project.mlflow_store / 'mlflow.db'}", case)
    report = perform("register", Context(case, Settings(), Silent(), tracker))
    publish(tracker, examples.stamped(case, report, "2026-11-20T10:07:00+00:00"))
    (root / "src" / "life.py").write_text(LIFE.format(bonus=0.03))
    write_rows(case, 5)
    versions.pin_data(case.paths.project)
    git(root, "commit", "-qam", "two")
    return case


def write_rows(case: UseCase, count: int) -> None:
    case.paths.data.mkdir(parents=True, exist_ok=True)
    (case.paths.data / "tickets.jsonl").write_text('{"text": "a", "label": "b"}\n' * count)


def again(case: UseCase, which: str = "champion") -> Reproduction:
    return reproduce(NAME, which, case.paths.project, Settings(), Silent())


def test_code_and_rows_of_then_give_the_metrics_of_then(case: UseCase) -> None:
    root = case.paths.project.root
    before = git(root, "status", "--porcelain")
    result = again(case)
    assert result.exact and result.agrees and result.caveats == ()
    assert [metric.metric for metric in result.metrics] == ["accuracy", "macro_f1"]
    assert result.commit == git(root, "rev-parse", "HEAD~1").strip()
    assert result.data_from == "DVC's cache"
    assert result.folder is None and not (root / "build" / "reproduce" / f"{NAME}-v1").exists()
    assert git(root, "worktree", "list").count("\n") == 1
    assert git(root, "status", "--porcelain") == before
    assert len((case.paths.data / "tickets.jsonl").read_text().splitlines()) == 5


def test_disagreement_is_told_and_its_folder_kept(case: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    # A commit that is gone (a shallow clone, a squashed branch): the present code runs, and says other things.
    monkeypatch.setattr(scratch, "_git", lambda *_: False)
    result = again(case)
    assert not result.agrees and not result.exact
    assert result.metrics[0].again == pytest.approx(result.metrics[0].recorded + 0.03)
    assert "the code of this checkout was run" in result.caveats[0]
    assert result.folder is not None
    kept = case.paths.project.root / result.folder
    assert json.loads((kept / "reports" / NAME / "evaluate.json").read_text())["winner"] == "tfidf"


def test_a_report_of_another_code_names_the_commit_that_can_read_it(
    case: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(tracker: Tracker, version: registry.Version, into: Path) -> Path:
        files = fetch(tracker, version, into)
        path = files / "reports" / "evaluate.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "of_later": 1}))
        return files

    fetch = registry.fetch_model_files
    monkeypatch.setattr(registry, "fetch_model_files", fetched)
    with pytest.raises(ServiceError, match=r"evaluate\.json: not as the code of this checkout writes it") as raised:
        again(case)
    commit = git(case.paths.project.root, "rev-parse", "HEAD~1").strip()
    assert raised.value.hint == f"tailtune reproduce {NAME}@1, after: git checkout {commit}"


def test_what_a_killed_reproduce_left_is_no_hindrance(case: UseCase) -> None:
    root = case.paths.project.root
    folder = root / "build" / "reproduce" / f"{NAME}-v1"
    git(root, "worktree", "add", "--detach", str(folder), "HEAD")
    shutil.rmtree(folder)  # the folder went, git still lists it
    folder.mkdir()
    (folder / "half").write_text("x")
    assert again(case).exact
    assert git(root, "worktree", "list").count("\n") == 1


def test_two_at_once_do_not_remove_each_others_checkout(case: UseCase) -> None:
    folder = case.paths.project.root / "build" / "reproduce"
    folder.mkdir(parents=True)
    here = BusyError("held", "")
    with (
        alone(folder / f"{NAME}-v1.lock", here),
        pytest.raises(BusyError, match="another process reproduces version 1"),
    ):
        again(case)
    assert [path.name for path in folder.iterdir()] == [f"{NAME}-v1.lock"]


def test_failing_stage_is_told(case: UseCase) -> None:
    root = case.paths.project.root
    folder = root / "build" / "reproduce" / f"{NAME}-v1"
    made = scratch.make(case.paths.project, folder, git(root, "rev-parse", "HEAD").strip())
    (folder / "src" / "life.py").write_text("raise SystemExit(7)")
    made.paths.case(NAME).data.mkdir(parents=True)
    with pytest.raises(StageFailedError, match=f"evaluate@{NAME}"):
        scratch.run_until(made, "evaluate", NAME)


def test_unknown_version_lists_those_there_are(case: UseCase) -> None:
    with pytest.raises(UsageError, match=r"@challenger: no such version; there is v1 @champion"):
        again(case, "@challenger")
