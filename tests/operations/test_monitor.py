"""A look at logged rows: what moved is found and told once; what was not measured is said, never taken for nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from doubles.slack import Slack
from services.mlflow.conftest import THIRD_PARTY
from tasks.classification import contract
from worlds.watched import FIRST_DAY, NAME, WatchedCase, strange_texts, texts_of

from tailtune.config.settings import Settings
from tailtune.core.days import number_of, shown
from tailtune.core.errors import MissingInputError, ServiceError, UsageError
from tailtune.core.progress import Silent
from tailtune.operations.monitor import look_at_file, look_at_log
from tailtune.operations.nightly import Looked, LookOptions, watch
from tailtune.operations.troubles import alerts_of, measured
from tailtune.operations.windows import Window
from tailtune.report import monitoring
from tailtune.services.mlflow import registry, windows
from tailtune.services.prediction_log.store import PredictionLog

pytestmark = THIRD_PARTY


def day(number: int) -> Window:
    return Window(FIRST_DAY + number, FIRST_DAY + number)


def so_far(number: int) -> Window:
    return Window(FIRST_DAY + number, FIRST_DAY + number, is_over=False)


def look(world: WatchedCase, number: int, slack: Slack | None = None) -> Looked:
    settings = Settings(tracking_uri=world.settings.tracking_uri, slack_webhook=None if slack is None else slack.url)
    options = LookOptions(window=shown(FIRST_DAY + number))
    return watch(world.case.paths.project, settings, NAME, options, Silent())


def test_drift_is_found_named_and_told_once(world: WatchedCase, slack: Slack) -> None:
    for number in range(3):
        world.usual_day(FIRST_DAY + number)
    quiet = look(world, 2, slack)
    assert not quiet.report.drifted and not slack.taken
    assert [each.day for each in quiet.report.days if each.figures.rows] == [FIRST_DAY, FIRST_DAY + 1, FIRST_DAY + 2]
    for number in (3, 4):
        world.usual_day(FIRST_DAY + number, 30)
        world.log(FIRST_DAY + number, strange_texts(60, 5000 + 100 * number))
    report = look(world, 3, slack).report
    assert report.drifted and report.alarm_day == FIRST_DAY + 3
    assert any(word.word in ("hologram", "antenna", "satellite", "roof") and word.more for word in report.words)
    assert any("over the roof" in row.text for row in report.examples)
    assert len(slack.taken) == 1
    look(world, 4, slack)
    assert len(slack.taken) == 1, "it is told once"


def test_what_has_been_back_for_a_week_is_over_and_may_come_again(world: WatchedCase, slack: Slack) -> None:
    world.log(FIRST_DAY, strange_texts(90, 1))
    assert look(world, 0, slack).report.drifted
    for number in range(1, 8):
        world.usual_day(FIRST_DAY + number, 150)
    assert not look(world, 7, slack).report.drifted
    world.log(FIRST_DAY + 8, strange_texts(90, 2))
    assert look(world, 8, slack).report.drifted
    heads = [message["text"].partition(":")[0].partition(" ")[2] for message in slack.taken]
    assert heads == ["Warning", "Over", "Back, warning"]


def test_a_look_leaves_a_page_a_run_and_a_run_over_time(world: WatchedCase) -> None:
    world.usual_day(FIRST_DAY)
    world.usual_day(FIRST_DAY + 1)
    looked = look(world, 1)
    assert "No drift" in looked.page.read_text() and "<script" not in looked.page.read_text()
    client = world.tracker.client
    run = client.get_run(looked.run_id or "")
    assert run.info.run_name == f"monitor: v{world.version} {shown(FIRST_DAY + 1)}"
    assert run.data.metrics["rows"] == 60 and run.data.metrics["cost_wall_s"] > 0
    (axis,) = client.search_runs([world.tracker.experiment_id], "tags.`tailtune.monitored_version` != ''")
    assert [point.step for point in client.get_metric_history(axis.info.run_id, "rows")] == [FIRST_DAY, FIRST_DAY + 1]
    look(world, 1)
    assert [point.step for point in client.get_metric_history(axis.info.run_id, "rows")] == [FIRST_DAY, FIRST_DAY + 1]


def test_the_same_day_again_replaces_itself(world: WatchedCase) -> None:
    for number in range(2):
        world.usual_day(FIRST_DAY + number)
    first, second = (look_at_log(world.context, "champion", day(1)) for _ in range(2))
    assert (first.evidence, first.findings) == (second.evidence, second.findings)
    assert first.rows == second.rows == 60


def test_rows_that_come_late_are_counted_and_deleted_ones_stay_counted(world: WatchedCase) -> None:
    world.usual_day(FIRST_DAY)
    assert look_at_log(world.context, "champion", day(0)).rows == 60
    world.usual_day(FIRST_DAY, 30)
    before = look_at_log(world.context, "champion", day(0))
    assert before.rows == 90
    log = PredictionLog(world.settings.prediction_log_url(world.case.paths.project))
    log.delete_before(NAME, day(1).since_us)
    log.close()
    after = look_at_log(world.context, "champion", day(0))
    assert (after.rows, after.rows_read, after.findings) == (90, 0, before.findings)


def test_days_that_nobody_looked_at_are_counted_later(world: WatchedCase) -> None:
    for number in range(4):
        world.usual_day(FIRST_DAY + number)
    look_at_log(world.context, "champion", day(0))
    late = look_at_log(world.context, "champion", day(3))
    assert [each.figures.rows for each in late.days] == [60, 60, 60, 60]
    assert late.rows == 60, "the window itself is the one that was asked for"


def test_the_reference_of_a_version_of_before_is_made_and_kept(world: WatchedCase) -> None:
    world.usual_day(FIRST_DAY)
    assert registry.REFERENCE not in registry.get(world.tracker, NAME, "champion").tags
    report = look_at_log(world.context, "champion", day(0))
    assert report.reference_rows == 360 and report.then is not None and report.then.value > 0.5
    assert registry.REFERENCE in registry.get(world.tracker, NAME, "champion").tags


def test_without_a_reference_and_rows_to_make_one_from_it_says_so(world: WatchedCase) -> None:
    world.usual_day(FIRST_DAY)
    world.case.paths.rows("dev").unlink()
    with pytest.raises(MissingInputError, match="has no reference, and this checkout no curated rows"):
        look_at_log(world.context, "champion", day(0))


def test_a_window_without_rows_is_no_good_news(world: WatchedCase) -> None:
    world.usual_day(FIRST_DAY)
    report = look_at_log(world.context, "champion", day(5))
    assert report.rows == 0 and not report.drifted
    assert "the window has no rows" in report.not_measured
    assert not look(world, 5).report.alerts


def test_a_window_of_one_class_is_measured(world: WatchedCase) -> None:
    world.log(FIRST_DAY, texts_of("billing", 90, 5000))
    report = look_at_log(world.context, "champion", day(0))
    moved = next(each for each in report.findings if (each.measure, each.part) == ("answer", "billing"))
    assert moved.more and moved.window.value > 0.7 and report.drifted


def test_hashed_texts_leave_words_language_and_meanings_unmeasured(world: WatchedCase) -> None:
    texts = [text for label in contract.WORDS for text in texts_of(label, 20, 4900)]
    world.log(FIRST_DAY, texts, keep_text=False)
    report = look_at_log(world.context, "champion", day(0))
    assert not report.words and not report.examples
    assert {"language: no row of the window has it", "embedding: no row of the window has it"} <= set(
        report.not_measured
    )


def test_slow_answers_are_trouble_of_their_own(world: WatchedCase) -> None:
    texts = [text for label in contract.WORDS for text in texts_of(label, 20, 4900)]
    for number in range(2):
        world.log(FIRST_DAY + number, texts, latency_ms=10_000.0)
    (alert,) = look(world, 1).report.alerts
    assert (alert.cause, alert.severity) == ("latency", "critical")
    assert "slow answers" in alert.title


def test_feedback_is_shown_as_what_it_is(world: WatchedCase) -> None:
    from tailtune.services.prediction_log import LoggedFeedback, Spool

    texts = texts_of("billing", 10)
    ids, right = world.log(FIRST_DAY, texts), world.answer(texts[0])
    spool = Spool(world.settings.spool_folder(world.case.paths.project) / NAME)
    for name, label in ((ids[0], right), (ids[1], "billing"), (ids[1], "what nobody answers")):
        spool.append_feedback(LoggedFeedback((FIRST_DAY + 1) * 86_400_000_000, NAME, label, "Ann", name))
    spool.close()
    (sent,) = (each for each in look_at_log(world.context, "champion", day(0)).now if each.by == "feedback")
    assert sent.accuracy is not None and (sent.accuracy.value, sent.accuracy.rows) == (0.5, 2)


def test_a_file_is_a_window_of_its_own(world: WatchedCase) -> None:
    report = look_at_file(world.context, "champion", strange_texts(80, 6000), "mail.csv")
    assert report.source == "mail.csv" and report.rows == 80 and report.drifted
    assert "80 rows of mail.csv" in monitoring.headline(report).why
    world.usual_day(FIRST_DAY)
    assert not look_at_log(world.context, "champion", day(0)).drifted, "a file is no evidence about the log"


def test_what_was_never_logged_and_what_is_not_there_is_said(world: WatchedCase) -> None:
    with pytest.raises(UsageError, match="nothing is logged yet"):
        look_at_log(world.context, "champion", day(0))
    with pytest.raises(UsageError, match="no such version"):
        look_at_log(world.context, "v9", day(0))


def test_what_mlflow_does_not_take_is_written_there_by_the_next_look(
    world: WatchedCase, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.log(FIRST_DAY, strange_texts(90))
    world.usual_day(FIRST_DAY + 1)

    def away(*_: object, **__: object) -> str:
        raise ServiceError("MLflow does not answer", "start it")

    with monkeypatch.context() as patched:
        patched.setattr(windows, "publish", away)
        first = look(world, 0, slack)
    assert first.run_id is None and len(slack.taken) == 1, "people are told all the same"
    second = look(world, 1, slack)
    runs = world.tracker.client.search_runs([world.tracker.experiment_id], "params.window != ''")
    assert sorted(run.data.params["window"] for run in runs) == [shown(FIRST_DAY), shown(FIRST_DAY + 1)]
    assert all(run.data.metrics["cost_wall_s"] > 0 and run.info.status == "FINISHED" for run in runs)
    assert second.run_id in {run.info.run_id for run in runs}


def test_rows_of_another_version_are_counted_and_left_out(world: WatchedCase) -> None:
    world.usual_day(FIRST_DAY)
    other, world.version = world.version, "77"
    world.log(FIRST_DAY, strange_texts(50))
    report = look_at_log(world.context, other, day(0))
    assert (report.rows, report.other_rows) == (60, 50) and not report.drifted


def test_a_locked_log_is_said_and_nothing_is_counted(world: WatchedCase, monkeypatch: pytest.MonkeyPatch) -> None:
    world.usual_day(FIRST_DAY)
    assert look_at_log(world.context, "champion", day(0)).rows == 60
    monkeypatch.setattr("tailtune.services.database._BUSY_S", 0.1)
    with closing(sqlite3.connect(world.case.paths.project.serving / "predictions.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceError, match="locked"):
            look_at_log(world.context, "champion", day(0))
    assert look_at_log(world.context, "champion", day(0)).rows == 60


def test_of_a_day_with_many_rows_some_are_drawn(world: WatchedCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailtune.operations.monitor.ROWS_A_DAY", 40)
    world.usual_day(FIRST_DAY, 90)
    report = look_at_log(world.context, "champion", day(0))
    assert report.rows == 90 and 20 <= report.rows_read <= 40
    assert [each.figures.rows for each in report.days] == [90]


def test_a_day_in_progress_is_counted_as_it_grows_and_to_its_end_by_a_later_look(world: WatchedCase) -> None:
    world.usual_day(FIRST_DAY)
    look_at_log(world.context, "champion", day(0))
    seen = []
    for _ in range(2):
        world.usual_day(FIRST_DAY + 1, 30)
        report = look_at_log(world.context, "champion", so_far(1))
        seen.append((report.rows, report.is_over, [each.day - FIRST_DAY for each in report.days]))
    assert seen == [(30, False, [0, 1]), (60, False, [0, 1])]
    world.usual_day(FIRST_DAY + 1, 30)
    look_at_log(world.context, "champion", so_far(2))
    world.usual_day(FIRST_DAY + 2, 30)
    report = look_at_log(world.context, "champion", so_far(3))
    assert [(each.figures.rows, each.figures.is_over) for each in report.days] == [
        *((rows, True) for rows in (60, 90, 30)),
        (0, False),
    ]
    whole = look_at_log(world.context, "champion", day(1))
    assert (whole.rows, whole.is_over) == (90, True)


def test_today_without_rows_says_so_and_is_no_alarm(world: WatchedCase) -> None:
    world.log(FIRST_DAY, strange_texts(90))
    assert look_at_log(world.context, "champion", day(0)).drifted
    report = look_at_log(world.context, "champion", so_far(1))
    assert not report.drifted and not alerts_of(report, world.case.spec.monitor, {})
    assert measured(report, world.case.spec.monitor) == set(), "nor is anything over"
    assert "No row of this day has come yet." in monitoring.headline(report).why


def test_drift_of_today_is_found_while_the_day_goes_on(world: WatchedCase) -> None:
    world.usual_day(FIRST_DAY, 150)
    look_at_log(world.context, "champion", day(0))
    evidence = []
    for seed in range(3):
        world.log(FIRST_DAY + 1, strange_texts(15, seed))
        evidence.append(look_at_log(world.context, "champion", so_far(1)).evidence or 0.0)
    assert evidence == sorted(evidence) and evidence[-1] > 1


def test_what_has_been_back_for_a_week_of_whole_days_is_over_though_today_has_begun(world: WatchedCase) -> None:
    world.log(FIRST_DAY, strange_texts(90, 1))
    assert look_at_log(world.context, "champion", day(0)).drifted
    for number in range(1, 8):
        world.usual_day(FIRST_DAY + number, 150)
    world.usual_day(FIRST_DAY + 8, 15)
    assert not look_at_log(world.context, "champion", so_far(8)).drifted


def test_of_a_day_that_grows_always_the_same_rows_are_drawn(
    world: WatchedCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailtune.operations.monitor.ROWS_A_DAY", 30)
    world.usual_day(FIRST_DAY, 90)
    look_at_log(world.context, "champion", day(0))
    read = []
    for _ in range(3):
        world.usual_day(FIRST_DAY + 1, 60)
        report = look_at_log(world.context, "champion", so_far(1))
        read.append((report.rows, report.rows_read))
    assert [rows for rows, _ in read] == [60, 120, 180]
    assert all(0.25 < drawn / rows < 0.45 for rows, drawn in read)
    world.usual_day(FIRST_DAY + 1, 300)
    grown = look_at_log(world.context, "champion", so_far(1))
    assert grown.rows == 480 and grown.rows_read < 45 < read[-1][1], "beyond five times what was expected, fewer"


def test_looks_at_today_share_a_run_and_tell_once(world: WatchedCase, slack: Slack) -> None:
    today = number_of(datetime.now(UTC).date())
    settings = Settings(tracking_uri=world.settings.tracking_uri, slack_webhook=slack.url)
    looks = []
    for seed in range(3):
        world.log(today, strange_texts(40, seed))
        looks.append(watch(world.case.paths.project, settings, NAME, LookOptions(window="today"), Silent()))
    if number_of(datetime.now(UTC).date()) != today:
        pytest.skip("midnight has passed")
    assert len(slack.taken) == 1
    (run_id,) = {each.run_id for each in looks}
    run = world.tracker.client.get_run(run_id or "")
    spent = [each.report.cost.wall_s for each in looks if each.report.cost is not None]
    assert run.info.status == "FINISHED" and run.info.run_name.endswith("so far")
    assert run.data.metrics["rows"] == 120 and run.data.metrics["cost_wall_s"] == pytest.approx(sum(spent))
    (axis,) = world.tracker.client.search_runs([world.tracker.experiment_id], "tags.`tailtune.monitored_version` != ''")
    points = world.tracker.client.get_metric_history(axis.info.run_id, "rows")
    assert {point.step for point in points} == {today} and len(points) <= 2, "one an hour"


def test_a_look_at_the_past_tells_nothing(world: WatchedCase, slack: Slack) -> None:
    world.log(FIRST_DAY, strange_texts(90))
    world.usual_day(FIRST_DAY + 1)
    ahead = Window(2 * FIRST_DAY, 2 * FIRST_DAY)
    look_at_log(world.context, "champion", ahead)  # by a clock that was ahead
    look_at_log(world.context, "champion", day(1))
    look(world, 0, slack)
    assert not slack.taken, "a later day has been looked at"
    world.log(FIRST_DAY + 2, strange_texts(90, 2))
    look(world, 2, slack)
    assert len(slack.taken) == 1


def test_a_day_that_was_counted_while_a_clock_was_ahead_is_in_no_look_before_it(world: WatchedCase) -> None:
    """It would keep evidence of drift from being gathered anew until that day has come."""
    world.usual_day(FIRST_DAY)
    world.log(2 * FIRST_DAY, strange_texts(90))
    look_at_log(world.context, "champion", Window(2 * FIRST_DAY, 2 * FIRST_DAY))
    report = look_at_log(world.context, "champion", day(0))
    assert [each.day for each in report.days] == [FIRST_DAY] and not report.drifted
