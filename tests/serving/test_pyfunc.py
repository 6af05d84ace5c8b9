"""The model as any MLflow user gets it: loaded in a bare process, and behind `mlflow models serve`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from lifecycle.helpers import perform
from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY, stop, wait_for
from worlds import stores
from worlds.servers import free_port

from serving import bare
from tailtune.config.model import Pii
from tailtune.config.settings import Settings
from tailtune.core.progress import Silent
from tailtune.core.records import Answer
from tailtune.core.reports import RegisterReport
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.curate import Drops, tidy_train_rows
from tailtune.services.mlflow import connect
from tailtune.services.sources import RawRow
from tailtune.tasks import saved as predictors
from tailtune.tasks.use_case import UseCase

pytestmark = THIRD_PARTY
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> UseCase:
    """One for all tests of this file: they only ask its model."""
    made = examples.make_case(tmp_path_factory.mktemp("served") / "project")
    stores.give(tmp_path_factory, made.paths.project.mlflow_store)
    return made


@pytest.fixture(scope="module")
def uri(case: UseCase) -> str:
    return f"sqlite:///{case.paths.project.mlflow_store / 'mlflow.db'}"


@pytest.fixture(scope="module")
def report(case: UseCase, uri: str) -> RegisterReport:
    examples.make_life(case)
    return perform("register", Context(case, Settings(), Silent(), connect(uri, case)))


def environment(uri: str) -> dict[str, str]:
    return {**os.environ, "MLFLOW_TRACKING_URI": uri, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


SCRIPT = """
import json, mlflow, pandas as pd
model = mlflow.pyfunc.load_model("models:/support-tickets@champion")
frame = model.predict(pd.DataFrame({"text": ["reset my password please", "where is my refund", sys.argv[1]]}))
listed = model.unwrap_python_model().predict(None, ["reset my password please"])
print(json.dumps({
    "columns": list(frame.columns), "labels": list(frame["label"]), "confidence": list(frame["confidence"]),
    "listed": list(listed["label"]),
    "code": [module.__file__ for name, module in sys.modules.items() if name.startswith("tailtune")],
    "inputs": model.metadata.get_input_schema().input_names(),
}))
"""
RAW = "  He\u200bllo,\trefund.late@example.com here cafe\u0301\r\n re\u00adset my  pass\u200bword, tel. no. 5550188123 "


@pytest.fixture(scope="module")
def loaded(report: RegisterReport, uri: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the model answers in a process without our code, and what it is there."""
    lines = bare.run(SCRIPT, RAW, env=environment(uri), cwd=tmp_path_factory.mktemp("bare"))
    message: dict[str, Any] = json.loads(lines[-1])
    return message


def test_a_process_without_our_code_loads_it(loaded: dict[str, Any]) -> None:
    assert loaded["columns"] == ["label", "confidence"] and loaded["inputs"] == ["text"]
    assert loaded["labels"][:2] == ["password_reset", "refund_status"]
    assert all(0 < value <= 1 for value in loaded["confidence"])
    assert loaded["listed"] == ["password_reset"]
    assert loaded["code"] and all("/artifacts/code/tailtune_" in file for file in loaded["code"])


def test_requirements_are_pinned_and_nothing_but_what_answering_needs(report: RegisterReport, case: UseCase) -> None:
    stored = next(case.paths.project.mlflow_store.glob("artifacts/*/models/*/artifacts"))
    lines = (stored / "requirements.txt").read_text().split()
    names = {line.partition("==")[0] for line in lines}
    assert all("==" in line and "+" not in line for line in lines)
    assert {"mlflow", "numpy", "pandas", "scikit-learn"} <= names
    assert not names & {"prefect", "dvc", "great-expectations", "matplotlib", "peft", "tailtune"}
    carried = {path.relative_to(stored / "code") for path in (stored / "code").rglob("*.py")}
    (package,) = {path.parts[0] for path in carried if len(path.parts) > 1}
    assert Path(package, "tasks/classification/rungs.py") in carried
    prepare = Path(package, "predictors/prepare")
    assert {prepare / "__init__.py", prepare / "clean.py", prepare / "scrub.py"} <= carried
    assert not [path for path in carried if {"stages", "services", "report", "spec"} & set(path.parts)]
    assert sum((stored / "code" / path).stat().st_size for path in carried) < 200_000


def curated(case: UseCase, raw: str) -> str:
    """What curation makes of a text, by the stage's own code."""
    (tidy,) = tidy_train_rows([RawRow(raw, "password_reset", "tickets.jsonl:1")], case, Drops())
    return tidy.row.text


def test_a_raw_text_is_answered_as_the_curated_row_is(loaded: dict[str, Any], case: UseCase) -> None:
    text = curated(case, RAW)
    assert text == "Hello, <email> here caf\u00e9 reset my password, tel. no. <phone>"
    predictor = predictors.load(case.paths.stage("ladder") / "rungs" / "tfidf")
    (expected,), (unprepared,) = predictor.answer([text]), predictor.answer([RAW])
    assert unprepared.confidence != expected.confidence, "the raw text would be answered alike: nothing is shown"
    assert (loaded["labels"][2], loaded["confidence"][2]) == (expected.value, expected.confidence)


@dataclass
class Listening:
    """A predictor that remembers what it was asked."""

    requests: list[str] = field(default_factory=list)

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        self.requests += texts
        return [Answer("x", 1.0) for _ in texts]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [(("email", "ip"), ["<email> called from 0049 30 9018200", ""]), ((), ["a@b.de called from 0049 30 9018200", ""])],
)
def test_only_what_the_card_names_is_scrubbed(
    kinds: tuple[Pii, ...], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tailtune.serving.pyfunc import TailTuneModel

    listening = Listening()
    monkeypatch.setattr(predictors, "load", lambda folder: listening)
    predictors.write_card(tmp_path, predictors.RUNG_KINDS["tfidf"], kinds)
    model = TailTuneModel()
    model.load_context(SimpleNamespace(artifacts={"predictor": str(tmp_path)}))
    frame = model.predict(None, pd.DataFrame({"text": [" a@b.de called\tfrom 0049 30 9018200", None]}))
    assert listening.requests == expected
    assert list(frame["label"]) == ["x", "x"]


@pytest.mark.servers
def test_mlflow_serves_it(report: RegisterReport, uri: str, tmp_path: Path) -> None:
    port = free_port()
    command = [str(BIN / "mlflow"), "models", "serve", "-m", "models:/support-tickets@champion"]
    command += ["--env-manager", "local", "--port", str(port)]
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment(uri), cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/ping", process)
            for body in (
                {"dataframe_split": {"columns": ["text"], "data": [["reset my password please"]]}},
                {"dataframe_records": [{"text": "reset my password please"}]},
                {"inputs": {"text": ["reset my password please"]}},
                {"inputs": ["reset my password please"]},
            ):
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/invocations",
                    json.dumps(body).encode(),
                    {"Content-Type": "application/json"},
                )
                with urllib.request.urlopen(request, timeout=60) as reply:
                    answers = json.loads(reply.read())["predictions"]
                assert [answer["label"] for answer in answers] == ["password_reset"], body
        finally:
            stop(process)
