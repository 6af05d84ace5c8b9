"""The decision of a measured ladder, and the ticket that training obeys."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Literal

import pytest
from dvc.repo import Repo
from project import NAME, context, make, respec

from lifecycle.helpers import perform
from tailtune.config.paths import Paths
from tailtune.core.errors import MissingInputError
from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import (
    CurvePoint,
    DiagnoseReport,
    LadderReport,
    PromptedRung,
    PromptReport,
    RungResult,
    Surroundings,
)
from tailtune.judge.evidence import STRONGER
from tailtune.judge.verdict import PROMPT_FIRST
from tailtune.services import store, versions

NO_MODEL = "prompted language models (none is declared in prompt.models)"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return make(tmp_path / "project")


def rung(name: str, value: float, p99_ms: float = 5.0) -> RungResult:
    accuracy = Estimate(value=value, low=value - 0.01, high=min(value + 0.01, 1), rows=500)
    latency = Latency(p50_ms=1, p95_ms=2, p99_ms=p99_ms, mean_ms=p99_ms / 3, rows=200)
    return RungResult(
        name=name, title=name, metrics={"accuracy": accuracy, "macro_f1": accuracy}, latency=latency,
        usd_per_1000=p99_ms, fit_s=p99_ms, fit_rows=10,
    )  # fmt: skip


def measured(paths: Paths, *rungs: RungResult, **changes: Any) -> LadderReport:
    """Write a ladder report: 8,000 train rows, 1,000 rows/s, a flat curve; no model is prompted."""
    points = tuple(CurvePoint(rows=n, quality=Estimate(value=0.8, low=0.8, high=0.8, rows=9)) for n in (4000, 8000))
    known: dict[str, Any] = {
        "rows_digest": "abc", "train_rows": 8000, "dev_rows": 500, "encode_rows_per_s": 1000.0, "rungs": rungs,
        "curve": points,
    }  # fmt: skip
    report = LadderReport(use_case=NAME, stage="ladder", **(known | changes))
    store.write_report(paths.case(NAME).report("ladder"), report)
    prompt_report(paths, unmeasured=(NO_MODEL,))
    return report


BOTH: dict[str, Literal["base", "strong"]] = {"small": "base", "large": "strong"}


def prompt_report(
    paths: Paths,
    *rungs: PromptedRung,
    digest: str = "abc",
    unmeasured: tuple[str, ...] = (),
    models: dict[str, Literal["base", "strong"]] = BOTH,
) -> None:
    """Write what prompt and diagnose report; the stronger model need not be asked."""
    known: dict[str, Any] = {"use_case": NAME, "rows_digest": digest}
    needless = {"lm_strong": "lm_retrieval meets the target with head-room"}
    prompt = PromptReport(
        stage="prompt", models=models, rungs=rungs, unmeasured=unmeasured, not_needed=needless, **known
    )
    store.write_report(paths.case(NAME).report("prompt"), prompt)
    store.write_report(paths.case(NAME).report("diagnose"), DiagnoseReport(stage="diagnose", **known))


def prompted(value: float, usd_per_1000: float | None = 1.0, **changes: Any) -> PromptedRung:
    low, high = (None, None) if usd_per_1000 is None else (usd_per_1000 * 0.95, usd_per_1000 * 1.05)
    known: dict[str, Any] = {
        **rung("lm_retrieval", value, 300).model_dump(), "model": "small", "role": "base", "prompt": "retrieval",
        "prompt_digest": "0" * 12, "settled": "all rows", "of_rows": 500, "usd_per_1000": usd_per_1000, "usd": 0.5,
        "usd_low": low, "usd_high": high,
    }  # fmt: skip
    return PromptedRung(**(known | changes))


def ticket(paths: Paths) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(paths.case(NAME).ticket.read_text(encoding="utf-8"))
    return found


def test_without_a_ladder_nothing_is_decided(paths: Paths) -> None:
    with pytest.raises(MissingInputError, match="no report of ladder yet"):
        perform("decide", context(paths))
    assert not paths.case(NAME).ticket.exists()


def test_a_good_rung_stays_and_training_may_not_spend(paths: Paths) -> None:
    respec(paths, {"targets": {"accuracy": 0.9}})
    measured(paths, rung("tfidf", 0.8), rung("retrieval", 0.95), rung("probe", 0.99))
    found = perform("decide", context(paths))
    assert (found.verdict, found.train.yes, found.best_rung) == ("stay", False, "retrieval")
    assert ticket(paths) == {"train": False, "best_rung": "retrieval", "rows_digest": "abc"}
    assert (found.target, found.rows_digest) == (0.9, "abc")


def test_short_rungs_let_training_spend_at_its_estimated_price(paths: Paths) -> None:
    respec(paths, {"targets": {"accuracy": 0.95}, "train": {"epochs": 5}})
    measured(paths, rung("tfidf", 0.8), rung("probe", 0.9))
    found = perform("decide", context(paths))
    assert (found.verdict, found.train.yes) == ("fine-tune", True)
    assert ticket(paths) == {"train": True, "best_rung": "probe", "rows_digest": "abc"}
    # 8,000 rows × 5 epochs at a quarter of 1,000 rows/s, on 2 cores at $0.04
    assert found.estimated_train_usd == pytest.approx(40_000 / 250 * 0.08 / 3600)


def test_rows_beyond_train_max_rows_cost_nothing(paths: Paths) -> None:
    respec(paths, {"train": {"max_rows": 800, "epochs": 1}})
    measured(paths, rung("probe", 0.9))
    assert perform("decide", context(paths)).estimated_train_usd == pytest.approx(800 / 250 * 0.08 / 3600)


def test_without_prices_the_cost_is_unknown_and_not_0(paths: Paths) -> None:
    paths.prices.write_text("as_of: 2026-11-01\n", encoding="utf-8")
    measured(paths, rung("probe", 0.9))
    found = perform("decide", context(paths))
    assert found.estimated_train_usd is None
    assert "at no declared price" in found.reason


def test_an_estimate_over_the_limit_is_not_yet(paths: Paths) -> None:
    respec(paths, {"train": {"max_cost_usd": 0.0001, "epochs": 5}})
    measured(paths, rung("probe", 0.9))
    found = perform("decide", context(paths))
    assert (found.verdict, ticket(paths)["train"]) == ("not-yet", False)
    assert "over train.max_cost_usd $0.0001" in found.reason


@pytest.mark.parametrize(("when", "trains"), [("always", True), ("never", False)])
def test_the_spec_overrules_the_verdict_in_the_ticket(paths: Paths, when: str, trains: bool) -> None:
    accuracy = 0.99 if when == "always" else 0.8
    respec(paths, {"targets": {"accuracy": 0.9}, "train": {"when": when}})
    measured(paths, rung("probe", accuracy))
    found = perform("decide", context(paths))
    assert ticket(paths)["train"] is found.train.yes is trains
    assert found.verdict == ("stay" if trains else "fine-tune")


def test_what_was_not_measured_makes_the_verdict_provisional(paths: Paths) -> None:
    measured(paths, rung("probe", 0.9))
    found = perform("decide", context(paths))
    assert found.provisional
    assert found.unmeasured == (NO_MODEL,)
    assert f"measuring {NO_MODEL}" in found.would_change
    assert len(found.questions) == 5
    prompt_report(paths, prompted(0.8))
    assert not perform("decide", context(paths)).provisional


@pytest.mark.parametrize("verdict", ["stay", "fine-tune"])
def test_as_long_as_no_stronger_model_was_asked_every_verdict_is_provisional(paths: Paths, verdict: str) -> None:
    respec(paths, {"targets": {"accuracy": 0.9}})
    measured(paths, rung("probe", 0.99 if verdict == "stay" else 0.8))
    prompt_report(paths, prompted(0.7), models={"smollm2": "base"})
    found = perform("decide", context(paths))
    assert (found.verdict, found.provisional) == (verdict, True)
    assert (found.why_provisional, found.unmeasured) == ("no stronger model was asked", (STRONGER,))
    assert ticket(paths)["train"] is (verdict == "fine-tune")


@pytest.mark.parametrize(("when", "trains"), [("auto", False), ("always", True)])
def test_without_prompts_no_fine_tune_is_proposed(paths: Paths, when: str, trains: bool) -> None:
    respec(paths, {"prompt": {"models": []}, "targets": {"accuracy": 0.9}, "train": {"when": when}})
    measured(paths, rung("probe", 0.8))
    prompt_report(paths, unmeasured=(NO_MODEL,), models={})
    found = perform("decide", context(paths))
    assert found.verdict == "not-yet"
    assert PROMPT_FIRST in found.reason
    assert found.why_provisional == f"no stronger model was asked; not measured: {NO_MODEL}"
    assert ticket(paths)["train"] is found.train.yes is trains
    measured(paths, rung("probe", 0.99))
    prompt_report(paths, unmeasured=(NO_MODEL,), models={})
    assert perform("decide", context(paths)).verdict == "stay"


@pytest.mark.parametrize("missing", ["prompt", "diagnose"])
def test_without_the_prompts_reports_nothing_is_decided(paths: Paths, missing: str) -> None:
    measured(paths, rung("probe", 0.9))
    paths.case(NAME).report(missing).unlink()
    with pytest.raises(MissingInputError, match=f"no report of {missing} yet"):
        perform("decide", context(paths))


def test_reports_of_other_rows_are_refused(paths: Paths) -> None:
    measured(paths, rung("probe", 0.9))
    prompt_report(paths, prompted(0.99), digest="other")
    with pytest.raises(MissingInputError, match=r"prompt\.json: made from other rows \(other\)") as caught:
        perform("decide", context(paths))
    assert caught.value.hint == f"tailtune run {NAME}"
    assert not paths.case(NAME).ticket.exists()


def test_a_prompt_can_be_the_rung_that_stays(paths: Paths) -> None:
    respec(paths, {"targets": {"accuracy": 0.9}})
    measured(paths, rung("probe", 0.91))
    prompt_report(paths, prompted(0.96))
    found = perform("decide", context(paths))
    assert (found.verdict, found.best_rung) == ("stay", "lm_retrieval")
    assert ticket(paths)["best_rung"] == "lm_retrieval"
    assert found.economics is None


def test_a_prompt_without_one_usable_figure_is_passed_over(paths: Paths) -> None:
    nothing = Estimate(value=float("nan"), low=float("nan"), high=float("nan"), rows=9)
    measured(paths, rung("probe", 0.9))
    prompt_report(paths, prompted(0.9, metrics={"accuracy": nothing}))
    found = perform("decide", context(paths))
    assert (found.best_rung, found.provisional) == ("probe", True)
    assert found.unmeasured == ("lm_retrieval: nothing it answered can be scored",)


def declared(paths: Paths, **value: Any) -> None:
    respec(paths, {"targets": {"accuracy": 0.9}, "value": value})
    paths.prices.write_text(
        "as_of: 2026-11-01\ncpu_core_hour_usd: 0.04\nmachine_cores: 2\nserving_cores: 2\nperson_hour_usd: 75\n"
        "label_usd: 0.08\nstorage_gb_month_usd: 0.02\n",
        encoding="utf-8",
    )


def test_a_declared_volume_puts_both_roads_into_the_report(paths: Paths) -> None:
    declared(paths, requests_per_day=50_000, error_usd=0.01, change_every_days=90)
    measured(paths, rung("probe", 0.85))
    prompt_report(paths, prompted(0.96, usd_per_1000=2.0))
    found = perform("decide", context(paths))
    assert (found.verdict, found.best_rung) == ("fine-tune", "lm_retrieval")  # it meets the target, and is dear
    assert found.economics is not None
    assert found.economics.unknown == ()
    prompt, probe, tuned = found.economics.candidates
    assert (prompt.name, probe.name, tuned.name) == ("lm_retrieval", "probe", "lora")
    lines = {line.what: line.usd for line in tuned.lines}
    assert lines["training"] == found.estimated_train_usd
    assert lines["evaluation"] == 0.5
    assert lines["storage"] is not None and lines["storage"] > 0
    assert any("requests a day" in line for line in found.would_change)


def test_without_a_cadence_the_costs_are_not_known(paths: Paths) -> None:
    declared(paths, requests_per_day=50_000, error_usd=0.01)
    measured(paths, rung("probe", 0.85))
    found = perform("decide", context(paths))
    assert found.economics is not None and found.economics.net_value is None
    assert found.economics.unknown == ("value.change_every_days, how often behaviour changes",)
    assert found.questions[4].answer == "unmeasured"


def test_the_cadence_is_seen_in_the_history_of_prompts_and_answers(paths: Paths) -> None:
    measured(paths, rung("probe", 0.9))
    edited(paths, *(f"2026-0{month}-10" for month in (1, 2, 3, 4)))
    found = perform("decide", context(paths))
    assert found.questions[4].answer == "no"
    assert found.questions[4].figures == {"seen_days": 31}


def test_a_cadence_that_is_only_seen_is_named_and_decides_nothing(paths: Paths) -> None:
    measured(paths, rung("probe", 0.9))
    edited(paths, "2026-01-10", "2026-01-30", "2026-02-19", "2026-03-15")
    found = perform("decide", context(paths))
    assert (found.verdict, found.questions[4].answer) == ("fine-tune", "yes")
    (line,) = [one for one in found.would_change if "value.change_every_days" in one]
    assert "git shows a change every 20 days" in line
    respec(paths, {"value": {"change_every_days": 20}})
    declared = perform("decide", context(paths))
    assert declared.verdict == "not-yet"
    assert not any("value.change_every_days" in one for one in declared.would_change)


def test_data_of_other_use_cases_is_no_change_of_this_one(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    measured(paths, rung("probe", 0.9))
    git(paths, "init", "-q")
    Repo.init(str(paths.root)).close()
    for name, month in ((NAME, 1), ("other", 2), (NAME, 3), ("other", 4), (NAME, 5)):
        folder = paths.data / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rows.txt").write_text(str(month), encoding="utf-8")
        versions.pin_data(paths)
        commit(paths, "data.dvc", f"2026-0{month}-10")
    expected = Surroundings(seen_days=60, kept_gb=kept(paths))
    assert perform("decide", context(paths)).surroundings == expected


def kept(paths: Paths) -> float:
    folders = (paths.case(NAME).data, paths.case(NAME).build)
    return sum(one.stat().st_size for folder in folders for one in folder.rglob("*") if one.is_file()) / 1e9


def edited(paths: Paths, *days: str) -> None:
    """The labels were changed on these days."""
    git(paths, "init", "-q")
    for day in days:
        labels = paths.case(NAME).folder / "labels.yaml"
        labels.write_text(labels.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        commit(paths, "models", day)


def commit(paths: Paths, name: str, day: str) -> None:
    for words in (("add", name), ("commit", "-q", "-m", name)):
        git(paths, *words, at=f"{day}T12:00:00Z")


def git(paths: Paths, *words: str, at: str = "2026-01-01T00:00:00Z") -> None:
    who = {f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    when = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
    subprocess.run(["git", "-C", str(paths.root), *words], check=True, env={**os.environ, **who, **when})


def test_a_second_decision_on_other_timings_gives_the_same_ticket_to_the_byte(paths: Paths) -> None:
    """A new ticket would make DVC train again."""
    measured(paths, rung("tfidf", 0.8), rung("probe", 0.9))
    perform("decide", context(paths))
    first = paths.case(NAME).ticket.read_bytes()
    measured(paths, rung("tfidf", 0.8, 7.5), rung("probe", 0.9, 9.25), encode_rows_per_s=333.3, finished_at="later")
    again = perform("decide", context(paths))
    assert again.estimated_train_usd is not None
    assert paths.case(NAME).ticket.read_bytes() == first
