"""`tailtune predict`: a registered version answers a file, also when it was killed in between."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from doubles.endpoint import Double
from predictors.prompted.scripted import CODEC, SHOWING
from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.versions import register
from serving.batch.probe import saved_probe, texts
from tasks.classification import contract
from worlds import stores

from cli.checkout import Cli, environment
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.digests import file_digest
from tailtune.predictors.prompted.opening import open_model
from tailtune.predictors.prompted.rung import build
from tailtune.services.mlflow import Tracker, connect, ledger
from tailtune.tasks import saved

pytestmark = THIRD_PARTY
MODEL = "support-tickets"
ROWS = 1000


@pytest.fixture(scope="module")
def probe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_probe(tmp_path_factory, tiny_encoder)


@pytest.fixture
def tracker(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Tracker:
    case = examples.make_case(tmp_path / "project")
    environment(monkeypatch, case.paths.project.root, tmp_path / "site")
    stores.give(tmp_path_factory, case.paths.project.mlflow_store)
    return connect(f"sqlite:///{case.paths.project.mlflow_store / 'mlflow.db'}", case)


@pytest.fixture
def cli(tracker: Tracker, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tracker.case.paths.project, capsys)


def write_rows(file: Path, rows: int) -> Path:
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("id", "text"), *enumerate(texts(rows))])
    return file


def test_a_file_is_answered_by_the_served_alias(cli: Cli, tracker: Tracker, probe: Path, tmp_path: Path) -> None:
    register(tracker, probe, "champion", model=MODEL)
    source, out = write_rows(tmp_path / "in.csv", 20), tmp_path / "out.jsonl"
    with source.open("a") as more:
        more.write("torn row\n")
    ended = cli("predict", MODEL, "--in", source, "--out", out)
    assert ended.code == 1  # a script sees that a row has no answer
    assert ended.err.splitlines()[-2:] == [
        f"{source}  1 of 21 rows have no answer; the first: {source}:22  1 field; expected 2, as in the header",
        f"Next:  correct these rows ({out}.dropped.jsonl says which), then answer them as a file of their own",
    ]
    lines = ended.out.splitlines()
    assert lines[:3] == [
        f"{source}  21 rows in = 20 answered + 0 without a valid answer + 1 that cannot be read",
        f"{out}.dropped.jsonl  which rows, and why",
        f"{out}  20 rows out, answered by version 1",
    ]
    assert "rows/s" in lines[3] and re.search(r"cost: machine <?\$", lines[3])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in rows] == [str(n) for n in range(20)]
    assert all(row["answer"] in contract.LABELS and 0 < row["confidence"] < 1 for row in rows)


def test_a_version_that_is_not_there_is_named(cli: Cli, tmp_path: Path) -> None:
    ended = cli("predict", MODEL, "--in", write_rows(tmp_path / "in.csv", 2), "--out", tmp_path / "out.csv")
    assert ended.code == 2
    assert "support-tickets@champion: no such version in the registry" in ended.err
    assert f"tailtune run {MODEL}" in ended.err
    assert "support-tickets@7" in cli("predict", MODEL, "--in", "in.csv", "--out", "o.csv", "--version", "7").err


def test_options_that_do_not_fit_are_refused(cli: Cli, tracker: Tracker, probe: Path, tmp_path: Path) -> None:
    register(tracker, probe, "champion", model=MODEL)
    source = write_rows(tmp_path / "in.csv", 2)
    ended = cli("predict", MODEL, "--in", source, "--out", tmp_path / "out.txt")
    assert (ended.code, "--out" in ended.err) == (2, True)
    ended = cli("predict", MODEL, "--in", source, "--out", tmp_path / "out.csv", "--max-usd", "1")
    assert "answers by itself and pays nobody" in ended.err
    ended = cli("predict", MODEL, "--in", source, "--out", tmp_path / "out.csv", "--text-column", "txt")
    assert "no column `txt`" in ended.err and "--text-column" in ended.err


def test_what_was_killed_goes_on_to_the_same_bytes(cli: Cli, tracker: Tracker, probe: Path, tmp_path: Path) -> None:
    register(tracker, probe, "champion", model=MODEL)
    source, cut, whole = write_rows(tmp_path / "in.csv", ROWS), tmp_path / "cut.csv", tmp_path / "whole.csv"
    unfinished = tmp_path / "cut.csv.unfinished"
    words = ["-m", "tailtune", "predict", MODEL, "--in", str(source), "--out", str(cut), "--processes", "2"]
    running = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline, workers = time.monotonic() + 120, list[psutil.Process]()
    while not unfinished.exists() or unfinished.read_bytes().count(b"\n") < 2:
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    workers = psutil.Process(running.pid).children()
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not psutil.wait_procs(workers, 30)[1], "a process that answers outlived the one that started it"
    done = unfinished.read_bytes().count(b"\n") - 1
    assert 0 < done <= ROWS and not cut.exists()
    ended = cli("predict", MODEL, "--in", source, "--out", cut, "--processes", "1")
    assert ended.code == 0, ended.err
    assert f"{done:,} of {ROWS:,} rows were answered before" in ended.err
    assert f", {done:,} of them by runs before" in ended.out
    assert cli("predict", MODEL, "--in", source, "--out", whole, "--processes", "2").code == 0
    assert cut.read_bytes() == whole.read_bytes()
    assert cut.read_bytes().count(b"\n") == ROWS + 1


def test_it_goes_on_with_the_version_that_began(cli: Cli, tracker: Tracker, probe: Path, tmp_path: Path) -> None:
    register(tracker, probe, "champion", model=MODEL)
    source, out = write_rows(tmp_path / "in.csv", 2), tmp_path / "out.csv"
    words = ("predict", MODEL, "--in", source, "--out", out)
    about = {"model": MODEL, "version": "1", "text_column": "text", "input": file_digest(source), "rows": 2}
    Path(f"{out}.unfinished").write_text(json.dumps(about) + "\n" + '["kept",0.5]\n')
    register(tracker, probe, "champion", model=MODEL)
    ended = cli(*words)
    assert ended.code == 2 and "version: 1 then, 2 now" in ended.err
    assert f"tailtune predict {MODEL} … --version 1 goes on with it" in ended.err
    ended = cli(*words, "--version", "1")
    assert ended.code == 0, ended.err
    assert out.read_text().splitlines()[1].endswith(",kept,0.5")


def prompted(tracker: Tracker, double: Double, folder: Path, price: str | None) -> None:
    """A version that asks an endpoint, declared and priced as in a life."""
    declared: dict[str, Any] = {"name": "small", "endpoint": double.url, "retries": 0, "max_output_tokens": 16}
    declared |= {"price": price, "request": {"temperature": None, "seed": 7}}
    spec = LanguageModelSpec.model_validate(declared)
    rung = build("lm_zero_shot", {"zero_shot": SHOWING}, CODEC, contract.context(), open_model(spec), spec, 0)
    folder.mkdir()
    rung.save(folder)
    saved.write_card(folder, saved.RUNG_KINDS["lm_zero_shot"], ())
    register(tracker, folder, "champion", model=MODEL)
    paths = tracker.case.paths
    yaml = paths.model_yaml.read_text().replace("prompt: {}", f"prompt: {{models: [{json.dumps(declared)}]}}")
    paths.model_yaml.write_text(yaml)
    with (paths.project.models / "prices.yaml").open("a") as out:
        out.write("tokens: {small: {input_usd_per_million: 1000, output_usd_per_million: 2000}}\n")


def test_a_prompted_version_asks_its_endpoint_within_a_limit(cli: Cli, tracker: Tracker, tmp_path: Path) -> None:
    source, out = write_rows(tmp_path / "in.csv", 12), tmp_path / "out.csv"
    words = ("predict", MODEL, "--in", source, "--out", out)
    with Double() as double:
        prompted(tracker, double, tmp_path / "lm_zero_shot", "small")
        ended = cli(*words)
        assert ended.code == 2 and "which costs money" in ended.err and "--max-usd" in ended.err
        assert not double.seen
        ended = cli(*words, "--max-usd", "0.1", "--log")
        assert ended.code == 3, ended.err
        first = len(double.seen)
        assert 0 < first < 12 and not out.exists()
        ended = cli(*words, "--max-usd", "100", "--log")
        assert ended.code == 0, ended.err
        assert len(double.seen) == 12, "what was paid for once is not paid for again"
        assert all(seen.body["seed"] == 7 and "temperature" not in seen.body for seen in double.seen)
        paid = (double.input_tokens * 1000 + double.output_tokens * 2000) / 1e6
    assert "12 rows in = 0 answered + 12 without a valid answer" in ended.out
    assert ", endpoint $" in ended.out
    assert f"prediction log  12 rows stored (tailtune log {MODEL})" in ended.out
    assert "model" in cli("log", MODEL).out
    entries = ledger.facts(tracker, MODEL, "accuracy").entries
    assert {entry.category for entry in entries} == {"serving"}
    bought = [entry for entry in entries if "bought answers" in entry.what]
    assert [entry.what for entry in bought if "failed" not in entry.what] == [
        "predict: in.csv, version 1, bought answers"
    ]
    assert sum(entry.usd or 0.0 for entry in bought) == pytest.approx(paid)


def test_an_endpoint_without_a_price_has_no_limit(cli: Cli, tracker: Tracker, tmp_path: Path) -> None:
    source, out = write_rows(tmp_path / "in.csv", 3), tmp_path / "out.csv"
    with Double() as double:
        prompted(tracker, double, tmp_path / "lm_zero_shot", None)
        ended = cli("predict", MODEL, "--in", source, "--out", out, "--max-usd", "1")
        assert ended.code == 2 and "nothing limits what is spent" in ended.err
        ended = cli("predict", MODEL, "--in", source, "--out", out)
    assert ended.code == 0, ended.err
    assert ", endpoint not known" in ended.out
