import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from worlds.servers import free_port

from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.examples import publish
from tailtune.config.paths import Paths
from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.secrets import without_password
from tailtune.services.mlflow import connect
from tailtune.tasks.use_case import UseCase, load_use_case

pytestmark = THIRD_PARTY


def test_dead_server_is_told_at_once(case: UseCase) -> None:
    began = time.monotonic()
    with pytest.raises(ServiceError, match=r"http://127.0.0.1:\d+: the MLflow server does not answer") as raised:
        connect(f"http://127.0.0.1:{free_port()}", case)
    assert time.monotonic() - began < 5
    assert raised.value.hint is not None
    assert "make up" in raised.value.hint and "unset TAILTUNE_TRACKING_URI" in raised.value.hint


def test_server_that_accepts_but_never_answers_is_told_within_15_s(case: UseCase) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(ServiceError, match="does not answer"):
            connect(f"http://127.0.0.1:{silent.getsockname()[1]}", case)
        assert time.monotonic() - began < 15


def test_unknown_host_is_told(case: UseCase) -> None:
    with pytest.raises(ServiceError, match="does not answer"):
        connect("http://nowhere.invalid:5000", case)


def test_connecting_to_the_embedded_store_is_instant_and_imports_no_mlflow(case: UseCase) -> None:
    script = (
        "import sys, time; from pathlib import Path; from tailtune.services.mlflow import connect;"
        "from tailtune.tasks.use_case import load_use_case; from tailtune.config.paths import Paths;"
        f"case = load_use_case(Paths(Path({str(case.paths.project.root)!r})), {case.name!r});"
        "began = time.monotonic(); connect(f'sqlite:///{case.paths.project.mlflow_store}/mlflow.db', case);"
        "assert time.monotonic() - began < 1; assert 'mlflow' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_file_that_is_no_database_is_told(case: UseCase) -> None:
    database = case.paths.project.mlflow_store / "mlflow.db"
    database.write_text("this is no database, but long enough to be taken for one" * 20)
    with pytest.raises(ServiceError, match="embedded MLflow store cannot be used") as raised:
        connect(f"sqlite:///{database}", case)
    assert raised.value.hint is not None and "move it away" in raised.value.hint


@pytest.mark.parametrize("who", ["me:secret@", "me@"])
def test_credentials_in_the_address_are_refused_and_not_shown(case: UseCase, who: str) -> None:
    with pytest.raises(UsageError, match=r"http://127.0.0.1:9 is given with a user or password") as raised:
        connect(f"http://{who}127.0.0.1:9", case)
    assert "secret" not in str(raised.value)
    assert raised.value.hint is not None
    assert "MLFLOW_TRACKING_USERNAME" in raised.value.hint and "MLFLOW_TRACKING_PASSWORD" in raised.value.hint


def test_password_is_not_shown() -> None:
    assert without_password("https://me:secret@mlflow.example/x") == "https://mlflow.example/x"
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_three_processes_make_one_store(tmp_path: Path) -> None:
    case = examples.make_case(tmp_path)
    script = (
        "from tailtune.config.settings import quiet_environment; quiet_environment();"
        "from pathlib import Path; from tailtune.services.mlflow import connect;"
        "from tailtune.tasks.use_case import load_use_case; from tailtune.config.paths import Paths;"
        f"case = load_use_case(Paths(Path({str(tmp_path)!r})), {case.name!r});"
        "print(connect(f'sqlite:///{case.paths.project.mlflow_store}/mlflow.db', case).experiment_id)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    lines = [process.communicate(timeout=180) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], lines
    assert len({out for out, _ in lines}) == 1


def test_moved_checkout_takes_its_runs_and_files_along(case: UseCase, uri: str, tmp_path: Path) -> None:
    run_id = publish(connect(uri, case), examples.curate(case))
    moved = tmp_path / "elsewhere"
    shutil.move(case.paths.project.root, moved)
    there = load_use_case(Paths(moved), case.name)
    tracker = connect(f"sqlite:///{moved}/mlflow/store/mlflow.db", there)
    names = {item.path for item in tracker.client.list_artifacts(run_id, "reports")}
    assert names == {"reports/curate.json"}
    again = publish(tracker, examples.ladder(there))
    assert str(moved) in tracker.client.get_run(again).info.artifact_uri


def test_locations_behind_a_servers_proxy_are_made_readable_without_it(case: UseCase, uri: str) -> None:
    tracker = connect(uri, case)
    old = tracker.client.create_experiment(case.name, "mlflow-artifacts:/1")
    (case.paths.project.mlflow_store / ".made").unlink()  # as an earlier release left it
    again = connect(uri, case)
    run_id = publish(again, examples.curate(case))
    run = again.client.get_run(run_id)
    assert run.info.experiment_id == old
    assert run.info.artifact_uri == f"{case.paths.project.mlflow_store.resolve()}/artifacts/1/{run_id}/artifacts"
    assert [item.path for item in again.client.list_artifacts(run_id, "reports")] == ["reports/curate.json"]
