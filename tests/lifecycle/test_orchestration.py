"""What is retried, and what never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailtune.config.paths import Paths
from tailtune.core.errors import GateError, ServiceError, StageFailedError, TailTuneError, UsageError
from tailtune.lifecycle import orchestration
from tailtune.lifecycle.orchestration import remote_failed, tracking_server_failed
from tailtune.services import versions


class _State:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def result(self, raise_on_failure: bool = True) -> Exception:
        return self._error


@pytest.mark.parametrize("uri", [None, "http://127.0.0.1:1"])
def test_gates_and_faults_are_never_retried(monkeypatch: pytest.MonkeyPatch, uri: str | None) -> None:
    monkeypatch.delenv("TAILTUNE_TRACKING_URI", raising=False)
    if uri:
        monkeypatch.setenv("TAILTUNE_TRACKING_URI", uri)
    codes = (TailTuneError.exit_code, GateError.exit_code, UsageError.exit_code, 130, 137)
    assert ServiceError.exit_code not in codes
    errors = [GateError("no"), ValueError("a bug"), *(StageFailedError("ladder@toy", code) for code in codes)]
    for error in errors:
        assert not tracking_server_failed(None, None, _State(error))
        assert not remote_failed(None, None, _State(error))


def test_a_server_that_did_not_answer_is_retried_where_there_is_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = _State(StageFailedError("ladder@toy", ServiceError.exit_code))
    monkeypatch.delenv("TAILTUNE_TRACKING_URI", raising=False)
    assert not tracking_server_failed(None, None, failed)
    monkeypatch.setenv("TAILTUNE_TRACKING_URI", "http://127.0.0.1:1")
    assert tracking_server_failed(None, None, failed)
    assert remote_failed(None, None, _State(ServiceError("no answer")))


def test_a_fetch_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Paths, "find", lambda: Paths(tmp_path))
    monkeypatch.setattr(versions, "remote", lambda _: "far")
    monkeypatch.setattr(versions, "pull", lambda *_: 2)
    assert orchestration.fetch_data.fn("toy")
    assert capsys.readouterr().err == "Fetching data/toy from the DVC remote far\n"
