"""Prompt files in MLflow's prompt registry: a version per text, an alias for what answers."""

import json
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from services.mlflow import examples, prompted
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.examples import publish
from tailtune.core.errors import ServiceError, UsageError
from tailtune.services.mlflow import Tracker, connect
from tailtune.services.mlflow.home import fluent
from tailtune.services.mlflow.prompts import MOST_CHARS, digest_of, put_in_production
from tailtune.tasks.use_case import UseCase

pytestmark = THIRD_PARTY

FIRST = "## System\n{% for label in labels %}- {{ label.name }}\n{% endfor %}\n## User\n{{ text }}\n"
SECOND = FIRST.replace("- ", "* ")


def test_a_text_is_a_version_and_equal_text_is_none_the_second_time(case: UseCase, uri: str, tracker: Tracker) -> None:
    assert tracker.prompts({"zero_shot": FIRST, "few_shot": SECOND}) == {"zero_shot": 1, "few_shot": 1}
    assert connect(uri, case).prompts({"zero_shot": FIRST}) == {"zero_shot": 1}
    assert tracker.prompts({"zero_shot": SECOND}) == {"zero_shot": 2}
    name = "support-tickets.zero_shot"
    assert [int(v.version) for v in tracker.client.search_prompt_versions(name)] == [2, 1]


def test_a_text_that_comes_back_has_its_old_version_and_is_the_current_one(tracker: Tracker) -> None:
    for text in (FIRST, SECOND, FIRST):
        version = tracker.prompts({"zero_shot": text})["zero_shot"]
    assert version == 1
    found = tracker.client.load_prompt("prompts:/support-tickets.zero_shot@current", cache_ttl_seconds=0)
    assert (int(found.version), found.template) == (1, FIRST)


def test_a_version_says_where_it_is_from(tracker: Tracker) -> None:
    tracker.prompts({"zero_shot": FIRST})
    found = tracker.client.get_prompt_version("support-tickets.zero_shot", 1)
    assert found.tags.items() >= {"use_case": "support-tickets", "digest": digest_of(FIRST)}.items()
    assert len(digest_of(FIRST)) == 12
    assert found.commit_message == "models/support-tickets/prompts/zero_shot.md"
    tracker.prompts({"optimised": SECOND}, {"optimised": "searched by GEPA from zero_shot"})
    assert tracker.client.get_prompt_version("support-tickets.optimised", 1).commit_message == (
        "searched by GEPA from zero_shot"
    )


def test_a_prompt_says_what_it_is_for_and_has_no_tags_of_one_version(tracker: Tracker) -> None:
    tracker.prompts({"zero_shot": FIRST})
    tracker.prompts({"zero_shot": SECOND})
    prompt = tracker.client.get_prompt("support-tickets.zero_shot")
    assert prompt.description == "What the rung lm_zero_shot of support-tickets sends."
    assert set(prompt.tags) == {"use_case", "_mlflow_experiment_ids"}


def test_anybody_with_mlflow_can_load_and_fill_it(uri: str, tracker: Tracker) -> None:
    tracker.prompts({"zero_shot": FIRST})
    with fluent(uri) as mlflow:
        loaded = mlflow.genai.load_prompt("prompts:/support-tickets.zero_shot@current")
        assert "- billing\n" in loaded.format(labels=[{"name": "billing"}], text="charged twice")


