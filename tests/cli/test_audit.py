"""`tailtune audit`: a file for a person, and what the filled file says; its rows are test rows from then on."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from dvc.repo import Repo
from project import ROOT
from serving.batch.probe import saved_probe
from worlds.watched import FIRST_DAY, NAME, WatchedCase, texts_of

from cli.checkout import Cli, environment
from tailtune.core.days import shown
from tailtune.services import versions

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
            writer.writerow(row | ({"label": row["answer"], "who": "Ana"} if place < rows else {}))


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
    assert any(line.startswith("15 rows show a fall of") or "15 rows show no fall" in line for line in lines)
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
    assert "an audit draws from days that are over" in cli("audit", NAME, "--window", "today").err
    assert cli("audit", NAME, "--rows", "3", "--window", WINDOW, "--out", file).code == 0
    text = file.read_text().splitlines()
    file.write_text("\n".join([text[0], text[1].replace(",,,", ",biling,Ana,", 1)]) + "\n")
    refused = cli("audit", NAME, "--from", file)
    assert refused.code == 1
    assert f"{file}:2  label `biling` is not in" in refused.err
    assert not world.case.paths.audits.exists()
