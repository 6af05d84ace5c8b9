"""What a report says of bought answers: corrected comparisons."""

from __future__ import annotations

import pytest

from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import Paired, PromptedRung
from tailtune.stages.prompt.results import adjusted

TIMED = Latency(p50_ms=1, p95_ms=1, p99_ms=1, mean_ms=1, rows=1)


def rung(name: str, p: float | None) -> PromptedRung:
    whole = Estimate(value=0.5, low=0.4, high=0.6, rows=100)
    pair = Paired(
        first=name, second="tfidf", difference=whole, only_first_right=3, only_second_right=1, mcnemar_p=p or 0.0
    )
    return PromptedRung(
        name=name, title=name, metrics={"accuracy": whole}, latency=TIMED,
        fit_s=0, fit_rows=0, model="small", role="base", prompt="zero_shot", prompt_digest="0" * 12, settled="all rows",
        of_rows=100, comparison=None if p is None else pair,
    )  # fmt: skip


def test_comparisons_are_corrected_over_all_rungs() -> None:
    found = adjusted([rung("a", 0.01), rung("b", None), rung("c", 0.04), rung("d", 0.03)])
    assert [one.p_adjusted for one in found] == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]