def test_prompts_stand_under_the_use_cases_experiment(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    tracker.prompts({"zero_shot": FIRST})
    put_in_production(tracker, "zero_shot", 1)
    tracker.prompts({"zero_shot": SECOND})
    for thread in threading.enumerate():
        assert not thread.name.startswith("link_prompt"), "MLflow links it to an experiment of its own choice"
    tags = tracker.client.get_prompt("support-tickets.zero_shot").tags
    assert tags["_mlflow_experiment_ids"] == f",{tracker.experiment_id},"


def test_naming_what_is_in_production_moves_no_prompt_to_another_experiment(tracker: Tracker) -> None:
    """MLflow links what is loaded, from a thread of its own: it must be the right experiment, and have ended."""
    tracker.prompts({"zero_shot": FIRST})
    for _ in range(2):  # the second time there is a holder to load
        put_in_production(tracker, "zero_shot", 1)
        assert not [one.name for one in threading.enumerate() if one.name.startswith("link_prompt")]
    tags = tracker.client.get_prompt("support-tickets.zero_shot").tags
    assert tags["_mlflow_experiment_ids"] == f",{tracker.experiment_id},"


def test_a_prompt_of_another_experiment_stands_under_both(tracker: Tracker) -> None:
    tracker.client.create_prompt("support-tickets.zero_shot", tags={"_mlflow_experiment_ids": ",0,"})
    assert tracker.prompts({"zero_shot": FIRST}) == {"zero_shot": 1}
    tags = tracker.client.get_prompt("support-tickets.zero_shot").tags
    assert tags["_mlflow_experiment_ids"] == f",0,{tracker.experiment_id},"


def test_no_prompt_asks_mlflow_nothing(case: UseCase) -> None:
    assert Tracker("http://127.0.0.1:9", case).prompts({}) == {}


def test_a_text_too_long_for_the_registry_is_told_with_its_file(tracker: Tracker) -> None:
    with pytest.raises(UsageError, match=r"models/support-tickets/prompts/few_shot\.md: 100,001 characters"):
        tracker.prompts({"few_shot": "x" * (MOST_CHARS + 1)})
    assert tracker.client.get_prompt("support-tickets.few_shot") is None
    assert tracker.prompts({"few_shot": "x" * MOST_CHARS}) == {"few_shot": 1}


def test_production_is_one_prompt_of_a_use_case(uri: str, tracker: Tracker, tmp_path: Path) -> None:
    other = connect(uri, examples.make_case(tmp_path / "other", "support-tickets-2"))
    other.prompts({"few_shot": FIRST})
    put_in_production(other, "few_shot", 1)
    tracker.prompts({"zero_shot": FIRST, "few_shot": FIRST})
    put_in_production(tracker, "zero_shot", 1)
    assert in_production(tracker) == {"support-tickets.zero_shot": 1}
    tracker.prompts({"few_shot": SECOND})
    put_in_production(tracker, "few_shot", 2)
    assert in_production(tracker) == {"support-tickets.few_shot": 2}
    put_in_production(tracker, None, None)
    assert in_production(tracker) == {}
    assert in_production(other) == {"support-tickets-2.few_shot": 1}


def in_production(tracker: Tracker) -> dict[str, int]:
    names = [f"{tracker.case.name}.{prompt}" for prompt in ("zero_shot", "few_shot")]
    found = {}
    for name in names:
        with suppress(MlflowException):  # nothing has the alias
            found[name] = int(tracker.client.get_prompt_version_by_alias(name, "production").version)
    return found


def test_a_store_that_is_no_store_is_told(case: UseCase, uri: str, tracker: Tracker) -> None:
    tracker.prompts({"zero_shot": FIRST})
    tracker.client.create_registered_model("support-tickets.few_shot")
    with pytest.raises(ServiceError, match="registering the prompts of support-tickets failed"):
        tracker.prompts({"few_shot": FIRST})


def test_the_run_of_a_rung_leads_to_its_prompt_as_mlflow_itself_would(
    case: UseCase, uri: str, tracker: Tracker
) -> None:
    version = tracker.prompts({"zero_shot": FIRST})["zero_shot"]
    report = prompted.prompt(case)
    rungs = tuple(rung.model_copy(update={"prompt_version": version}) for rung in report.rungs[:1])
    publish(tracker, report.model_copy(update={"rungs": rungs, "best": rungs[0].name}))
    (run,) = tracker.client.search_runs([tracker.experiment_id], "params.rung = 'lm_zero_shot'")
    bare = tracker.client.create_run(tracker.experiment_id).info.run_id
    with fluent(uri):
        tracker.client.link_prompt_version_to_run(bare, "prompts:/support-tickets.zero_shot/1")
    links = [tracker.client.get_run(run_id).data.tags["mlflow.linkedPrompts"] for run_id in (run.info.run_id, bare)]
    assert json.loads(links[0]) == json.loads(links[1])


@pytest.mark.servers
def test_a_server_keeps_prompts_as_the_embedded_store_does(case: UseCase, server: str) -> None:
    there = connect(server, case)
    assert [there.prompts({"zero_shot": text})["zero_shot"] for text in (FIRST, FIRST, SECOND, FIRST)] == [1, 1, 2, 1]
    put_in_production(there, "zero_shot", 2)
    assert in_production(there) == {"support-tickets.zero_shot": 2}
    assert there.client.get_prompt("support-tickets.zero_shot").tags["_mlflow_experiment_ids"] == (
        f",{there.experiment_id},"
    )
