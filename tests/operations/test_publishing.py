"""Looks that MLflow did not take wait in files: they are written once, and no file of theirs stops another."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from project import Heard
from services.mlflow.conftest import THIRD_PARTY
from worlds.watched import FIRST_DAY, NAME, WatchedCase

from tailtune.core.monitored import LOG, DayFigures, MonitorReport, WatchedDay
from tailtune.core.records import Cost
from tailtune.lifecycle.context import Context
from tailtune.operations.publishing import page_of, publish_all
from tailtune.services.mlflow import windows

pytestmark = THIRD_PARTY


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def context(world: WatchedCase, heard: Heard) -> Context:
    return replace(world.context, progress=heard)


def look(hour: int = 0, day: int = FIRST_DAY, is_over: bool = False) -> MonitorReport:
    """A look of one US dollar."""
    figures = DayFigures(
        rows=10, rows_read=10, unanswered=0, p50_ms=2.0, p99_ms=3.0, usd=0.0, unpriced=0, is_over=is_over
    )
    made_at = datetime(2026, 11, 1, 8, tzinfo=UTC) + timedelta(hours=hour)
    return MonitorReport(
        use_case=NAME,
        model=NAME,
        version="1",
        measure="accuracy",
        made_at=made_at.isoformat(timespec="seconds"),
        first_day=day,
        last_day=day,
        source=LOG,
        rows=10,
        rows_read=10,
        reference_rows=100,
        then=None,
        now=(),
        false_alarms=0.05,
        tolerance=0.01,
        evidence=0.1,
        findings=(),
        statistics=0,
        days=(WatchedDay(day=day, figures=figures, evidence=0.1),),
        cost=Cost(wall_s=10.0, cpu_s=10.0, peak_memory_mb=1.0, usd=1.0, bought_usd=0.0),
    )


def publish(context: Context, report: MonitorReport) -> str | None:
    return publish_all(context, report, page_of(context, report))


def costs(context: Context) -> list[float]:
    """US dollars of every run of a look."""
    runs = context.tracker.client.search_runs([context.tracker.experiment_id], "metrics.rows > 0")
    looks = [run for run in runs if "tailtune.look" in run.data.tags]
    assert all(run.info.status == "FINISHED" for run in looks)
    return [run.data.metrics["cost_usd"] for run in looks]


def waiting(context: Context) -> list[Path]:
    return sorted((context.paths.build / "monitor").glob("*.waiting.json"))


@pytest.mark.parametrize("is_over", [False, True])
@pytest.mark.parametrize("failures", [1, 4])
def test_looks_that_mlflow_takes_in_part_cost_what_they_cost(
    failures: int, is_over: bool, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise MlflowException("the store of artifacts is away")

    with monkeypatch.context() as patched:
        patched.setattr(context.tracker.client, "log_text", away)
        for hour in range(failures):
            assert publish(context, look(hour, is_over=is_over)) is None
        assert len(waiting(context)) == 1
    assert publish(context, look(failures, is_over=is_over)) is not None
    assert costs(context) == [failures + 1] and not waiting(context)


def test_a_look_whose_file_could_not_be_removed_counts_once(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = windows.publish

    def killed_after(*words: Any, **named: Any) -> str:
        whole(*words, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(windows, "publish", killed_after)
        publish(context, look(0))
    assert len(waiting(context)) == 1 and costs(context) == [1.0]
    assert publish(context, look(1)) is not None
    assert costs(context) == [2.0] and not waiting(context)


def test_what_another_version_left_waiting_without_naming_its_first_look_is_read(context: Context) -> None:
    page = page_of(context, look(0))
    values = look(0).model_dump(mode="json")
    del values["cost_since"]
    page.with_suffix(".waiting.json").write_text(json.dumps(values))
    publish(context, look(1))
    assert costs(context) == [2.0]


def of_another_version(report: MonitorReport) -> bytes:
    return json.dumps({**report.model_dump(mode="json"), "of_before": 1}).encode()


@pytest.mark.parametrize("content", [of_another_version(look()), b"", b'{"use_case": "in', b"\xff\xfe"])
@pytest.mark.parametrize("day", [FIRST_DAY, FIRST_DAY - 1])
def test_a_file_that_cannot_be_read_is_put_aside_and_said_once(
    day: int, content: bytes, context: Context, heard: Heard
) -> None:
    page_of(context, look(day=day)).with_suffix(".waiting.json").write_bytes(content)
    assert publish(context, look(0)) is not None
    (line,) = heard.lines
    name = line.partition(": ")[0]
    assert context.paths.project.root.joinpath(name).read_bytes() == content, "nothing is lost"
    assert publish(context, look(1)) is not None
    assert heard.lines == [line] and costs(context) == [2.0] and not waiting(context)


def test_a_file_that_another_look_has_written_there_meanwhile_is_passed_over(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_look(*_: object, **__: object) -> str:
        for file in waiting(context):
            file.unlink()
        return "the run of the older one"

    page_of(context, look())
    older = page_of(context, look(day=FIRST_DAY - 1)).with_suffix(".waiting.json")
    older.write_text(look(day=FIRST_DAY - 1).model_dump_json())
    monkeypatch.setattr(windows, "publish", other_look)
    assert publish(context, look()) is None


def test_a_later_look_that_waits_by_now_is_not_removed_with_the_one_before(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = windows.publish

    def while_another_looks(*words: Any, **named: Any) -> str:
        (file,) = waiting(context)
        first = MonitorReport.model_validate_json(file.read_bytes())
        assert first.cost is not None
        both = first.cost.model_copy(update={"usd": 2.0})
        file.write_text(look(1).model_copy(update={"cost": both, "cost_since": first.cost_since}).model_dump_json())
        return whole(*words, **named)

    with monkeypatch.context() as patched:
        patched.setattr(windows, "publish", while_another_looks)
        publish(context, look(0))
    assert len(waiting(context)) == 1 and costs(context) == [1.0]
    publish(context, look(0, day=FIRST_DAY + 1))
    assert sorted(costs(context)) == [1.0, 2.0]
