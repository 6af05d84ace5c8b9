"""What Prefect is shown of each report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flows.conftest import sample_reports

from tailtune.config.paths import Paths
from tailtune.core.reports import REPORTS, DiagnoseReport, PromptReport, Report
from tailtune.report import prefect, tables
from tailtune.report.story import Story

SAMPLES = sample_reports("toy_2")


def _tables(report: Report) -> dict[str, list[dict[str, object]]]:
    return {name: prefect.rows(table) for name, table in tables.of_report(report).items()}


def test_every_stage_has_a_sample() -> None:
    assert set(SAMPLES) == set(REPORTS)


@pytest.mark.parametrize("report", SAMPLES.values(), ids=SAMPLES)
def test_every_report_is_text_and_plain_json_tables(report: Report) -> None:
    text = prefect.text(report)
    assert text.startswith(f"## {report.stage} of toy_2\n")
    assert "1.5 s" in text  # what it cost
    for rows in _tables(report).values():
        assert rows
        json.dumps(rows, allow_nan=False)


def test_numbers_keep_their_intervals() -> None:
    (rung,) = _tables(SAMPLES["ladder"])["rungs"]
    assert rung["accuracy"] == "90.0 % (88.0–92.0)"
    assert rung["p99_ms"] == "3.0 ms"
    assert rung["usd_per_1000"] == "not known"
    assert "a:3" in prefect.text(SAMPLES["validate"])
    assert "1 of 1 expectation failed" in prefect.text(SAMPLES["validate"])


def test_prompted_rungs_say_what_was_bought_and_how_sure_it_is() -> None:
    (rung,) = _tables(SAMPLES["prompt"])["rungs"]
    assert rung["accuracy"] == "90.0 % (88.0–92.0)"
    assert (rung["model"], rung["prompt"]) == ("small", "few_shot v3")
    assert (rung["rows"], rung["of_rows"], rung["usable"]) == (100, 100, 99)
    assert rung["difference"] == "+10.0 points (+2.0 to +18.0)"
    assert (rung["p_adjusted"], rung["usd"]) == ("0.004", "$0.020")
    text = prefect.text(SAMPLES["prompt"])
    assert "spent: $0.020 for 60 answers" in text
    assert "saved: 40.0 % of the rows of a full evaluation were not needed" in text
    assert "- not needed: lm_strong: the target is met" in text


def test_a_prompt_stage_without_a_model_says_so() -> None:
    bare = PromptReport(use_case="toy_2", stage="prompt", unmeasured=("prompted language models",))
    text = prefect.text(bare)
    assert "no prompted rung was measured" in text
    assert "- not measured: prompted language models" in text and "spent" not in text
    assert _tables(bare) == {}
    nothing = prefect.text(DiagnoseReport(use_case="toy_2", stage="diagnose"))
    assert "nothing to diagnose" in nothing


def test_failures_have_their_fault_their_share_and_examples() -> None:
    shown = _tables(SAMPLES["diagnose"])
    assert shown["classes"] == [
        {"fault": "context", "reason": "no example", "rows": 6, "action": "add one", "share": "90.0 % (88.0–92.0)"}
    ]
    assert shown["examples"][0]["origin"] == "a:3" and shown["examples"][0]["answered"] is None
    assert shown["mixed_up"] == [{"first": "a", "second": "b", "rows": 2}]
    text = prefect.text(SAMPLES["diagnose"])
    assert "90.0 % (88.0–92.0) no example (context)" in text and "- add one" in text


def test_a_decision_shows_its_figures_and_what_roads_cost_unknown_ones_as_such() -> None:
    shown = _tables(SAMPLES["decide"])
    assert shown["questions"][0]["figures"] == "network 7.0 ms"
    assert shown["ownership"] == [
        {
            "title": "Probe",
            "quality": "0.900",
            "one_off_usd": "$1.00",
            "monthly_usd": "not known",
            "request_usd": "not known",
            "total_usd": "not known",
        }
    ]


def test_bought_answers_are_told_beside_the_machine() -> None:
    sample = SAMPLES["prompt"]
    assert sample.cost is not None
    bought = sample.model_copy(update={"cost": sample.cost.model_copy(update={"bought_usd": 0.02})})
    assert "answers bought $0.020" in prefect.text(bought)
    unknown = sample.model_copy(update={"cost": sample.cost.model_copy(update={"bought_usd": None})})
    assert "answers bought not known" in prefect.text(unknown)
    assert "bought" not in prefect.text(SAMPLES["curate"])


def test_a_page_that_is_only_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    """A link to a file opens in no browser but that of the machine it is on, and there only by hand."""
    docs = tmp_path / "build/toy_2/validate/passed.json"
    assert prefect.files(Paths(tmp_path), SAMPLES["validate"]) == []
    docs.parent.mkdir(parents=True)
    docs.touch()
    (line,) = prefect.files(Paths(tmp_path), SAMPLES["validate"])
    assert line == f"What was validated, where it ran: `{docs}`"
    assert prefect.text(SAMPLES["validate"], [line]).endswith(f"\n\n{line}\n")


def test_the_verdict_says_what_to_do_why_and_where_to_look() -> None:
    reports = {stage: report for stage, report in SAMPLES.items() if stage not in ("validate",)}
    text = prefect.verdict_text(Story.of(reports), {"runs in MLflow": "http://127.0.0.1:5500/#/x"}, ["Page: `p.html`"])
    assert text.startswith("## ")
    assert "| figure | value | |" in text and "file://" not in text
    assert "- [runs in MLflow](http://127.0.0.1:5500/#/x)\n- Page: `p.html`" in text


def test_a_closed_gate_is_the_verdict() -> None:
    text = prefect.verdict_text(Story.of({stage: SAMPLES[stage] for stage in ("curate", "validate")}), {}, [])
    assert text.startswith("## Stopped: the rows do not pass\n\n1 of 1 check failed")


def test_keys_are_what_prefect_allows() -> None:
    assert prefect.key("Toy_2", "weakest classes") == "toy-2-weakest-classes"
