"""Files that a kill, a full disk or a merge has torn: healed where a stage makes them again, named where none does."""

from __future__ import annotations

from pathlib import Path

import pytest
from project import NAME

from tailtune.config.paths import Paths
from tailtune.core.errors import MissingInputError, UsageError
from tailtune.core.records import Row
from tailtune.core.reports import RegisterReport
from tailtune.lifecycle import freshness
from tailtune.services import store, versions
from tailtune.services.mlflow.presence import is_registered

NOISE = bytes(range(256)) * 8
TORN = {"empty": b"", "cut": b'{"write": {"a": {"pi', "noise": NOISE, "another thing": b"[1, 2]", "null": b"null"}
RWLOCKS = {**TORN, "no pid": b'{"write": {"a": {}}}', "huge pid": b'{"write": {"a": {"pid": 1e400}}}'}
MERGE = "<<<<<<< HEAD\nschema: '2.0'\n=======\nschema: '2.0'\n>>>>>>> theirs\n"


@pytest.mark.parametrize("content", RWLOCKS.values(), ids=RWLOCKS)
def test_a_torn_list_of_paths_in_use_is_dropped(content: bytes, tmp_path: Path) -> None:
    rwlock = tmp_path / "rwlock"
    rwlock.write_bytes(content)
    versions._forget_the_dead(rwlock)
    assert not rwlock.exists()


@pytest.mark.parametrize("content", [NOISE, b"", b"PAR1", b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_torn_rows_name_the_stage_that_writes_them(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    store.write_rows(path, [[Row("1", "a", "b", "f:1", "train")] * 50])
    path.write_bytes(content or path.read_bytes()[:-20])
    with pytest.raises(MissingInputError, match="torn or damaged") as caught:
        store.read_rows(path, "train", NAME)
    assert caught.value.hint == f"tailtune curate {NAME}"


@pytest.mark.parametrize("content", [NOISE, b"", b'{"use_case": "to', b"[]"])
def test_torn_json_and_reports_name_the_stage_that_writes_them(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "register.json"
    path.write_bytes(content)
    with pytest.raises(MissingInputError, match="register"):
        store.read_report(path, RegisterReport, NAME)
    if content != b"[]":
        for read in (store.read_json, store.read_jsonl):
            if content or read is store.read_json:
                with pytest.raises(MissingInputError, match="torn or damaged"):
                    read(path, "the ladder", "tailtune validate toy")


@pytest.mark.parametrize("content", [NOISE, b'{"use_case": "to'])
def test_a_torn_register_report_is_written_again(content: bytes, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    report = paths.case(NAME).report("register")
    report.parent.mkdir(parents=True)
    report.write_bytes(content)
    assert freshness.is_lost(paths, NAME)


@pytest.mark.parametrize("content", [NOISE, b"SQLite format 3\0" + NOISE])
def test_a_damaged_store_has_no_version(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    assert not is_registered(f"sqlite:///{tmp_path / 'mlflow.db'}", "toy", "1", "r")


@pytest.mark.parametrize(
    "content",
    [MERGE, "outs:\n- md5: 1\n  {", "7", "outs: 5", "outs: [a]", "outs:\n  a: 1", "outs:\n- md5: 1.dir\n  size: 3"],
)
def test_a_pin_that_cannot_be_read_names_the_command_that_restores_it(content: str, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.data_dvc.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"data\.dvc: cannot be read") as caught:
        versions.data_hash(paths)
    assert caught.value.hint == "git checkout HEAD -- data.dvc"


def test_a_pin_that_is_cut_off_is_named_by_every_command_of_dvc(tmp_path: Path) -> None:
    from dvc.repo import Repo

    Repo.init(str(tmp_path), no_scm=True).close()
    (tmp_path / "dvc.yaml").write_text("stages: {curate: {cmd: 'true', outs: [out]}}\n", encoding="utf-8")
    (tmp_path / "data.dvc").write_text("outs:\n- md5: 1.dir\n  size: 3", encoding="utf-8")
    with pytest.raises(UsageError, match=r"data\.dvc: cannot be read"):
        versions.is_stale(Paths(tmp_path), NAME)


@pytest.mark.parametrize("file", ["dvc.lock", "data.dvc"])
def test_merge_marks_in_a_file_of_dvc_are_named(file: str, tmp_path: Path) -> None:
    from dvc.repo import Repo

    Repo.init(str(tmp_path), no_scm=True).close()
    (tmp_path / "dvc.yaml").write_text("stages: {curate: {cmd: 'true', outs: [out]}}\n", encoding="utf-8")
    (tmp_path / file).write_text(MERGE, encoding="utf-8")
    with pytest.raises(UsageError, match=f"{file}: cannot be read.*merge") as caught:
        versions.run_stale(Paths(tmp_path), "curate", NAME, lambda _: None)
    assert caught.value.hint == f"git checkout HEAD -- {file}"
