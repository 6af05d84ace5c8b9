"""`tailtune serve` as a person starts it: a process with workers, over a store with versions of a tiny model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import yaml
from services.mlflow import examples
from services.mlflow.versions import register
from worlds import stores
from worlds.servers import free_port

from serving.fake import sums_of
from tailtune.predictors.novelty import Novelty
from tailtune.services.mlflow import Tracker, connect
from tailtune.tasks import saved
from tailtune.tasks.use_case import UseCase

NAME = "support-tickets"
WIDTH = 32


def write_probe(folder: Path, encoder: Path, seed: int) -> Path:
    """A probe on the tiny encoder, exported as a registered version is."""
    import torch

    from tailtune.predictors.bert import load_bert
    from tailtune.predictors.onnx_graph import Source, export
    from tailtune.tasks.classification.rungs import Probe

    dice = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    weights = dice.normal(size=(len(examples.LABELS), WIDTH)).astype(np.float32)
    no_encoder: Any = None
    Probe(examples.LABELS, 40, weights, np.zeros(len(weights), np.float32), no_encoder).save(folder)
    saved.write_card(folder, saved.RUNG_KINDS["probe"], ("email",))
    export(Source(load_bert(encoder, torch.float32), encoder), folder / "encoder", "int8")
    vectors = dice.normal(size=(40, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    Novelty.fit(vectors).save(folder)
    return folder


class Served:
    """A use case, its store, and a server that a test starts and ends."""

    def __init__(self, root: Path, factory: pytest.TempPathFactory, **sections: str) -> None:
        self.case: UseCase = examples.make_case(root, NAME)
        spec = yaml.safe_load(self.case.paths.model_yaml.read_text(encoding="utf-8"))
        spec |= {name: yaml.safe_load(section) for name, section in sections.items()}
        self.case.paths.model_yaml.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
        stores.give(factory, self.case.paths.project.mlflow_store)
        self.uri = f"sqlite:///{self.case.paths.project.mlflow_store / 'mlflow.db'}"
        self.tracker: Tracker = connect(self.uri, self.case)
        self.root, self.env = root, {**os.environ, "TAILTUNE_ROOT": str(root), "NO_COLOR": "1"}
        self.env.pop("PYTHONUNBUFFERED", None)  # what the server says must come at once without it
        self.port, self.lines = 0, list[str]()
        self.process: subprocess.Popen[str] | None = None

    def register(self, folder: Path, alias: str | None = None) -> str:
        return register(self.tracker, folder, alias, model=NAME)[0]

    def move_alias(self, version: str, alias: str = "champion") -> None:
        self.tracker.client.set_registered_model_alias(NAME, alias, version)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *words: str, workers: int = 1) -> None:
        """Start the server, and wait until it takes requests."""
        self.port = free_port()
        command = [sys.executable, "-m", "tailtune", "serve", NAME, "--port", str(self.port), "--workers", str(workers)]
        self.process = subprocess.Popen(
            [*command, *words], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = []
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        self.until(lambda: self.get("/healthz") == 200)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            self.lines.extend(lines)

    def get(self, path: str) -> int:
        try:
            return httpx2.get(f"{self.url}{path}", timeout=10).status_code
        except httpx2.RequestError:
            return 0

    def json(self, path: str) -> Any:
        return httpx2.get(f"{self.url}{path}", timeout=10).json()

    def predict(self, *texts: str, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        body = {"rows": [{"text": text} for text in texts]}
        return httpx2.post(f"{self.url}/predict", json=body, timeout=20, headers=dict(headers or {}))

    def until(self, true: Any, most_s: float = 60.0) -> None:
        """Wait for something that the server will do."""
        end = time.monotonic() + most_s
        while not true():
            running = self.process is not None and self.process.poll() is None
            assert running and time.monotonic() < end, "".join(self.lines)
            time.sleep(0.02)

    def workers(self) -> list[int]:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"tailtune.serving.worker" in words_of(pid)]

    def counts(self) -> dict[str, float]:
        """Metric → sum over its labels."""
        return sums_of(httpx2.get(f"{self.url}/metrics", timeout=10).text)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def logged(self) -> list[dict[str, Any]]:
        """What is stored in the prediction log."""
        from tailtune.config.settings import Settings
        from tailtune.services.prediction_log.store import PredictionLog

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TAILTUNE_ROOT", str(self.root))
            log = PredictionLog(Settings().prediction_log_url(self.case.paths.project))
        try:
            return list(log.rows(NAME))
        finally:
            log.close()


def words_of(pid: str) -> bytes:
    """The command of a process; nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def running(served: Served, *words: str, workers: int = 1) -> Iterator[Served]:
    """A server for a while."""
    served.start(*words, workers=workers)
    try:
        yield served
    finally:
        if served.process is not None and served.process.poll() is None:
            served.end()


def answers_of(response: httpx2.Response) -> str:
    """The answers alone, as they were sent."""
    return json.dumps(response.json()["answers"])
