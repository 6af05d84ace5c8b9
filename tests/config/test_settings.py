"""What the environment says, and what is told to the libraries we stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings, quiet_environment
from tailtune.core.errors import UsageError


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TAILTUNE_{name.upper()}", raising=False)


def test_the_embedded_store_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path)
    assert Settings().resolved_tracking_uri(paths) == f"sqlite:///{tmp_path}/mlflow/store/mlflow.db"
    monkeypatch.setenv("TAILTUNE_TRACKING_URI", "http://127.0.0.1:5500")
    assert Settings().resolved_tracking_uri(paths) == "http://127.0.0.1:5500"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_PROGRESS", "plain")
    monkeypatch.setenv("TAILTUNE_MLFLOW_PORT", "6000")
    monkeypatch.setenv("TAILTUNE_ROOT", "/somewhere")
    found = Settings()
    assert (found.progress, found.mlflow_port, found.prefect_port) == ("plain", 6000, 4200)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = Settings()
    for name in Settings.model_fields:
        monkeypatch.setenv(f"TAILTUNE_{name.upper()}", "")
    assert Settings() == unset


def test_wrong_settings_are_all_told_by_the_name_a_person_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILTUNE_PROGRESS", "loud")
    monkeypatch.setenv("TAILTUNE_MLFLOW_PORT", "99999")
    with pytest.raises(UsageError) as caught:
        Settings()
    text = caught.value.message.splitlines()
    assert sorted(text) == [
        "TAILTUNE_MLFLOW_PORT: Input should be less than or equal to 65535, found '99999'",
        "TAILTUNE_PROGRESS: Input should be 'auto', 'plain' or 'none', found 'loud'",
    ]
    assert caught.value.exit_code == 2


def test_telemetry_is_off_unless_the_user_said_otherwise() -> None:
    environ = {"MLFLOW_DISABLE_TELEMETRY": "false", "PATH": "/bin"}
    quiet_environment(environ)
    assert environ["MLFLOW_DISABLE_TELEMETRY"] == "false"
    assert environ["PATH"] == "/bin"
    assert environ["DO_NOT_TRACK"] == "true"
    assert environ["HF_HUB_OFFLINE"] == environ["DVC_NO_ANALYTICS"] == "1"
    assert environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == environ["GX_ANALYTICS_ENABLED"] == "false"


@pytest.mark.parametrize(("given", "after"), [("1", "true"), ("true", "true"), ("0", "0"), ("", "")])
def test_do_not_track_is_said_in_the_word_mlflow_heeds(given: str, after: str) -> None:
    environ = {"DO_NOT_TRACK": given}
    quiet_environment(environ)
    assert environ["DO_NOT_TRACK"] == after


def test_saying_it_twice_changes_nothing() -> None:
    environ: dict[str, str] = {}
    quiet_environment(environ)
    before = dict(environ)
    quiet_environment(environ)
    assert environ == before


def test_by_default_it_is_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("DO_NOT_TRACK", "1")
    quiet_environment()
    assert os.environ["DO_NOT_TRACK"] == "true"


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "intra.example, localhost"}, "intra.example,localhost,127.0.0.1"),
        ({"no_proxy": "a.example", "NO_PROXY": "b.example"}, "b.example,a.example,127.0.0.1,localhost"),
        ({"NO_PROXY": "*"}, "*"),
        ({"NO_PROXY": "", "no_proxy": ","}, "127.0.0.1,localhost"),
    ],
)
def test_loopback_never_goes_through_a_proxy(given: dict[str, str], after: str) -> None:
    environ = {"HTTP_PROXY": "http://proxy.example:3128", **given}
    quiet_environment(environ)
    assert environ["NO_PROXY"] == environ["no_proxy"] == after
    assert environ["HTTP_PROXY"] == "http://proxy.example:3128"


def test_a_health_check_on_loopback_works_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.request

    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    assert not urllib.request.proxy_bypass("127.0.0.1")
    quiet_environment()
    assert urllib.request.proxy_bypass("127.0.0.1:4200")
    assert urllib.request.proxy_bypass("localhost")


@pytest.mark.parametrize(
    ("ui", "uri", "pages"),
    [
        (None, None, ""),
        (None, "sqlite:///here.db", ""),
        (None, "http://127.0.0.1:5500/", "http://127.0.0.1:5500"),
        ("https://mlflow.example.com/", "http://mlflow:5500", "https://mlflow.example.com"),
        ("https://ana:secret@mlflow.example.com", "http://mlflow:5500", "https://mlflow.example.com"),
    ],
)
def test_links_begin_with_what_browsers_reach(ui: str | None, uri: str | None, pages: str) -> None:
    assert Settings(mlflow_ui=ui, tracking_uri=uri).mlflow_pages == pages
