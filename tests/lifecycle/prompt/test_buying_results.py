"""What a report says of bought answers: corrected comparisons, and answers that could not be had, over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from doubles.skill import Skilled, always
from project import NAME, Heard, rows_of, untracked

from lifecycle.prompt.prompted import asking, declare, dev_rows, forget, prompt, truth
from tailtune.config.settings import Settings
from tailtune.core.errors import ContextTooLongError
from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import Paired, PromptedRung
from tailtune.lifecycle.prompt.buying import adjusted
from tailtune.lifecycle.runner import run_stage

Factory = pytest.TempPathFactory
ZERO = ["lm_zero_shot"]
TIMED = Latency(p50_ms=1, p95_ms=1, p99_ms=1, mean_ms=1, rows=1)


def rung(name: str, p: float | None) -> PromptedRung:
    whole = Estimate(value=0.5, low=0.4, high=0.6, rows=100)
    pair = Paired(first=name, second="tfidf", difference=whole, only_first_right=3, only_second_right=1, p=p or 0.0)
    return PromptedRung(
        name=name, title=name, metrics={"accuracy": whole}, latency=TIMED,
        fit_s=0, fit_rows=0, model="small", role="base", prompt="zero_shot", prompt_digest="0" * 12, settled="all rows",
        of_rows=100, comparison=None if p is None else pair,
    )  # fmt: skip


def test_comparisons_are_corrected_over_all_rungs() -> None:
    found = adjusted([rung("a", 0.01), rung("b", None), rung("c", 0.04), rung("d", 0.03)])
    assert [one.p_adjusted for one in found] == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]


def test_rows_that_a_filter_refuses_leave_the_cost_known(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url, rungs=ZERO, stop="never")
        offending = rows_of(paths, "dev")[0].text
        double.conduct.filters = f"{offending}\n"
        alike = sum(f"{offending}\n" in f"{row.text}\n" for row in rows_of(paths, "dev"))
        report = prompt(paths)
        (zero,) = report.rungs
        rows = dev_rows(paths)
        paid = (double.input_tokens * 1.0 + double.output_tokens * 2.0) / 1e6
        assert 0 < alike < rows and zero.invalid == {"refused": alike}
        assert zero.unpriced_rows == 0 and zero.usd is not None and report.usd_spent == pytest.approx(zero.usd)
        assert 0 < zero.usd - paid < alike * 20 * paid / rows, "the filtered prompts', rather too many"
        assert zero.input_tokens == pytest.approx(double.input_tokens / (rows - alike)), "only what was told"
        assert zero.notes[-1].endswith("refused by a filter; their cost is estimated from the prompt")
        (again,) = prompt(paths).rungs
        assert again.usd == zero.usd


def test_a_text_that_is_too_long_is_invalid_and_the_others_go_on(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url, rungs=ZERO, stop="never")
        (whole,) = prompt(paths).rungs
        words = [sum(len(one["content"].split()) for one in seen.body["messages"]) for seen in double.seen]
        double.conduct.context_words = max(words) - 1
        forget(paths)
        (zero,) = prompt(paths).rungs
        long = words.count(max(words))
        assert 0 < long < len(words)
        assert zero.invalid == {"too long": long} and zero.invalid_rows == long
        assert (zero.quality.rows, zero.latency.rows) == (whole.quality.rows, whole.quality.rows - long)
        assert zero.usd is not None and whole.usd is not None and 0 < zero.usd < whole.usd
        assert f"{long} of {len(words)} texts" in zero.notes[-1] and "too long for small" in zero.notes[-1]


def test_a_context_that_takes_no_text_at_all_ends_the_stage(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project") as (paths, double):
        declare(paths, double.url, rungs=ZERO)
        double.conduct.context_words = 3
        with pytest.raises(ContextTooLongError, match="small: each of 20 texts is longer than the model takes"):
            prompt(paths)


def test_answers_that_are_cut_off_are_told_with_the_limit_to_raise(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project", always('{"label": "bil')) as (paths, double):
        double.conduct.finish = "length"
        declare(paths, double.url, rungs=ZERO, stop="never", model={"max_output_tokens": 40})
        heard = Heard()
        with untracked():
            run_stage("prompt", NAME, paths, Settings(), heard)
        rows = dev_rows(paths)
        report = prompt(paths)
        why = f"{rows} of {rows} answers could not be used ({rows} cut off): raise max_output_tokens of small, now 40"
        assert any(line.startswith(f"Prompt, zero-shot: not measured, {why}; ") for line in heard.lines), heard.lines
        assert not any("0.0 %" in line for line in heard.lines if line.startswith("Prompt"))
        assert report.unmeasured[0] == f"Prompt, zero-shot: {why}"
        assert (report.rungs, report.best, report.rows_bought) == ((), None, rows), "not measured, and not 0 %"


def test_a_rung_of_which_a_few_answers_are_unusable_is_measured(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project", Skilled(truth(), base=0.5, invalid=0.2)) as (paths, double):
        declare(paths, double.url, rungs=ZERO, stop="never")
        report = prompt(paths)
        assert 0 < report.rungs[0].invalid["no JSON"] < report.rows_bought / 2
        assert report.unmeasured == ()


def test_a_schema_is_not_bought_for_answers_that_it_cannot_mend(tmp_path: Path, tmp_path_factory: Factory) -> None:
    with asking(tmp_path_factory, tmp_path / "project", Skilled(truth(), base=0.5)) as (paths, double):
        declare(paths, double.url, rungs=[*ZERO, "lm_constrained"], stop="never")
        double.conduct.filters = rows_of(paths, "dev")[0].text
        report = prompt(paths)
        assert report.rungs[0].invalid.keys() == {"refused"}
        assert report.not_needed == {"lm_constrained": "every answer of the best prompt that could be had was usable"}
