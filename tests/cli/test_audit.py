"""`tailtune audit`: a file for a person, and what the filled file says; its rows are test rows from then on."""

from __future__ import annotations

import csv
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from dvc.repo import Repo
from project import ROOT
from serving.batch.probe import saved_probe
from worlds.watched import FIRST_DAY, NAME, WatchedCase, texts_of

from cli.checkout import Cli, environment
from tailtune.cli import audit as audit_command
from tailtune.core.days import shown
from tailtune.core.errors import ServiceError
from tailtune.operations import audit as operations
from tailtune.services import versions
from tailtune.services.audits import Audits
from tailtune.services.mlflow import windows

pytestmark = pytest.mark.filterwarnings("ignore")
WINDOW = f"{shown(FIRST_DAY)}..{shown(FIRST_DAY + 1)}"


@pytest.fixture
def watched(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> tuple[Cli, WatchedCase]:
    world = WatchedCase(tmp_path / "checkout", tmp_path_factory, saved_probe(tmp_path_factory, tiny_encoder))
    environment(monkeypatch, tmp_path / "checkout", tmp_path / "site")
    monkeypatch.setenv("TAILTUNE_TRACKING_URI", str(world.settings.tracking_uri))
    monkeypatch.chdir(tmp_path)
    paths = world.case.paths.project
    paths.dvc_yaml.write_text((ROOT / "dvc.yaml").read_text())
    world.case.paths.data.mkdir(parents=True, exist_ok=True)
    Repo.init(str(paths.root), no_scm=True).close()
    for number in range(2):
        world.usual_day(FIRST_DAY + number)
    world.log(FIRST_DAY, ["=1+1 refund please", *texts_of("billing", 3, 9)])
    return Cli(paths, capsys), world


def fill(file: Path, rows: int) -> None:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        read = list(csv.DictReader(lines))
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(read[0]))
        writer.writeheader()
        for place, row in enumerate(read):
            writer.writerow(
                row | ({"label": row["answer"], "who": "Ana"} if place < rows else {"label": "", "who": ""})
            )


def test_rows_are_drawn_labelled_and_become_test_rows(watched: tuple[Cli, WatchedCase], tmp_path: Path) -> None:
    cli, world = watched
    drawn = cli("audit", NAME, "--rows", "20", "--window", WINDOW)
    file = tmp_path / f"audit-{NAME}-{WINDOW}.csv"
    assert (drawn.code, drawn.out.splitlines()[0]) == (
        0,
        f"20 rows of 124 that v{world.version} answered {WINDOW}, drawn at random within ranges of confidence",
    )
    assert drawn.out.endswith(f"Next:  tailtune audit {NAME} --from {file.name}\n")
    assert file.read_bytes().startswith(b"\xef\xbb\xbfid,text,label,who,answer")
    assert file.stat().st_mode & 0o077 == 0
    assert "people may have filled it in" in cli("audit", NAME, "--rows", "20", "--window", WINDOW).err

    fill(file, 15)
    taken = cli("audit", NAME, "--from", file.name)
    assert taken.code == 0
    lines = taken.out.splitlines()
    assert lines[0] == f"{file.name}  15 labels by Ana"
    assert lines[1].startswith(f"v{world.version} was right on 100.0 % (79.")
    assert lines[1].endswith(f"of the rows of {WINDOW}, by 15 labelled rows, 5 rows not yet")
    assert any(line.startswith("not shown that accuracy fell by more than 2.0 points") for line in lines)
    assert any(line.startswith(("so many rows would show a fall of", "so few rows show no fall")) for line in lines)
    assert f"data/{NAME}/audits.jsonl  15 rows in all, for test only; pinned by data.dvc" in lines
    assert versions.data_is_pinned(cli.paths, NAME)
    runs = world.tracker.client.search_runs([world.tracker.experiment_id], "tags.`tailtune.stage` = 'audit'")
    assert [run.data.metrics["labelled_rows"] for run in runs] == [15]
    assert runs[0].data.metrics["accuracy_audit"] == 1.0


def test_a_text_like_a_formula_is_harmless_in_the_file_and_whole_afterwards(
    watched: tuple[Cli, WatchedCase], tmp_path: Path
) -> None:
    cli, world = watched
    file = tmp_path / "audit.csv"
    assert cli("audit", NAME, "--rows", "124", "--window", WINDOW, "--out", file).code == 0
    assert ",'=1+1 refund please," in file.read_text()
    fill(file, 124)
    assert cli("audit", NAME, "--from", file).code == 0
    assert '"=1+1 refund please"' in world.case.paths.audits.read_text()


def test_what_is_wrong_is_said_and_nothing_kept(watched: tuple[Cli, WatchedCase], tmp_path: Path) -> None:
    cli, world = watched
    file = tmp_path / "audit.csv"
    assert cli("audit", NAME, "--window", "2030-01-01").code != 0
    assert cli("audit", NAME, "--rows", "3", "--window", WINDOW, "--out", file).code == 0
    text = file.read_text().splitlines()
    file.write_text("\n".join([text[0], text[1].replace(",,,", ",biling,Ana,", 1)]) + "\n")
    refused = cli("audit", NAME, "--from", file)
    assert refused.code == 1
    assert f"{file}:2  label `biling` is not in" in refused.err
    assert not world.case.paths.audits.exists()


