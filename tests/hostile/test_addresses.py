"""Tracking addresses that name no MLflow store, and stores of another MLflow: refused or mended before work is done."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from services.mlflow.conftest import THIRD_PARTY
from worlds import stores

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import ServiceError, TailTuneError
from tailtune.services import versions
from tailtune.services.mlflow import home
from tailtune.services.mlflow.address import reach

pytestmark = THIRD_PARTY
ADDRESSES = {  # address → what is said of it, and what the next command holds
    "postgresql://u:secret@127.0.0.1:9/x": ("user or password", "pgpass"),
    "postgresql+nodriver://127.0.0.1:9/x": ("no driver .*nodriver", "pip install nodriver"),
    "file:///somewhere/mlruns": ("a folder", "sqlite:////somewhere/mlruns/mlflow.db"),
    "/somewhere/mlruns": ("a folder", "migrate-filestore --source /somewhere/mlruns"),
    "databricks": ("Databricks", "unset TAILTUNE_TRACKING_URI"),
    "databricks://profile": ("Databricks", "http://HOST:PORT"),
    "localhost:5000": ("no scheme", "=http://localhost:5000 "),
    "ftp://host/x": ("ftp: is no kind", "http://HOST:PORT"),
    "http:/127.0.0.1:5500": ("no kind", "http://HOST:PORT"),
    "http://": ("no address", "http://HOST:PORT"),
    "http://127.0.0.1:99999": ("no address", "http://HOST:PORT"),
    "http://127.0.0.1:5500 ": ("spaces", "=http://127.0.0.1:5500 "),
    "http://127.0.0.1:5500/ml/#/experiments/1": ("a page", "=http://127.0.0.1:5500/ml "),
    "http://127.0.0.1:5500/api/2.0/mlflow": ("a page", "=http://127.0.0.1:5500 "),
    "sqlite://": ("no file", "sqlite:////"),
    "sqlite:///:memory:": ("no file", "sqlite:////"),
    "sqlite:////tmp/a.db?timeout=3": ("no file", "sqlite:////"),
    "sqlite:////proc/none/x.db": ("cannot be used", "rights on /proc/none"),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_names_no_store_is_refused_in_a_line(address: str) -> None:
    words, remedy = ADDRESSES[address]
    with pytest.raises(TailTuneError, match=words) as refused:
        reach(address)
    assert "\n" not in refused.value.message and "secret" not in str(refused.value)
    assert remedy in str(refused.value.hint)


@contextmanager
def answering(status: int, body: str, location: str = "", below: str = "") -> Iterator[str]:
    """Address of a server that answers everything alike; with a prefix, 404 outside of it."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.startswith(below)
            self.send_response(status if known else 404)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body.encode() if known else b"<html>")

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "location", "words", "remedy"),
    [
        (200, "OK", "", "no MLflow server", "http://HOST:PORT"),
        (200, '{"detail": 1}', "", "no MLflow server", "http://HOST:PORT"),
        (200, "[]", "", "no MLflow server", "http://HOST:PORT"),
        (404, "", "", "--static-prefix", "/PREFIX"),
        (405, "", "", "no MLflow server", "/PREFIX"),
        (401, "", "", "wants credentials", "MLFLOW_TRACKING_USERNAME"),
        (502, "", "", "does not answer", "make up"),
        (302, "", "https://other.example/api/2.0/mlflow/experiments/search", "sends on", "=https://other.example "),
    ],
)
def test_a_server_that_is_not_mlflow_is_named(status: int, body: str, location: str, words: str, remedy: str) -> None:
    with answering(status, body, location) as address, pytest.raises(ServiceError, match=words) as refused:
        reach(address)
    assert remedy in str(refused.value.hint)


@pytest.mark.parametrize(("status", "body"), [(200, "{}"), (200, '{"experiments": []}'), (403, "")])
def test_an_mlflow_server_is_reached_also_below_a_prefix(status: int, body: str) -> None:
    with answering(status, body, below="/ml/") as address:
        reach(f"{address}/ml")


def test_a_prefix_that_the_server_has_not_is_named() -> None:
    with answering(200, "{}", below="/api/") as address, pytest.raises(ServiceError) as refused:
        reach(f"{address}/ml")
    assert f"={address} " in str(refused.value.hint)


