"""The whole story on real servers: a launch changes what customers write, and the model follows by itself.

Prints what it does with the seconds since it began: `make smoke`.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles.slack import Slack
from worlds.postgresql import open_the_way

from smoke import tickets
from smoke.team import NAME, Team
from smoke.tickets import Ticket
from smoke.traffic import Client

pytestmark = pytest.mark.smoke
BUDGET_S = 15 * 60.0
MODEL = f"models/{NAME}/model.yaml"
SHORT = {
    "validate": {"min_rows_per_class": 5},
    "ladder": {"rungs": ["probe"], "latency_rows": 20, "curve_points": 2},
    "targets": {"accuracy": 0.6},
    "train": {"when": "never"},
    "evaluate": {"latency_rows": 20, "resamples": 200},
    "value": {"requests_per_day": 2000, "error_usd": 2.0, "retrain_hours_per_change": 1.0},
}
"""A life of minutes; the rungs are the shipped ones, and so is the encoder."""


class Story:
    """One: what happens, in order."""

    def __init__(self, team: Team, slack: Slack) -> None:
        self.team, self.slack, self._began = team, slack, time.monotonic()

    def say(self, what: str) -> None:
        """Print a line with the seconds since the beginning."""
        seconds = time.monotonic() - self._began
        print(f"{seconds:6.0f} s  {what}", flush=True)
        assert seconds < BUDGET_S, f"the story takes longer than {BUDGET_S / 60:g} minutes"

    def until(self, what: str, found: Callable[[], Any], most_s: float) -> Any:
        """Wait for something, and say that it is there."""
        end = time.monotonic() + most_s
        while not (there := found()):
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {most_s:g} s\n{self.state()}")
            time.sleep(1.0)
        self.say(what)
        return there

    def state(self) -> str:
        """What servers and Slack know, for a failure."""
        runs = "\n".join(f"{run['name']}: {run['state']}" for run in self.runs())
        logs = "\n".join(f"── {name}\n{self.team.log(name)[-6000:]}" for name in ("worker", "serve"))
        return f"{self.titles()}\n{runs}\n{logs}"

    def titles(self) -> list[str]:
        """The messages that Slack took, by their plain text."""
        return [str(message["text"]) for message in self.slack.taken]

    def runs(self, deployment: str | None = None) -> list[dict[str, Any]]:
        """Flow runs, oldest first: name, state, why it started."""
        only = {} if deployment is None else {"deployments": {"name": {"any_": [deployment]}}}
        rows = self.team.prefect("flow_runs/filter", {**only, "sort": "START_TIME_ASC", "limit": 200})
        return [
            {
                "id": row["id"],
                "name": row["name"],
                "state": row["state_type"],
                "message": (row["state"] or {}).get("message"),
                "by": (row["created_by"] or {}).get("type"),
                "parameters": row["parameters"],
                "auto": row["auto_scheduled"],
            }
            for row in rows
        ]

    def artifacts(self, key: str) -> list[str]:
        """What runs have published under a key, newest last."""
        body = {"artifacts": {"key": {"like_": key}}, "sort": "UPDATED_DESC", "limit": 200}
        rows = self.team.prefect("artifacts/filter", body)
        return [str(row["data"]) for row in reversed(rows)]

    def version(self) -> str:
        """Which is champion."""
        model = self.team.mlflow(f"registered-models/get?name={NAME}")["registered_model"]
        return next((each["version"] for each in model.get("aliases", ()) if each["alias"] == "champion"), "")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    (tmp_path / "servers").mkdir()
    open_the_way(tmp_path / "servers" / "postgres")
    with Slack() as slack:
        team = Team(tmp_path, slack.url)
        try:
            yield Story(team, slack)
        finally:
            team.down()


def test_a_launch_is_noticed_and_learnt_without_a_dropped_request(story: Story) -> None:
    team = story.team
    begin(story)
    client = serve(story)
    launched = tickets.month_five(900)
    arrive(story, client, launched[:600])
    wait_for_the_alert(story)
    with client.asking(launched[600:], pause_s=0.2):
        label(story, client)
        wait_for_the_retrain(story)
        client.wait_for_version("2", launched[0], 120)
        story.say("the server answers with version 2")
    faults = [response.fault for response in client.responses if response.fault]
    assert not faults, faults[:3]
    story.say(f"{len(client.responses)} requests, none refused")
    look_back(story)
    again(story, client, launched[:600])
    assert team.pids().keys() == team.services.keys()


def begin(story: Story) -> None:
    """Servers, a repository with one use case, and its first version."""
    team = story.team
    team.up("postgres", "s3", "prefect", "mlflow")
    story.say("PostgreSQL, S3, Prefect and MLflow are up")
    team.desk.mkdir()
    team.make_desk()
    rows = tickets.before_the_launch(every=4)
    tickets.write_rows(team.desk / "data" / NAME / "tickets.jsonl", rows)
    tickets.labels(team.desk / f"models/{NAME}/labels.yaml", with_launched=False)
    team.change(MODEL, SHORT)
    deployments = team.desk / "prefect.yaml"
    text = deployments.read_text(encoding="utf-8")
    text = text.replace('cron: "30 2 * * *"', 'cron: "* * * * *"').replace("window: 1d", "window: today")
    deployments.write_text(text, encoding="utf-8")
    team.does("dvc", "add", "--quiet", "data")
    team.push(f"{NAME}: {len(rows)} tickets of months one to four")
    team.does("tailtune", "run", NAME)
    assert story.version() == "1"
    team.push("The first version")
    story.say(f"version 1 is champion, from {len(rows)} tickets of months one to four")


def serve(story: Story) -> Client:
    """Worker and prediction server, each with a checkout of its own."""
    team = story.team
    team.up("worker", "serve")
    token = team.does("tailtune", "token", "add", NAME, "shop").splitlines()[0]
    story.say("worker and prediction server are up")
    client = Client(team.address("serve"), token)
    client.wait_for_version("1", tickets.month_five(1)[0], 60)
    return client


def arrive(story: Story, client: Client, arriving: list[Ticket]) -> None:
    """Month five comes in."""
    for ticket in arriving:
        assert not client.ask(ticket).fault
    right = sum(response.answer == response.ticket.true_label for response in client.responses) / len(client.responses)
    story.say(f"{len(arriving)} tickets of month five have been answered, {right:.0%} of them right")


def wait_for_the_alert(story: Story) -> None:
    """The cron starts a look, which finds drift."""
    story.until("Slack has a message", lambda: story.slack.taken, 240)
    assert len(story.slack.taken) >= 1, story.titles()
    story.say(f"it says: {story.titles()[0]}")
    looks = story.runs("drift_monitoring")
    assert all(run["auto"] for run in looks), "started by the schedule, and by nobody"
    story.until("drift has started a retrain", lambda: story.runs("retraining"), 120)


def label(story: Story, client: Client) -> None:
    """A person corrects answers, labels an audit, and accepts the new labels."""
    team = story.team
    wrong = [response for response in client.responses[:600] if response.answer != response.ticket.true_label]
    for response in wrong[:150]:
        client.correct(response, "Ana")
    story.say(f"{len(wrong[:150])} answers have been corrected over HTTP")
    tickets.labels(team.desk / f"models/{NAME}/labels.yaml", with_launched=True)
    truth = {response.request_id: response.ticket.true_label for response in client.responses}
    file = team.folder / "audit.csv"
    team.does("tailtune", "audit", NAME, "--rows", "150", "--window", "today", "--out", str(file))
    with file.open(encoding="utf-8", newline="") as read:
        rows = list(csv.DictReader(read))
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label": truth[row["request_id"]], "who": "Ana"} for row in rows)
    print(team.does("tailtune", "audit", NAME, "--from", str(file)))
    team.does("dvc", "add", "--quiet", "data")
    team.push("The launched product's labels, and an audit")
    story.say(f"{len(rows)} audited rows and the new labels are pushed")


def wait_for_the_retrain(story: Story) -> None:
    """Drift has started it; it is worth it now, and what it makes is better."""
    story.until("version 2 is champion", lambda: story.version() == "2", 420)


def look_back(story: Story) -> None:
    """People have heard; MLflow and the ledger have it."""
    story.until("people have heard of version 2", lambda: any("v2" in title for title in story.titles()), 120)
    for title in story.titles():
        print("  ", title)
    print(story.team.does("tailtune", "cost", NAME))


def again(story: Story, client: Client, arriving: list[Ticket]) -> None:
    """The same rows under new ids: nobody is told again, and nothing is trained again."""
    before = len(story.slack.taken)
    arrive(story, client, arriving)
    looks = len(story.runs("drift_monitoring"))
    story.until("two more looks", lambda: len(story.runs("drift_monitoring")) >= looks + 2, 240)
    assert len(story.slack.taken) == before, story.titles()[before:]
    assert story.version() == "2"
