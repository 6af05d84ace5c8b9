"""One run per use case; a report last, stamped; a refusal leaves its report; no orphan writes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import project
import psutil
import pytest
from project import NAME, Heard, make, quick_stage, untracked

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import BusyError, GateError, ServiceError, SpecError, TailTuneError
from tailtune.core.reports import CurateReport, Report
from tailtune.lifecycle import runner
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import language_models
from tailtune.lifecycle.table import BY_NAME
from tailtune.services import store
from tailtune.tasks.use_case import load_use_case

CHILD = """
import sys
sys.path.insert(0, {tests!r})
from dataclasses import replace
from pathlib import Path
import project
from tailtune.lifecycle.table import BY_NAME
BY_NAME["curate"] = replace(BY_NAME["curate"], run="project:sleeping_stage")
project.run(project.Paths(Path({root!r})), "curate")
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return make(tmp_path / "project")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Context], Report]], None]:
    """Let `curate` be another function."""

    def use(function: Callable[[Context], Report]) -> None:
        monkeypatch.setattr(project, "current_stage", function, raising=False)
        monkeypatch.setitem(BY_NAME, "curate", replace(BY_NAME["curate"], run="project:current_stage"))

    return use


def run(paths: Paths) -> Report:
    return runner.run_stage("curate", NAME, paths, Settings(), Heard())


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_report_is_stamped_written_and_tracked(paths: Paths, stage: Callable[..., None]) -> None:
    stage(quick_stage)
    with untracked() as published:
        report = run(paths)
    case = paths.case(NAME)
    assert store.read_report(case.report("curate"), CurateReport, NAME) == report == published.reports[0]
    spec = load_use_case(paths, NAME).spec
    assert report.spec_digest == spec.digest(("task", "data", "curate", "split"))
    assert report.finished_at.endswith("+00:00")
    assert report.cost is not None
    assert report.cost.usd == pytest.approx(report.cost.wall_s * 0.08 / 3600, abs=1e-7)


def buying(*usd: float | None) -> Callable[[Context], Report]:
    """A stage that opens a budget for each answer that it buys; its report does not say so."""

    def stage(context: Context) -> Report:
        for each in usd:
            with language_models(context) as models:
                models.budget.count(each)
        return quick_stage(context)

    return stage


@pytest.mark.parametrize(("usd", "bought"), [((), 0.0), ((0.2, 0.1), 0.3), ((0.2, None), None)])
def test_what_a_stage_bought_is_what_its_budgets_say(
    paths: Paths, stage: Callable[..., None], usd: tuple[float | None, ...], bought: float | None
) -> None:
    stage(buying(*usd))
    with untracked() as published:
        report = run(paths)
    assert report.cost is not None
    assert report.cost.bought_usd == (None if bought is None else pytest.approx(bought))
    assert published.charges == [], "the report's run holds it"


@pytest.mark.parametrize("error", [TailTuneError("broken"), GateError("no report"), KeyboardInterrupt()])
def test_what_a_stage_bought_before_it_failed_is_charged(
    paths: Paths, stage: Callable[..., None], error: BaseException
) -> None:
    def fail(context: Context) -> Report:
        buying(0.2, 0.1)(context)
        raise error

    stage(fail)
    with untracked() as published, pytest.raises(type(error)):
        run(paths)
    (charge,) = published.charges
    assert (charge.stage, charge.cost.bought_usd) == ("curate", pytest.approx(0.3))
    assert charge.cost.usd == pytest.approx(charge.cost.wall_s * 0.08 / 3600, abs=1e-7)


def test_a_report_that_is_tracked_and_cannot_be_written_is_not_charged_again(
    paths: Paths, stage: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, report: Report) -> None:
        raise OSError(28, "No space left on device")

    stage(buying(0.2))
    monkeypatch.setattr(store, "write_report", full)
    with untracked() as published, pytest.raises(OSError, match="No space"):
        run(paths)
    assert (len(published.reports), published.charges) == (1, [])


def test_an_unpriced_machine_costs_an_unknown_amount(paths: Paths, stage: Callable[..., None]) -> None:
    stage(quick_stage)
    paths.prices.write_text("as_of: 2026-11-01\n", encoding="utf-8")
    with untracked():
        report = run(paths)
    assert report.cost is not None
    assert report.cost.usd is None


def test_a_gate_that_says_no_leaves_its_report_and_still_raises(paths: Paths, stage: Callable[..., None]) -> None:
    def refuse(context: Context) -> Report:
        raise GateError("no: 3 rows leak", "look at them", quick_stage(context))

    stage(refuse)
    with untracked() as published, pytest.raises(GateError, match="3 rows leak") as caught:
        run(paths)
    assert caught.value.exit_code == 3
    found = store.read_report(paths.case(NAME).report("curate"), CurateReport, NAME)
    assert found == published.reports[0]
    assert found.cost is not None
    assert found.spec_digest


@pytest.mark.parametrize("error", [GateError("no report"), TailTuneError("broken"), RuntimeError("bug")])
def test_a_stage_that_fails_leaves_no_report_of_an_earlier_run(
    paths: Paths, stage: Callable[..., None], error: Exception
) -> None:
    def fail(context: Context) -> Report:
        raise error

    case = paths.case(NAME)
    store.write_json(case.report("curate"), {"old": True})
    stage(fail)
    with untracked() as published, pytest.raises(type(error)):
        run(paths)
    assert not case.report("curate").exists()
    assert published.reports == []
    stage(quick_stage)
    with untracked():
        run(paths)  # the lock was let go


