"""Where things are: `TAILTUNE_*` in the environment. Intent stands in model.yaml, never here."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError
from tailtune.core.secrets import without_password

# Telemetry of our libraries and their hub look-ups off; waiting threads sleep. MLflow heeds only the word `true`.
_QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DVC_NO_ANALYTICS": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "GX_ANALYTICS_ENABLED": "false",
    # A server that hangs is given up after two minutes, four tries; by MLflow's own 120 s a call took eight.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "GIT_PYTHON_REFRESH": "quiet",
    # Threads that wait must sleep, not spin: with other work on the cores, spinning made encoding 10 times slower.
    "OMP_WAIT_POLICY": "PASSIVE",
}
THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables of the thread counts of OpenMP and BLAS."""
_SQLITE = "sqlite:///"
# Health checks and embedded servers are on this machine; a company's proxy cannot reach them.
_LOOPBACK = ("127.0.0.1", "localhost")


class Settings(BaseSettings):
    """One per process: what the environment says. An empty variable says nothing."""

    model_config = SettingsConfigDict(env_prefix="TAILTUNE_", env_ignore_empty=True, frozen=True, extra="ignore")

    tracking_uri: str | None = Field(None, description="MLflow tracking server; the embedded SQLite store when unset.")
    mlflow_ui: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Address of MLflow's UI as browsers reach it, for links; that of the tracking server when unset.",
    )
    threads: int | None = Field(None, ge=1, description="Threads of OpenMP and BLAS in a stage; all cores when unset.")
    mlflow_port: int = Field(5500, ge=1, le=65535, description="Loopback port of `make up`'s MLflow server.")
    prefect_port: int = Field(4200, ge=1, le=65535, description="Loopback port of `make up`'s Prefect server.")
    answers: Path | None = Field(
        None, description="File that keeps language models' answers; .answers/answers.sqlite of the project when unset."
    )
    weights: Path | None = Field(
        None, description="What folders of local language models are relative to; the project root when unset."
    )
    embedded: Path | None = Field(
        None,
        description="Folder that keeps the embedded language model, made ready; in the user's cache when unset, and "
        "with `none` the model counts as not installed.",
    )
    endpoints: str | None = Field(
        None,
        description="Endpoints that stored versions may be asked at besides those of model.yaml: `URL`, or "
        "`VARIABLE=URL` where the value of a variable is sent as the key, with spaces between.",
    )
    prediction_log: str | None = Field(
        None,
        description="Where answers of servers are logged, as SQLAlchemy writes it: postgresql://user@host/name, "
        "sqlite:////folder/file; .serving/predictions.sqlite of the project when unset.",
    )
    spool: Path | None = Field(
        None, description="Folder that servers write answers into first; .serving/spool of the project when unset."
    )
    slack_webhook: SecretStr | None = Field(None, description="Address of a Slack webhook that alerts are sent to.")
    alert_webhook: SecretStr | None = Field(None, description="Address that alerts are posted to as JSON.")
    progress: Literal["auto", "plain", "none"] = Field("auto", description="How long work shows that it goes on.")

    def __init__(self, **values: Any) -> None:
        """Read the environment.

        Raises:
            UsageError: A variable holds what it cannot; all of them at once.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            lines = [
                f"TAILTUNE_{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}, found {item['input']!r}"
                for item in error.errors()
            ]
            raise UsageError("\n".join(lines), "set it to one of these, or unset it") from None

    def answers_file(self, paths: Paths) -> Path:
        """Where language models' answers are kept."""
        return self.answers or paths.answers

    def weights_root(self, paths: Paths) -> Path:
        """What folders of local language models are relative to."""
        return self.weights or paths.root

    def embedded_folder(self) -> Path:
        """Where the embedded language model is kept, made ready to be read."""
        return self.embedded or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tailtune"

    def prediction_log_url(self, paths: Paths) -> str:
        """Where answers of servers are logged. A relative SQLite file is below the project."""
        return self._below_root(self.prediction_log or f"{_SQLITE}{paths.serving / 'predictions.sqlite'}", paths)

    def spool_folder(self, paths: Paths) -> Path:
        """The folder that servers write answers into first."""
        return self.spool or paths.serving / "spool"

    def resolved_tracking_uri(self, paths: Paths) -> str:
        """The tracking URI to use: the given one, or the embedded SQLite file. A relative file is below the project."""
        if not self.tracking_uri:
            return f"{_SQLITE}{paths.mlflow_store / 'mlflow.db'}"
        return self._below_root(self.tracking_uri, paths)

    @property
    def mlflow_pages(self) -> str:
        """What links to MLflow's UI begin with, without user and password; empty where no server has such pages."""
        address = self.mlflow_ui or self.tracking_uri or ""
        return without_password(address).rstrip("/") if address.startswith("http") else ""

    @staticmethod
    def _below_root(uri: str, paths: Paths) -> str:
        file = re.fullmatch(rf"{_SQLITE}([^/:].*)", uri)
        return uri if file is None else f"{_SQLITE}{paths.root.absolute() / file[1]}"


def quiet_environment(environ: MutableMapping[str, str] | None = None) -> None:
    """Turn telemetry and hub look-ups off and size thread pools, before any library is imported.

    What the user set stays; the loopback addresses join what `NO_PROXY` holds. `TAILTUNE_THREADS` becomes the thread
    count of OpenMP and BLAS.

    `DO_NOT_TRACK=1` is rewritten to `true`: MLflow heeds only the word.
    """
    target = os.environ if environ is None else environ
    if target.get("DO_NOT_TRACK") == "1":
        target["DO_NOT_TRACK"] = "true"
    for key, value in _QUIET.items():
        target.setdefault(key, value)
    _keep_loopback_off_the_proxy(target)
    threads = target.get("TAILTUNE_THREADS", "")
    if threads.isdigit():  # thread pools read these once, when torch and BLAS are imported
        for key in THREAD_COUNTS:
            target.setdefault(key, threads)


def _keep_loopback_off_the_proxy(environ: MutableMapping[str, str]) -> None:
    """Both spellings get the same hosts: some libraries read one, some the other, and `*` is every host already."""
    given = [host.strip() for key in ("NO_PROXY", "no_proxy") for host in environ.get(key, "").split(",")]
    hosts = list(dict.fromkeys(host for host in (*given, *_LOOPBACK) if host))
    environ["NO_PROXY"] = environ["no_proxy"] = "*" if "*" in hosts else ",".join(hosts)
