"""A version that replaced another is compared with what was asked then, if it knows that."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from services.mlflow.conftest import THIRD_PARTY
from serving.batch.probe import saved_probe
from tasks.classification import contract
from worlds.watched import FIRST_DAY, NAME, WatchedCase, strange_texts, texts_of

from tailtune.core.monitored import MonitorReport, Sample
from tailtune.operations import traffic
from tailtune.operations.monitor import look_at_log
from tailtune.operations.reference import reference_of, traffic_file
from tailtune.operations.windows import Window
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.novelty import Novelty
from tailtune.predictors.reading import ENCODER
from tailtune.report import monitoring
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.registry import Version
from tailtune.services.prediction_log.store import PredictionLog

pytestmark = THIRD_PARTY


@pytest.fixture(scope="module")
def probe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe") / "folder"
    shutil.copytree(saved_probe(tmp_path_factory, tiny_encoder), folder)
    texts = [text for label in contract.WORDS for text in texts_of(label, 100, -1)]
    Novelty.fit(Encoder.load(folder / ENCODER).embed(texts)).save(folder)
    return folder


def look(world: WatchedCase, number: int) -> MonitorReport:
    return look_at_log(world.context, "champion", Window(FIRST_DAY + number, FIRST_DAY + number))


def mostly_one_class(world: WatchedCase, number: int) -> None:
    first, *others = contract.WORDS
    texts = texts_of(first, 100, number) + [text for label in others for text in texts_of(label, 10, number)]
    world.log(FIRST_DAY + number, texts)


def test_a_mix_of_classes_that_a_version_was_made_for_is_no_drift_of_it(world: WatchedCase) -> None:
    for number in range(4):
        mostly_one_class(world, number)
    before = look(world, 3)
    assert before.drifted and before.traffic_rows == 0
    world.replace_version()
    mostly_one_class(world, 4)
    after = look(world, 4)
    assert after.traffic_rows == 480 and not after.drifted
    assert after.then == before.then, "how right it was, its labelled rows say"
    assert any("480 rows of the week before" in line for line in monitoring.not_seen(after))
    assert registry.TRAFFIC in registry.get(world.tracker, NAME, "champion").tags
    world.usual_day(FIRST_DAY + 5, 150)
    assert look(world, 5).drifted, "another mix is drift again"
    known = reference_of(world.context, champion(world))
    assert {"language", "unreadable"} <= known.sample.categories.keys()
    assert (known.words.texts, known.words.of["please"]) == (480, 480)


def test_a_version_that_cannot_tell_what_it_knows_is_not_asked(
    world: WatchedCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a language model, which takes seconds a text."""
    monkeypatch.setattr(traffic, "_requests_before", lambda *_: pytest.fail("looked for texts to ask it"))
    version = registry.get(world.tracker, NAME, "champion")
    with closing(PredictionLog(world.context.settings.prediction_log_url(world.context.project))) as log:
        assert not traffic.make_traffic(world.context, version, Sample(10, {}, {}), log, FIRST_DAY)


def test_no_text_outlives_the_log(world: WatchedCase) -> None:
    for number in range(4):
        mostly_one_class(world, number)
    world.replace_version()
    mostly_one_class(world, 4)
    assert look(world, 4).traffic_rows
    kept = traffic_file(world.context, champion(world)).read_bytes()
    (text, *_) = texts_of(next(iter(contract.WORDS)), 1, 0)
    assert b"please" in kept and text.encode() not in kept and text.split()[-1].encode() not in kept
    assert all(row.logged["text"] is None for row in reference_of(world.context, champion(world)).traffic)


def champion(world: WatchedCase) -> Version:
    return registry.get(world.tracker, NAME, "champion")


def test_what_a_version_does_not_know_stays_drift(world: WatchedCase) -> None:
    for number in range(4):
        world.usual_day(FIRST_DAY + number, 60)
        world.log(FIRST_DAY + number, strange_texts(60, number))
    world.replace_version()
    world.usual_day(FIRST_DAY + 4, 60)
    world.log(FIRST_DAY + 4, strange_texts(60, 4))
    report = look(world, 4)
    assert report.drifted and report.traffic_rows == 0


def test_few_rows_or_a_first_version_are_compared_with_held_out_rows(world: WatchedCase) -> None:
    mostly_one_class(world, 0)
    world.replace_version()
    mostly_one_class(world, 1)
    assert look(world, 1).traffic_rows == 0
    for number in range(2, 8):
        mostly_one_class(world, number)
    assert look(world, 7).traffic_rows == 0, "what a version is compared with stays"
