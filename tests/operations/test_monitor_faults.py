"""What is away, deleted or was never measured is said by a look, and nothing else of it is lost."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from doubles.slack import Slack
from services.mlflow.conftest import THIRD_PARTY
from worlds.watched import FIRST_DAY, NAME, WatchedCase, strange_texts

from tailtune.config.settings import Settings
from tailtune.core.days import shown
from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.progress import Silent
from tailtune.lifecycle import reference
from tailtune.operations.alerts import open_alerts
from tailtune.operations.monitor import look_at_log
from tailtune.operations.nightly import LookOptions, watch
from tailtune.operations.troubles import measured
from tailtune.operations.windows import Window
from tailtune.services.mlflow import registry

pytestmark = THIRD_PARTY
FIRST = Window(FIRST_DAY, FIRST_DAY)


@pytest.fixture
def world(world: WatchedCase) -> WatchedCase:
    world.log(FIRST_DAY, strange_texts(90))
    return world


def test_a_reference_without_answers_compares_texts_and_says_what_it_cannot(world: WatchedCase, tmp_path: Path) -> None:
    look_at_log(world.context, "champion", FIRST)  # makes the reference
    version = registry.get(world.tracker, NAME, "champion")
    file = tmp_path / reference.FILE
    assert registry.fetch_reference(world.tracker, version, file)
    unanswered = {"answer": None, "confidence": None, "likeliest": ()}
    rows = [replace(row, logged=row.logged | unanswered, score=math.nan) for row in reference.read(file)]
    reference.write(file, rows)
    registry.keep_reference(world.tracker, version, file)
    world.usual_day(FIRST_DAY + 40)
    usual = look_at_log(world.context, "champion", Window(FIRST_DAY + 40, FIRST_DAY + 40))
    assert not usual.drifted and usual.then is None and usual.now[0].accuracy is None and usual.now[0].note
    assert {f"{name}: the reference does not have it" for name in ("answer", "confidence")} <= set(usual.not_measured)
    assert "accuracy" not in measured(usual, world.case.spec.monitor)
    world.log(FIRST_DAY + 41, strange_texts(90))
    strange = look_at_log(world.context, "champion", Window(FIRST_DAY + 41, FIRST_DAY + 41))
    assert strange.drifted, "texts are compared all the same"


def test_a_version_or_a_model_that_was_deleted_is_named(world: WatchedCase) -> None:
    client = world.tracker.client
    client.delete_model_version(NAME, world.version)
    with pytest.raises(UsageError, match=f"{NAME}@champion: no such version"):
        look_at_log(world.context, "champion", FIRST)
    client.delete_registered_model(NAME)
    with pytest.raises(UsageError, match=NAME):
        look_at_log(world.context, "champion", FIRST)


def test_a_database_that_is_away_is_said_without_its_password_and_the_next_look_tells(
    world: WatchedCase, slack: Slack
) -> None:
    pytest.importorskip("psycopg")
    paths, options = world.case.paths.project, LookOptions(window=shown(FIRST_DAY))
    there = Settings(tracking_uri=world.settings.tracking_uri, slack_webhook=slack.url)
    away = there.model_copy(update={"prediction_log": "postgresql://tailtune:secret@127.0.0.1:9/tailtune"})
    with pytest.raises(ServiceError) as refused:
        watch(paths, away, NAME, options, Silent())
    assert "127.0.0.1:9" in str(refused.value) and "secret" not in str(refused.value) and not slack.taken
    watch(paths, there, NAME, options, Silent())
    assert len(slack.taken) == 1


def test_a_look_that_fails_after_it_counted_is_done_again_and_tells_once(
    world: WatchedCase, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, options = world.case.paths.project, LookOptions(window=shown(FIRST_DAY))
    settings = Settings(tracking_uri=world.settings.tracking_uri, slack_webhook=slack.url)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("tailtune.operations.nightly.page_of", full)
        with pytest.raises(OSError, match="No space"):
            watch(paths, settings, NAME, options, Silent())
    assert not slack.taken
    for _ in range(2):
        watch(paths, settings, NAME, options, Silent())
    assert len(slack.taken) == 1
    with open_alerts(paths, settings) as alerts:
        assert [(each.alert.cause, each.looks) for each in alerts.outbox.troubles()] == [("drift", 2)]