def test_tls_that_is_not_spoken_is_named() -> None:
    with answering(200, "{}") as address, pytest.raises(ServiceError, match="no TLS") as refused:
        reach(address.replace("http:", "https:"))
    assert f"={address} " in str(refused.value.hint)


@pytest.mark.parametrize(
    ("given", "used"),
    [("sqlite:///a/b.db", "/c/a/b.db"), ("sqlite:////a/b.db", "/a/b.db"), ("", "/c/mlflow/store/mlflow.db")],
)
def test_a_relative_file_is_below_the_project(given: str, used: str) -> None:
    assert Settings(tracking_uri=given).resolved_tracking_uri(Paths(Path("/c"))) == f"sqlite:///{used}"


def old_store(folder: Path, revision: str) -> str:
    """A store as an earlier MLflow made it, by its own migrations; returns its address."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    folder.mkdir()
    engine = create_engine(f"sqlite:///{folder / 'mlflow.db'}")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        config = _get_alembic_config(str(engine.url))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO experiments (name, lifecycle_stage) VALUES ('kept', 'active')")
    engine.dispose()
    (folder / ".made").write_text(f"2.22.0\n{folder}\nfiles\n", encoding="utf-8")
    return str(engine.url)


def test_a_store_of_an_earlier_mlflow_is_migrated(tmp_path: Path) -> None:
    uri = old_store(tmp_path / "store", "cbc13b556ace")
    assert home.is_outdated(uri)
    home.prepare(uri)
    assert not home.is_outdated(uri)
    assert "kept" in [experiment.name for experiment in home.open_client(uri).search_experiments()]
    assert sorted(path.name for path in (tmp_path / "store").glob("*.db")) == ["before-cbc13b556ace.db", "mlflow.db"]


@pytest.fixture
def store(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose schema is said to be of another revision."""
    stores.give(tmp_path_factory, tmp_path / "store")
    mark(tmp_path / "store" / "mlflow.db", "other")
    return tmp_path / "store"


def mark(database: Path, revision: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


@pytest.mark.parametrize(
    ("why", "words", "remedy"),
    [
        ("CommandError: Can't locate revision identified by 'other'", "newer MLflow", "pip install --upgrade mlflow"),
        ("x\nOperationalError: table exists\n[SQL]", "OperationalError: table exists", "mlflow db upgrade sqlite:////"),
        ("", "no reason", "mlflow db upgrade sqlite:////"),
    ],
)
def test_a_store_that_cannot_be_migrated_stays_as_it_is(
    store: Path, why: str, words: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{store / 'mlflow.db'}"

    def fail(_: str) -> None:
        mark(store / "mlflow.db", "half")
        raise RuntimeError(why)

    monkeypatch.setattr(home, "_upgrade", fail)
    with pytest.raises(ServiceError, match=words) as refused:
        home.prepare(uri)
    assert remedy in str(refused.value.hint) and "other" in refused.value.message
    assert home._schema(store / "mlflow.db") == "other"
    assert [path.name for path in store.glob("*.db")] == ["mlflow.db"]


def test_a_migration_that_was_cut_off_begins_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = store / "mlflow.db"
    (store / "mlflow-before-migration.db").write_bytes(database.read_bytes())
    mark(database, "half")
    seen: list[str] = []

    def upgrade(_: str) -> None:
        seen.append(home._schema(database))
        mark(database, good)

    good = (store / ".made").read_text(encoding="utf-8").splitlines()[3]
    monkeypatch.setattr(home, "_upgrade", upgrade)
    home.prepare(f"sqlite:///{database}")
    assert seen == ["other"] and home._schema(database) == good


def test_dvc_works_without_git(tmp_path: Path) -> None:
    from dvc.repo import Repo

    Repo.init(str(tmp_path), no_scm=True).close()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    analytics = false\n", encoding="utf-8")  # an archive's
    paths = Paths(tmp_path)
    paths.data.mkdir()
    (paths.data / "rows.csv").write_text("a\n", encoding="utf-8")
    assert versions.pin_data(paths) and versions.data_is_pinned(paths)
    assert versions.git_commit(tmp_path) is None
