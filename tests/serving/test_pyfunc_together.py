"""Versions of any task and of different code answer side by side in one process, by plain MLflow, each as it did."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from services.mlflow.conftest import THIRD_PARTY
from tasks.classification import contract as classification
from tasks.extraction.rungs import claims as extraction

from serving import bare
from tailtune.lifecycle import carried_code
from tailtune.lifecycle.bundle import needs
from tailtune.tasks import saved

pytestmark = THIRD_PARTY
TEXT = "where is my card of 4 May 2026"
LOAD = """
import json, resource, time
import mlflow
models, began, megabytes = [], time.perf_counter(), lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
text, before = sys.argv[1], megabytes()
for folder in sys.argv[2:]:
    models.append(mlflow.pyfunc.load_model(folder))
answers = [model.predict([text]).to_dict("records")[0] for model in models]
answers += [model.predict([text]).to_dict("records")[0] for model in reversed(models)]
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules if name.startswith("tailtune")})))
print(json.dumps(answers))
print(f"{time.perf_counter() - began:.2f} s, {megabytes() - before} MB", file=sys.stderr)
"""


def predictor(folder: Path, kind: str, context: Any) -> Path:
    """A rung as its stage saves it."""
    folder.mkdir(parents=True)
    saved.RUNG_KINDS[kind].load_class().fit(context).save(folder)
    saved.write_card(folder, saved.RUNG_KINDS[kind], ())
    return folder


def version(folder: Path, rung: Path) -> Path:
    """A version's files as registering writes them."""
    code = carried_code.copy_code(needs(rung, TEXT, print).modules, folder / "code")
    mlflow.pyfunc.save_model(
        folder / "model",
        python_model=str(code.entry),
        artifacts={"predictor": str(rung)},
        code_paths=[str(code.package)],
        pip_requirements=[],
    )
    return folder / "model"


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code of another day: what is copied meanwhile gives every answer with half the confidence."""
    root = tmp_path / "later" / "tailtune"
    shutil.copytree(carried_code._ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    file = root / "core" / "records.py"
    text = file.read_text(encoding="utf-8")
    assert '"confidence": self.confidence' in text
    file.write_text(text.replace('"confidence": self.confidence', '"confidence": self.confidence / 2'), "utf-8")
    monkeypatch.setattr(carried_code, "_ROOT", root)


@pytest.fixture
def rungs(tmp_path: Path) -> dict[str, Path]:
    """Two rungs of each task."""
    return {
        name: predictor(tmp_path / "rungs" / name, name, context)
        for name, context in (
            ("tfidf", classification.context()),
            ("majority", classification.context()),
            ("patterns", extraction.context()),
            ("template", extraction.context()),
        )
    }


@pytest.mark.slow
def test_four_versions_answer_in_one_process(
    rungs: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    models = [version(tmp_path / name, rungs[name]) for name in ("tfidf", "patterns", "template")]
    request.getfixturevalue("later")
    models.append(version(tmp_path / "majority", rungs["majority"]))
    packages, answers = map(json.loads, bare.run(LOAD, TEXT, *map(str, models), env=os.environ, cwd=tmp_path))
    expected = [
        dict(saved.load(rungs[name]).answer([TEXT])[0].columns())
        for name in ("tfidf", "patterns", "template", "majority")
    ]
    expected[-1]["confidence"] /= 2
    assert answers == [*expected, *reversed(expected)]
    assert packages == sorted(path.name for model in models for path in (model / "code").glob("tailtune_*"))
    assert len(packages) == 4


def test_versions_of_equal_code_share_it(rungs: dict[str, Path], tmp_path: Path) -> None:
    first, second = (version(tmp_path / name, rungs["patterns"]) for name in ("first", "second"))
    assert files(first / "code") == files(second / "code")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.py")}