def test_today_is_audited_as_far_as_it_has_come(watched: tuple[Cli, WatchedCase], tmp_path: Path) -> None:
    cli, world = watched
    world.log(int(time.time()) // 86_400, texts_of("billing", 12, 3))
    drawn = cli("audit", NAME, "--rows", "4", "--window", "today")
    assert drawn.code == 0 and " so far, drawn at random" in drawn.out and "that day is not over" in drawn.out
    (file,) = tmp_path.glob(f"audit-{NAME}-*T*.csv")
    fill(file, 4)
    assert (
        " of the rows of " in (printed := cli("audit", NAME, "--from", file).out)
        and " so far, by 4 labelled" in printed
    )
    second = cli("audit", NAME, "--rows", "4", "--window", "today", "--out", tmp_path / "second.csv")
    assert "4 rows drawn while the day went on left out: none is drawn twice" in second.out


def kept(world: WatchedCase) -> tuple[int, int, int]:
    """Rows that are kept for test, labelled rows of the estimate, runs in MLflow."""
    runs = world.tracker.client.search_runs([world.tracker.experiment_id], "tags.`tailtune.stage` = 'audit'")
    file = world.case.paths.audits
    with closing(Audits(world.settings.prediction_log_url(world.case.paths.project))) as store:
        results = store.results(NAME, world.version)
    return len(file.read_text().splitlines()) if file.exists() else 0, sum(r.labelled for _, r in results), len(runs)


def drawn_and_filled(cli: Cli, tmp_path: Path) -> Path:
    file = tmp_path / "audit.csv"
    assert cli("audit", NAME, "--rows", "10", "--window", WINDOW, "--out", file).code == 0
    fill(file, 10)
    return file


def test_a_file_that_comes_back_twice_counts_once(watched: tuple[Cli, WatchedCase], tmp_path: Path) -> None:
    cli, world = watched
    file = drawn_and_filled(cli, tmp_path)
    fill(file, 4)
    for rows in (4, 10, 10):
        fill(file, rows)
        taken = cli("audit", NAME, "--from", file)
        assert kept(world) == (rows, rows, 1)
    assert "has these rows with these labels already" in taken.out


@pytest.mark.parametrize("at", ["judge_rows", "keep", "pin_data", "publish"])
def test_killed_at_any_point_the_same_command_ends_it(
    watched: tuple[Cli, WatchedCase], tmp_path: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli, world = watched
    file = drawn_and_filled(cli, tmp_path)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    module = {"judge_rows": operations, "keep": audit_command, "pin_data": versions, "publish": windows}[at]
    with monkeypatch.context() as patched:
        patched.setattr(module, at, killed)
        assert cli("audit", NAME, "--from", file).code != 0
    assert cli("audit", NAME, "--from", file).code == 0
    assert kept(world) == (10, 10, 1) and versions.data_is_pinned(cli.paths, NAME)


def test_without_mlflow_nothing_is_half_done_and_it_is_made_up_for(
    watched: tuple[Cli, WatchedCase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli, world = watched
    file = drawn_and_filled(cli, tmp_path)
    with monkeypatch.context() as patched:
        patched.setenv("TAILTUNE_TRACKING_URI", "http://127.0.0.1:9")
        refused = cli("audit", NAME, "--from", file)
    assert refused.code != 0 and "127.0.0.1:9" in refused.err and kept(world) == (0, 0, 0)

    def away(*_: object, **__: object) -> str:
        raise ServiceError("MLflow does not answer", "start it")

    with monkeypatch.context() as patched:
        patched.setattr(windows, "publish", away)
        taken = cli("audit", NAME, "--from", file)
    assert taken.code == 0 and "the same command writes it there later" in taken.err and kept(world) == (10, 10, 0)
    assert cli("audit", NAME, "--from", file).code == 0 and kept(world) == (10, 10, 1)


def test_a_locked_database_is_said_and_nothing_kept(
    watched: tuple[Cli, WatchedCase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli, world = watched
    file = drawn_and_filled(cli, tmp_path)
    monkeypatch.setattr("tailtune.services.database._BUSY_S", 0.1)
    with closing(sqlite3.connect(cli.paths.serving / "predictions.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        drawn = cli("audit", NAME, "--rows", "9", "--window", WINDOW, "--out", tmp_path / "second.csv")
        taken = cli("audit", NAME, "--from", file)
    assert drawn.code != 0 and taken.code != 0 and "locked" in drawn.err and "locked" in taken.err
    assert not (tmp_path / "second.csv").exists() and kept(world) == (0, 0, 0)
    assert cli("audit", NAME, "--from", file).code == 0 and kept(world) == (10, 10, 1)


def test_a_file_that_was_half_written_is_refused_whole(watched: tuple[Cli, WatchedCase], tmp_path: Path) -> None:
    cli, world = watched
    file = drawn_and_filled(cli, tmp_path)
    text = file.read_text()
    lines = text.splitlines(keepends=True)
    for end, words in ((lines[5][:30], f"{file}:6"), (lines[5].split(",")[0] + ',"half a te', f"{file}:6")):
        file.write_text("".join(lines[:5]) + end)
        refused = cli("audit", NAME, "--from", file)
        assert refused.code == 1 and words in refused.err and kept(world) == (0, 0, 0)
    file.write_bytes(b"")
    assert cli("audit", NAME, "--from", file).code == 1 and kept(world) == (0, 0, 0)
    file.write_text(text)
    assert cli("audit", NAME, "--from", file).code == 0 and kept(world) == (10, 10, 1)
