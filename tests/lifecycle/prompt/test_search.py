"""The optimised prompt through the whole stage: told before, searched over HTTP, paid, measured, registered."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from doubles.endpoint import Double
from doubles.skill import Hinted, Skilled
from project import NAME, Heard, Published, context, copy, rows_of, untracked

from lifecycle.prompt.prompted import asking, declare, dev_rows, measured, price, prompt, truth
from tailtune.cli.prompting import estimate
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.records import Answer, Row
from tailtune.core.reports import PromptReport
from tailtune.lifecycle.prompt.buying import Bought, Deadline
from tailtune.lifecycle.prompt.make import NotMade
from tailtune.lifecycle.prompt.search import held_out, scorer
from tailtune.lifecycle.prompt.step import rung_factory
from tailtune.lifecycle.runner import run_stage
from tailtune.predictors.prompted.rung import Prompted
from tailtune.tasks import saved as registry

Factory = pytest.TempPathFactory
RUNGS = ["lm_zero_shot", "lm_optimised"]
HINT = Hinted(Skilled(truth(), base=0.5), Skilled(truth(), base=0.9))
TITLE = "Best prompt, optimised"


@contextmanager
def searching(factory: Factory, root: Path, skill: Hinted = HINT, **declared: object) -> Iterator[tuple[Paths, Double]]:
    with asking(factory, root, skill) as (paths, double):
        declare(paths, double.url, **{"strong": True, "rungs": RUNGS, "stop": "never", **declared})
        yield paths, double


def followed(paths: Paths) -> tuple[PromptReport, Heard, Published]:
    """Run the stage, and keep what it told and registered."""
    heard = Heard()
    with untracked() as published:
        report = run_stage("prompt", NAME, paths, Settings(), heard)
    assert isinstance(report, PromptReport)
    return report, heard, published


def test_a_better_prompt_is_found_bought_reported_and_kept(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with searching(tmp_path_factory, tmp_path / "project") as (paths, _):
        report, heard, published = followed(paths)
        zero, better = report.rungs
        assert (better.name, better.model, better.prompt, report.best) == (
            "lm_optimised", "small", "optimised", "lm_optimised",
        )  # fmt: skip
        assert better.quality.rows == dev_rows(paths)
        assert better.quality.value > zero.quality.value + 0.2
        assert better.comparison is not None and better.comparison.second in ("tfidf", "probe", "lm_zero_shot")
        found = paths.case(NAME).stage("prompt") / "rungs" / "lm_optimised" / "optimised.md"
        text = found.read_text(encoding="utf-8")
        assert HINT.phrase in text and text.startswith("## System\n") and "## User\n" in text
        assert not (found.parent.parent / "lm_zero_shot" / "zero_shot.md").exists()
        message = "\n".join(better.notes)
        assert paths.shown(found) in message and "copy it to models/toy/prompts/zero_shot.md" in message
        assert "% before and" in message and "train rows" in message
        assert published.texts["optimised"] == [text]
        assert better.prompt_version == 1 and better.prompt_digest != zero.prompt_digest
        assert published.origins["optimised"].startswith("searched by GEPA from zero_shot: ")
        saved = registry.load(found.parent)
        assert isinstance(saved, Prompted) and saved.template.text == text
        states = [(done, total) for done, total, what in heard.states if "a better prompt is searched" in what]
        assert states == sorted(states) and len(states) > 5 and states[-1][0] <= 200 == states[-1][1]
        assert any(line.startswith(f"{TITLE}: ") and "reflections for $" in line for line in heard.lines)


def test_an_adopted_prompt_is_the_optimised_one(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with searching(tmp_path_factory, tmp_path / "project") as (paths, double):
        better = prompt(paths).rungs[-1]
        found = paths.case(NAME).stage("prompt") / "rungs" / "lm_optimised" / "optimised.md"
        found.rename(paths.case(NAME).prompts / "zero_shot.md")
        requests = len(double.seen)
        declare(paths, double.url, strong=True, rungs=["lm_zero_shot"], stop="never")
        (adopted,) = prompt(paths).rungs
        assert (adopted.prompt_digest, adopted.quality) == (better.prompt_digest, better.quality)
        # Train rows that were searched on may be shown again, so only a prompt with examples would be asked anew.
        assert len(double.seen) == requests


def test_the_search_is_paid_from_the_budget_and_told_before(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with searching(tmp_path_factory, tmp_path / "project") as (paths, double):
        lines = list(estimate(paths, NAME))
        (row,) = [line for line in lines if line.startswith(TITLE)]
        assert "small, strong" in row and not double.seen
        report = prompt(paths)
        reflections = [one.body["messages"] for one in double.seen if one.body["model"] == "strong"]
        assert reflections, "nobody reflected"
        assert all("You improve the instructions" in messages[-1]["content"] for messages in reflections)
        assert report.usd_spent is not None and report.usd_estimated is not None
        measured_usd = sum(rung.usd or 0 for rung in report.rungs)
        assert measured_usd < report.usd_spent <= report.usd_estimated
        words = sum(len(one["content"].split()) for messages in reflections for one in messages)
        assert report.usd_spent - measured_usd > words * 10 / 1e6, "reflections of the dear model are in it"


def test_a_rerun_searches_from_kept_answers_and_registers_no_second_version(
    tmp_path: Path, tmp_path_factory: Factory
) -> None:
    with searching(tmp_path_factory, tmp_path / "project") as (paths, double):
        with untracked() as published:
            first = run_stage("prompt", NAME, paths, Settings(), Heard())
            requests = len(double.seen)
            again = run_stage("prompt", NAME, paths, Settings(), Heard())
        assert isinstance(first, PromptReport) and isinstance(again, PromptReport)
        assert len(double.seen) == requests and again.usd_spent == 0
        assert len(published.texts["optimised"]) == 1
        same = {"cached_rows"}
        assert [r.model_dump(exclude=same) for r in again.rungs] == [r.model_dump(exclude=same) for r in first.rungs]


def test_equal_runs_ask_equal_things(tmp_path: Path, tmp_path_factory: Factory) -> None:
    requests = []
    for name in ("a", "b"):
        with searching(tmp_path_factory, tmp_path / name) as (paths, double):
            prompt(paths)
            requests.append(Counter(str(one.body) for one in double.seen))
    assert requests[0] == requests[1]


def test_money_that_runs_out_in_the_search_keeps_what_was_measured(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with searching(tmp_path_factory, tmp_path / "project") as (paths, double):
        price(paths, small=(100.0, 200.0), large=(100.0, 200.0))
        declare(paths, double.url, strong=True, rungs=["lm_zero_shot"], stop="never", max_cost_usd=50)
        alone = prompt(paths).usd_spent or 0
        paths.answers.unlink()
        limit = round(alone + 1.0, 2)
        declare(paths, double.url, strong=True, rungs=[*RUNGS, "lm_strong"], stop="never", max_cost_usd=limit)
        double.seen.clear()
        report = prompt(paths)
        assert [(rung.name, rung.quality.rows) for rung in report.rungs] == [("lm_zero_shot", dev_rows(paths))]
        assert alone < (report.usd_spent or 0) <= limit
        lines = [line.partition(": ")[0] for line in report.unmeasured]
        assert lines == [TITLE, "Best prompt, stronger model"] and report.not_needed == {}
        assert all("max_cost_usd" in line for line in report.unmeasured)
        before = Counter(str(one.body) for one in double.seen)
        declare(paths, double.url, strong=True, rungs=RUNGS, stop="never", max_cost_usd=50)
        whole = prompt(paths)
        assert [rung.name for rung in whole.rungs] == RUNGS and whole.unmeasured == ()
        after = Counter(str(one.body) for one in double.seen)
        assert max(after.values()) == 1 and before <= after, "what was answered before was paid once"


def test_without_the_extra_it_is_told_first_and_the_others_are_measured(
    tmp_path: Path, tmp_path_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gepa", None)
    why = "gepa is not installed: pip install 'tailtune[optimise]'"
    with searching(tmp_path_factory, tmp_path / "project") as (paths, _):
        assert any(line == f"{TITLE} will not be measured: {why}" for line in estimate(paths, NAME))
        report, heard, _ = followed(paths)
        assert [rung.name for rung in report.rungs] == ["lm_zero_shot"]
        assert report.unmeasured == (f"{TITLE}: {why}",)
        text = [why in line for line in heard.lines].index(True)
        bought = [line.startswith(registry.title("lm_zero_shot")) for line in heard.lines].index(True)
        assert text < bought, heard.lines


@pytest.mark.parametrize(
    ("rows", "missing"),
    [(19, "19 train rows; searching a better prompt takes 20 or more"), (20, "")],
)
def test_too_few_train_rows_are_told_and_the_others_are_measured(
    rows: int, missing: str, tmp_path: Path, tmp_path_factory: Factory
) -> None:
    paths = copy(measured(tmp_path_factory), tmp_path / "project")
    declare(paths, "http://127.0.0.1:9/v1", strong=True, rungs=RUNGS)
    with rung_factory(context(paths), rows_of(paths, "train")[:rows]) as factory:
        assert factory.warnings() == ([f"{TITLE} will not be measured: {missing}"] if missing else [])
        names = [one.name for one in factory.forecasts(rows_of(paths, "dev"))]
        assert names == (["lm_zero_shot"] if missing else RUNGS)
        made = factory.make("lm_optimised", {})
        assert made == NotMade(missing or "no prompt was measured before it", lacking=True)


def test_a_search_that_finds_nothing_says_what_it_took(tmp_path: Path, tmp_path_factory: Factory) -> None:
    useless = Hinted(HINT.plain, HINT.plain)
    with searching(tmp_path_factory, tmp_path / "project", useless) as (paths, _):
        report = prompt(paths)
        assert set(report.not_needed) == {"lm_optimised"}
        assert "reflections for $" in report.not_needed["lm_optimised"]
        assert "found no better prompt on train rows" in report.not_needed["lm_optimised"]
        assert (report.usd_spent or 0) > (report.rungs[0].usd or 0)


def test_a_search_without_time_is_not_measured(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with searching(tmp_path_factory, tmp_path / "project") as (paths, _):
        dev, case = rows_of(paths, "dev"), context(paths).case
        with rung_factory(context(paths), rows_of(paths, "train")) as factory:
            zero = factory.make("lm_zero_shot", {})
            assert isinstance(zero, Prompted)
            bought = Bought(zero, dev, lambda rows, answers: case.task.score(rows, answers).outcomes, lambda _: None)
            bought.upto(10)
            made = factory.make("lm_optimised", {"lm_zero_shot": bought}, Deadline(at_s=0))
        why = "the minutes of its search (prompt.max_minutes) are over, 0 answers and 0 reflections for $0"
        assert made == NotMade(why, lacking=True)


def test_gepa_says_nothing_and_writes_nothing(
    tmp_path: Path, tmp_path_factory: Factory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with searching(tmp_path_factory, tmp_path / "project") as (paths, _):
        empty = tmp_path / "here"
        empty.mkdir()
        monkeypatch.chdir(empty)
        assert prompt(paths).best == "lm_optimised"
        assert list(empty.iterdir()) == []
        made = {path.name for path in paths.case(NAME).stage("prompt").rglob("*") if path.is_file()}
        assert not [name for name in made if "gepa" in name or "candidate" in name]
    assert capfd.readouterr() == ("", "")


def test_rows_that_are_searched_on_are_in_no_prompt(tmp_path: Path, tmp_path_factory: Factory) -> None:
    rungs = ["lm_few_shot", "lm_retrieval", "lm_optimised"]
    with searching(tmp_path_factory, tmp_path / "project", rungs=rungs) as (paths, _):
        context_, train = context(paths), rows_of(paths, "train")
        searched = held_out(context_.case, train)
        assert len(searched) == len(train) // 5 // 2 * 2
        with rung_factory(context_, train) as factory:
            for name in ("lm_few_shot", "lm_retrieval"):
                rung = factory.make(name, {})
                assert isinstance(rung, Prompted)
                shown = {one.text for examples in rung.examples_for([row.text for row in searched]) for one in examples}
                assert shown and not shown & {row.text for row in searched}


def test_an_answer_that_cannot_be_used_scores_nothing(tmp_path: Path, tmp_path_factory: Factory) -> None:
    right = scorer(context(copy(measured(tmp_path_factory), tmp_path / "project")).case)
    row = Row("1", "i lost my card", "card_lost", "f:1")
    assert [right(row, Answer(text, float("nan"))) for text in ("card_lost", "login", None)] == [1.0, 0.0, 0.0]
