"""Defaults that nobody declared are named where they decide, and each figure that is named turns the verdict."""

from __future__ import annotations

import re
from dataclasses import replace

from judge.evidence import cost_inputs, evidence, product_targets, prompted, rung
from tailtune.judge.economics import DECLARED_AS, CostInputs
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
