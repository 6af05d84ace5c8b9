"""A team's servers whose model is retrained while something dies, and whose champion is asked all the time."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from doubles.slack import Slack
from sqlalchemy import create_engine, text
from worlds.checkout import CLASSES, rows

from smoke.team import NAME, ROOT, Team
from smoke.tickets import Ticket, write_rows
from smoke.traffic import Client, Response

LABEL = "refund"
"""What people say is right."""
SHORT: dict[str, dict[str, Any]] = {
    "validate": {"min_rows_per_class": 2},
    "ladder": {"rungs": ["tfidf"], "latency_rows": 20, "curve_points": 2},
    "targets": {"accuracy": 0.5, "min_train_rows": 0},
    "train": {"when": "never"},
    "evaluate": {"latency_rows": 20, "resamples": 200},
    "retrain": {"push": ["dvc", "branch", "tag"], "cooldown_days": 0, "min_new_labels": 1},
}
"""A life of seconds, without an encoder; it is retrained as soon as there is a label."""
TRAINED: dict[str, dict[str, Any]] = {
    "train": {"when": "always", "epochs": 4, "rank": 4, "max_tokens": 32, "patience": 100, "checkpoint_s": 0.1}
}
_POLL = "[worker]\nquery_seconds = 1.0\n"
_GOING_ON = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")


class Servers:
    """One per module.

    Attributes:
        team: The servers, and a person's checkout.
        checkout: The worker's.
    """

    def __init__(self, team: Team, slack: Slack, client: Client) -> None:
        self.team, self._slack, self.client = team, slack, client
        self.checkout = team.checkout_of("worker")
        self.labels = 0

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Servers]:
        """Servers with a first version that answers."""
        with Slack() as slack:
            team = Team(folder, slack.url)
            try:
                client = _begin(team)
                texts = [row["text"] for row in rows(seed=2, per_class=40)]
                with client.asking([Ticket("", each, "", LABEL) for each in texts], pause_s=0.3):
                    yield cls(team, slack, client)
            finally:
                team.down()

    def label(self, count: int) -> None:
        """People correct so many answers."""
        known, first = self.client.responses, self.labels
        self.until("there are answers", lambda: len(known) >= first + count, 60)
        for response in known[first : first + count]:
            self.client.correct(Response(response.ticket, response.request_id, "", ""), "Ana")
        self.labels += count

    def change(self, message: str, edit: dict[str, dict[str, Any]]) -> None:
        """A person changes the declaration."""
        self.team.change(f"models/{NAME}/model.yaml", edit)
        self.team.push(message, rows=False)

    def trigger(self) -> str:
        """Start the deployment `retraining`, as the schedule about new labels does. Returns the run's id."""
        deployment = self.team.prefect("deployments/name/retraining/retraining")["id"]
        parameters = {"use_case": NAME, "because": "labels"}
        return str(self.team.prefect(f"deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"])

    def ended(self, run: str, most_s: float = 400) -> tuple[str, str]:
        """How a run ended, and with which message."""
        state: dict[str, Any] = {}

        def has_ended() -> bool:
            state.update(self.team.prefect(f"flow_runs/{run}")["state"])
            return state["type"] not in _GOING_ON

        self.until("the run has ended", has_ended, most_s)
        return state["type"], str(state["message"])

    def at_work(self, stage: str) -> None:
        """Wait until a retrain's life that begins now is at a stage."""
        lock, now = self.life / ".lock", time.time()

        def is_at_work() -> bool:
            with suppress(FileNotFoundError):  # an earlier life's is taken away meanwhile
                return lock.stat().st_mtime > now and f"({stage}," in lock.read_text()
            return False

        self.until(f"{stage} is at work", is_at_work, 400, 0.02)

    @property
    def life(self) -> Path:
        """What a retrain's life has built so far."""
        return self.checkout / f".run/retrain/{NAME}/checkout/build/{NAME}"

    def until(self, what: str, seen: Callable[[], Any], most_s: float, every_s: float = 0.2) -> None:
        """Wait for something."""
        end = time.monotonic() + most_s
        while not seen():
            assert time.monotonic() < end, f"{what}: not within {most_s:g} s\n{self.team.log('worker')[-6000:]}"
            time.sleep(every_s)

    def versions(self) -> list[str]:
        """In the registry, oldest first."""
        found = self.team.mlflow("model-versions/search?max_results=50").get("model_versions", [])
        assert all(each["status"] == "READY" for each in found)
        return sorted(str(each["version"]) for each in found)

    def outcomes(self) -> list[str]:
        """What people were told of how retrains ended."""
        return [head for head in self._heads() if head.startswith(("🔵 Done", "🟠 Stopped"))]

    def failures(self) -> list[str]:
        """What people were told of retrains that came to no end, and that one did."""
        return [head for head in self._heads() if head.endswith("a retrain failed")]

    def _heads(self) -> list[str]:
        return [str(message["text"]).splitlines()[0] for message in self._slack.taken]

    def retrains(self) -> list[str]:
        """How the retrains ended that have begun, oldest first."""
        own = {"password": self.team.variables["STORE_DB_PASSWORD"]}
        made = create_engine(self.team.environment["TAILTUNE_PREDICTION_LOG"], connect_args=own)
        with closing(made.connect()) as connection:
            found = connection.execute(text("SELECT state FROM retrain ORDER BY id")).scalars().all()
        made.dispose()
        return list(found)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command in the worker's checkout, as the worker runs it."""
        own = {**self.team.environment, "TAILTUNE_ROOT": str(self.checkout), "HOME": str(self.checkout.parent)}
        return subprocess.run(
            words, cwd=self.checkout, env=own, capture_output=True, text=True, timeout=240, check=False
        )

    @contextmanager
    def committed(self) -> Iterator[Path]:
        """A file that is there once a retrain has committed what changed; the retrain waits until the block ends."""
        hook = self.checkout / ".git/hooks/post-commit"
        marker = hook.with_name("post-commit.waits")
        waits = f"touch {marker}; while [ -e {marker} ]; do sleep 0.1; done"
        hook.write_text(f"#!/bin/sh\ncase $(git log -1 --format=%s) in Retrain*) {waits};; esac\n", encoding="utf-8")
        hook.chmod(0o755)
        try:
            yield marker
        finally:
            hook.unlink()
            marker.unlink(missing_ok=True)

    def at_work_in_prefect(self) -> list[str]:
        """Runs that Prefect takes to be at work."""
        only = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "CANCELLING"]}}}}
        return [row["name"] for row in self.team.prefect("flow_runs/filter", only)]

    def finished(self, stage: str) -> int:
        """How often a stage has ended well, as the ledger has it."""
        experiment = self.team.mlflow(f"experiments/get-by-name?experiment_name={NAME}")["experiment"]["experiment_id"]
        query = {
            "experiment_ids": [experiment],
            "filter": f"tags.`tailtune.stage` = '{stage}' and attributes.status = 'FINISHED'",
            "max_results": 500,
        }
        return len(self.team.mlflow("runs/search", query).get("runs", []))

    def learnt(self) -> int:
        """Right answers that the last retrain learnt from."""
        lines = (self.life.parents[1] / f"data/{NAME}/feedback.jsonl").read_text(encoding="utf-8").splitlines()
        return len(set(lines))

    def logged_once(self, answered: int) -> bool:
        """Whether at least so many answers are in the log, each once."""
        there, different = self.team.logged_rows()
        assert there == different
        return there >= answered

    def refs(self) -> list[str]:
        """Branches and tags of retrains that the team's repository has."""
        listed = self.team.does("git", "ls-remote", "origin")
        return re.findall(rf"refs/(?:heads/retrain|tags)/{NAME}/\S+", listed)

    def dropped(self) -> list[str]:
        """Why requests were not answered."""
        return [each.fault for each in self.client.responses if each.fault]


