"""How a retrain ends when its life does not: a gate that closed is an outcome, a failure is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from doubles.slack import Slack

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import StageFailedError
from tailtune.core.progress import Silent
from tailtune.core.reports import ExpectationResult, ValidateReport
from tailtune.core.retrains import Because
from tailtune.operations.retrain.run import Retrained, retrain
from tailtune.operations.retrain.workspace import Workspace
from tailtune.services.retrains import EndedRetrain, Retrains

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Exit codes of the lives that are lived, in order."""
    ends: list[int] = []
    monkeypatch.setattr(Workspace, "run_life", lambda self: ends.pop(0))
    yield ends
    assert not ends


def once_more(paths: Paths, because: Because = "hand", dry_run: bool = False) -> Retrained:
    return retrain(paths, Settings(), "first", because, Silent(), dry_run)


def last(paths: Paths) -> EndedRetrain | None:
    with closing(Retrains(Settings().prediction_log_url(paths))) as kept:
        return kept.last("first")


def test_a_closed_gate_stops_it_and_starts_the_cool_down(
    paths: Paths, codes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes.append(3)
    with Slack() as slack:
        monkeypatch.setenv("TAILTUNE_SLACK_WEBHOOK", slack.url)
        done = once_more(paths, "schedule")
    (body,) = slack.taken
    assert "Stopped: first: retrain: stopped" in body["text"] and "a gate of the life has closed" in body["text"]
    monkeypatch.delenv("TAILTUNE_SLACK_WEBHOOK")
    assert done.decision.go and "no version yet" in done.decision.reason
    assert done.outcome is not None and done.outcome.state == "stopped" and not done.outcome.result
    ended = last(paths)
    assert ended is not None and ended.outcome == done.outcome
    second = once_more(paths, "schedule")
    assert second.outcome is None and "none starts by itself within 6" in second.decision.reason


def test_a_failure_may_be_tried_again_at_once(paths: Paths, codes: list[int]) -> None:
    codes += [4, 3]
    with pytest.raises(StageFailedError):
        once_more(paths, "schedule")
    assert last(paths) is None
    assert once_more(paths, "schedule").outcome is not None


def test_people_hear_once_that_retrains_fail_and_that_one_came_to_its_end(
    paths: Paths, codes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes += [4, 4, 4, 3]
    with Slack() as slack:
        monkeypatch.setenv("TAILTUNE_SLACK_WEBHOOK", slack.url)
        with pytest.raises(StageFailedError):
            once_more(paths, "hand")
        assert not slack.taken, "who started it has read it"
        for _ in range(2):
            with pytest.raises(StageFailedError):
                once_more(paths, "schedule")
        (failed,) = [body["text"] for body in slack.taken]
        assert "Warning: first: a retrain failed" in failed and "exit code 4" in failed
        assert "tailtune retrain first" in failed
        once_more(paths, "schedule")
    heads = [body["text"].splitlines()[0] for body in slack.taken[1:]]
    assert sorted(heads) == ["🟠 Stopped: first: retrain: stopped", "🟢 Over: first: a retrain failed"]


def test_a_gate_that_closed_is_named_with_what_did_not_hold(
    paths: Paths, codes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = ExpectationResult(name="x", subject="text", meaning="has 3 characters or more", passed=True)
    broken = good.model_copy(update={"subject": "label", "meaning": "is declared", "passed": False})
    report = ValidateReport(
        use_case="first", stage="validate", rows_read=9, passed=False, expectations=(good, broken), docs="x"
    )
    monkeypatch.setattr("tailtune.operations.retrain.run.store.read_report", lambda *_: report)
    codes.append(3)
    done = once_more(paths, "schedule")
    assert done.outcome is not None
    assert done.outcome.why == "validate: 1 of 2 expectations failed: label: is declared"


def test_a_dry_run_lives_nothing(paths: Paths, codes: list[int]) -> None:
    done = once_more(paths, dry_run=True)
    assert done.decision.go and done.outcome is None and last(paths) is None
    assert not codes and not (paths.case("first").retrain / "checkout").exists()