def test_a_report_that_could_not_be_tracked_is_not_written(
    paths: Paths, stage: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else DVC would take the stage as done, and MLflow would never hear of it."""
    stage(quick_stage)
    with untracked() as published:

        def fail(report: Report, plan: object) -> str:
            raise ServiceError("no server")

        monkeypatch.setattr(published, "publish", fail)
        with pytest.raises(ServiceError):
            run(paths)
    assert [charge.what for charge in published.charges] == ["failed"]
    assert not paths.case(NAME).report("curate").exists()


def test_a_faulty_spec_or_price_list_stops_before_anything(paths: Paths, stage: Callable[..., None]) -> None:
    stage(lambda _: pytest.fail("the stage ran"))
    paths.prices.write_text("as_of: never\n", encoding="utf-8")
    with untracked(), pytest.raises(SpecError, match="as_of"):
        run(paths)
    assert not paths.case(NAME).lock.exists()


def test_a_real_store_hears_of_the_stage(paths: Paths, stage: Callable[..., None]) -> None:
    stage(quick_stage)
    report = run(paths)
    from mlflow.tracking import MlflowClient

    uri = Settings().resolved_tracking_uri(paths)
    client = MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name(NAME)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], "tags.`tailtune.stage` = 'curate'")
    assert [item.data.tags["tailtune.spec_digest"] for item in found] == [report.spec_digest]
    assert found[0].info.status == "FINISHED"


@pytest.fixture
def holder(paths: Paths) -> Iterator[subprocess.Popen[bytes]]:
    """Another process in the middle of a stage."""
    with child(paths, {}) as process:
        yield process
        process.kill()


def child(paths: Paths, environ: dict[str, str], parent: bool = False) -> subprocess.Popen[bytes]:
    code = CHILD.format(tests=str(Path(__file__).parents[1]), root=str(paths.root))
    words = [sys.executable, "-c", PARENT, code] if parent else [sys.executable, "-c", code]
    kept = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}
    process = subprocess.Popen(words, env=kept | environ)
    began = paths.root / "began"
    wait_for(lambda: began.is_file() and began.read_text() != "")
    return process


def lock_is_free(paths: Paths) -> bool:
    with paths.case(NAME).lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_use_case_in_use_names_its_holder_and_a_killed_holder_lets_go(
    paths: Paths, holder: subprocess.Popen[bytes], stage: Callable[..., None]
) -> None:
    stage(quick_stage)
    with untracked():
        with pytest.raises(
            BusyError, match=rf"toy: another run is at work on it, process {holder.pid} \(tailtune curate, since 2"
        ):
            run(paths)
        assert not paths.case(NAME).report("curate").exists()
        holder.kill()
        holder.wait()
        assert run(paths).stage == "curate"
        assert f"process {os.getpid()} (curate" in paths.case(NAME).lock.read_text(encoding="utf-8")


def test_under_dvc_a_stage_ends_when_its_parent_is_killed(paths: Paths) -> None:
    with child(paths, {"DVC_STAGE": "curate@toy"}, parent=True) as parent:
        pid = int((paths.root / "began").read_text())
        assert not lock_is_free(paths)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_for(lambda: gone(pid) and lock_is_free(paths), 20)


def test_without_dvc_a_stage_outlives_the_shell_that_started_it(paths: Paths) -> None:
    with child(paths, {}, parent=True) as parent:
        pid = int((paths.root / "began").read_text())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        time.sleep(2.2)
        assert not gone(pid)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: gone(pid), 20)


def test_files_of_a_stage_are_put_into_place_whole(paths: Paths, stage: Callable[..., None]) -> None:
    folder, seen = paths.case(NAME).stage("curate"), []

    def write(context: Context) -> Report:
        seen.append((context.out != folder, list(context.out.iterdir()), folder.exists()))
        (context.out / "new.txt").write_text("new", encoding="utf-8")
        assert context.shown(context.out / "new.txt") == f"build/{NAME}/curate/new.txt"
        return quick_stage(context)

    store.write_json(folder / "old.json", {})
    stage(write)
    with untracked():
        run(paths)
    assert seen == [(True, [], False)]
    assert [file.name for file in folder.iterdir()] == ["new.txt"]
    assert not paths.case(NAME).staging("curate").exists()


@pytest.mark.parametrize("error", [TailTuneError("broken"), KeyboardInterrupt()])
def test_a_stage_that_fails_leaves_no_files(paths: Paths, stage: Callable[..., None], error: BaseException) -> None:
    def fail(context: Context) -> Report:
        (context.out / "half.txt").write_text("half", encoding="utf-8")
        raise error

    stage(fail)
    with untracked(), pytest.raises(type(error)):
        run(paths)
    assert not paths.case(NAME).stage("curate").exists()
    assert not paths.case(NAME).staging("curate").exists()


def test_a_gate_that_says_no_leaves_its_files(paths: Paths, stage: Callable[..., None]) -> None:
    def refuse(context: Context) -> Report:
        (context.out / "docs.html").write_text("docs", encoding="utf-8")
        raise GateError("no", report=quick_stage(context))

    stage(refuse)
    with untracked(), pytest.raises(GateError):
        run(paths)
    assert (paths.case(NAME).stage("curate") / "docs.html").is_file()