def _begin(team: Team) -> Client:
    team.up("postgres", "s3", "prefect", "mlflow")
    team.desk.mkdir()
    team.make_desk()
    known = [Ticket("", row["text"], row["label"], row["label"]) for row in rows(per_class=60)]
    write_rows(team.desk / "data" / NAME / "tickets.jsonl", known)
    labels = "".join(f"{name}: {about[0]}.\n" for name, about in CLASSES.items())
    (team.desk / f"models/{NAME}/labels.yaml").write_text(labels, encoding="utf-8")
    deployments = team.desk / "prefect.yaml"  # no schedule comes between
    deployments.write_text(deployments.read_text(encoding="utf-8").replace("active: true", "active: false"), "utf-8")
    (team.desk / "prefect.toml").write_text(_POLL, encoding="utf-8")
    team.change(f"models/{NAME}/model.yaml", SHORT)
    team.does("dvc", "add", "--quiet", "data")
    team.push("Rows")
    team.does("tailtune", "run", NAME)
    team.push("The first version")
    token = team.follow("docker compose run --rm serve").splitlines()[0]
    team.up("worker", "serve")
    client = Client(team.address("serve"), token)
    client.wait_for_version("1", known[0], 60)
    client.responses = []  # it had no version yet, or was asked the same
    return client


CHECKOUT = str(ROOT / "infra/team/checkout.sh")
"""Brings the worker's checkout up to date, as before each run."""
