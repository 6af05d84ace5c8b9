"""Processes answer as a server's worker does, in order, however many there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from serving.batch.probe import saved_probe, texts
from tailtune.core.errors import TailTuneError
from tailtune.serving.batch.answering import by_processes
from tailtune.serving.batch.kept import KeptAnswer
from tailtune.tasks.answerer import Answerer


@pytest.fixture(scope="module")
def probe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_probe(tmp_path_factory, tiny_encoder)


def test_one_process_and_two_answer_as_a_server_does(probe: Path) -> None:
    asked_about = [*texts(60), "", "half \ud800 a pair", "my address is me@example.com", "a\nb"]
    blocks = [asked_about[at : at + 5] for at in range(0, len(asked_about), 5)]
    ones, twos = ([row for block in by_processes(blocks, probe, "1", n) for row in block] for n in (1, 2))
    assert ones == twos
    server = Answerer(probe, "1")
    expected = [server.answer(text) for text in asked_about]
    assert [(row.answer, row.confidence) for row in ones] == [(each.value, each.confidence) for each in expected]
    assert {row.answer for row in ones} > {"billing", "login"}


def test_a_process_loads_nothing_heavy(probe: Path) -> None:
    script = (
        "import sys, json; from tailtune.serving.batch.worker import main; main(sys.argv[1], '1'); "
        "print(sorted({'torch', 'transformers', 'pandas', 'mlflow', 'pyarrow'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(probe)], input='["my card"]\n', capture_output=True, text=True, check=True
    )
    assert '"billing"' in done.stdout
    assert done.stderr == "[]\n"


def test_a_version_that_does_not_load_is_named(tmp_path: Path) -> None:
    with pytest.raises(TailTuneError, match=r"no predictor\.json; not a saved predictor"):
        list(by_processes([["a"]], tmp_path, "1", 2))


def answering() -> list[psutil.Process]:
    """Processes of this one that answer; what other tests have left dead is none."""
    alive = [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in alive if "tailtune.serving.batch.worker" in each.cmdline()]


def test_a_process_that_was_ended_is_named(probe: Path) -> None:
    answers = by_processes((["a"] for _ in range(50)), probe, "1", 1)
    assert isinstance(next(answers)[0], KeptAnswer)
    for child in answering():
        child.kill()
    with pytest.raises(TailTuneError, match="a process that answers has ended"):
        list(answers)


def test_who_stops_early_leaves_no_process(probe: Path) -> None:
    answers = by_processes((["a"] for _ in range(50)), probe, "1", 1)
    next(answers)
    answers.close()
    assert not answering()
