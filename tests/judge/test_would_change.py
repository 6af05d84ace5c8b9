"""Defaults that nobody declared are named where they decide, and each figure that is named turns the verdict."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from judge.evidence import cost_inputs, evidence, product_targets, prompted, rung
from tailtune.core.reports import RungResult
from tailtune.judge.constraints import stays
from tailtune.judge.economics import DECLARED_AS, CostInputs
from tailtune.judge.shares import share_of
from tailtune.judge.verdict import Outcome, verdict

ALL = frozenset(DECLARED_AS)


def outcome(inputs: CostInputs) -> Outcome:
    shown = evidence(rung("probe", 0.90), prompted(0.96), worth=inputs)
    return verdict(shown, product_targets(0.95), 5.0)


def test_a_default_that_decides_is_named_with_an_amount_at_which_the_verdict_is_another() -> None:
    inputs = cost_inputs(3_000, defaults=ALL)
    found = outcome(inputs)
    assert "; this hangs on defaults that nobody declared: $0.040 a core-hour" in found.reason
    (line,) = [each for each in found.would_change if "cpu_core_hour_usd" in each]
    (other,) = re.findall(r"at \$([\d.]+) a core-hour instead of the default \$0\.040", line)
    assert outcome(replace(inputs, core_hour_usd=float(other))).verdict != found.verdict


def test_a_default_that_does_not_decide_is_not_named_in_the_reason() -> None:
    found = outcome(cost_inputs(50_000, defaults=ALL))
    assert "default" not in found.reason + "".join(found.would_change)
    assert found.economics is not None and "$0.080 a label (declare label_usd)" in found.economics.defaults


def test_a_declared_price_is_never_named() -> None:
    found = outcome(cost_inputs(3_000))
    assert "default" not in found.reason + "".join(found.would_change)
    assert found.economics is not None and found.economics.defaults == ()


def test_no_target_above_all_there_are_is_named() -> None:
    stays = verdict(evidence(rung("probe", 1.0, low=0.9996)), product_targets(0.95), 5.0)
    assert stays.verdict == "stay" and not stays.would_change


def test_a_default_of_nothing_decides_nothing() -> None:
    assert (
        "default"
        not in outcome(cost_inputs(3_000, retrain_hours_per_change=0.0, core_hour_usd=None, defaults=ALL)).reason
    )


def of_rows(name: str, right: int, rows: int, p99_ms: float = 5.0) -> RungResult:
    return rung(name, 0.5, p99_ms=p99_ms).model_copy(update={"metrics": {"accuracy": share_of(right, rows)}})


def worse(count: int) -> list[RungResult]:
    return [of_rows(f"other{place}", 400, 600) for place in range(count)]


@pytest.mark.parametrize("right", [570, 580, 590, 600])
@pytest.mark.parametrize("others", [0, 4, 9])
def test_the_target_that_turns_a_rung_counts_how_many_rungs_were_looked_at(right: int, others: int) -> None:
    shown, target = evidence(of_rows("probe", right, 600), *worse(others)), 0.9455
    line = verdict(shown, product_targets(target), 5.0).would_change[0]
    at = float(re.findall(r"accuracy (?:above|of) ([\d.]+) %", line)[0]) / 100
    does = stays(shown.rungs[0], product_targets(target), None, shown.looks)
    assert ("would no longer do" in line, at >= target) == (does, does)
    assert stays(shown.rungs[0], product_targets(at - 0.0011), None, shown.looks)
    assert not stays(shown.rungs[0], product_targets(at + 0.0011), None, shown.looks)


def test_a_rung_that_so_many_looks_cannot_show_to_do_would_not_do_at_another_latency() -> None:
    targets, slow = product_targets(0.9455, p99_ms=10.0), of_rows("probe", 581, 600, p99_ms=20.0)
    alone = verdict(evidence(slow, of_rows("fast", 400, 600)), targets, 5.0)
    assert alone.would_change[1] == "a latency target of 20.0 ms or more: Probe would do"
    of_many = verdict(evidence(slow, *worse(9)), targets, 5.0)
    assert not any("Probe would do" in line for line in of_many.would_change)
