"""What came of a retrain, for terminal and channels: few lines, with the figures behind a verdict that turned."""

from __future__ import annotations

from typing import Any

import pytest
from operations.retrain.outcomes import OUTCOME

from tailtune.core.alerts import Message
from tailtune.core.records import Estimate
from tailtune.core.retrains import ComparedCandidate, Push, RetrainOutcome
from tailtune.report import slack
from tailtune.report.retraining import next_step, outcome_alert, outcome_lines

REASON = "the few-shot prompt reaches 94.3 %; the fine-tune is better (+0.4 points) but does not surely pay"


def about(value: float) -> Estimate:
    return Estimate(value=value, low=value - 0.01, high=value + 0.01, rows=800)


def turned(before: str, after: str) -> RetrainOutcome:
    candidates = (
        ComparedCandidate(name="lora", title="LoRA fine-tune", quality=about(0.947), total_usd=2100.0),
        ComparedCandidate(name="lm_few_shot", title="few-shot prompt", quality=about(0.943), total_usd=640.0),
    )
    return OUTCOME.model_copy(
        update={
            "winner_before": before, "winner_after": after, "verdict_before": "fine-tune", "verdict_after": "stay",
            "verdict_why": REASON, "candidates": candidates, "horizon_months": 12, "after": about(0.943),
            "result": "retrain/first/2026-11-03", "commit": "abc",
        }
    )  # fmt: skip


def sent(outcome: RetrainOutcome) -> str:
    alert = outcome_alert(outcome, 1, next_step(outcome))
    return slack.plain(Message(trouble=1, number=1, kind="outcome", at_us=1, since_us=1, alert=alert))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("lora", "lm_few_shot", "back to the prompt"),
        ("lora", "tfidf", "back to a cheaper rung"),
        ("lm_few_shot", "lora", "from the prompt to a fine-tune"),
        ("probe", "lora", "from a cheaper rung to a fine-tune"),
    ],
)
def test_a_verdict_that_turned_is_called_so_with_the_figures(before: str, after: str, words: str) -> None:
    outcome = turned(before, after)
    lines, message = "\n".join(outcome_lines(outcome)), sent(outcome)
    for text in (lines, message):
        assert f"promoted, {words}" in text
        for figure in ("94.7 % (93.7–95.7), $2,100 over 12 months", "94.3 % (93.3–95.3), $640 over 12 months", REASON):
            assert figure in text
    assert "more, in the report" not in message


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({"state": "stopped", "version": None}, "correct what it names, then: tailtune retrain first"),
        ({"result": "retrain/first/2026-11-03", "commit": "abc"}, "git merge retrain/first/2026-11-03"),
        (
            {
                "result": "retrain/first/2026-11-03",
                "commit": "abc",
                "pushes": (Push(what="branch", name="retrain/first/2026-11-03", done=True),),
            },
            "git fetch && git merge origin/retrain/first/2026-11-03",
        ),
        (
            {"result": ".run/retrain/first/changed/2026-11-03", "commit": None},
            "copy .run/retrain/first/changed/2026-11-03/ over your checkout, then: tailtune show first",
        ),
        (
            {"state": "not promoted", "result": "retrain/first/2026-11-03", "commit": "abc"},
            "to keep its labels and reports: git merge retrain/first/2026-11-03",
        ),
        ({"result": "", "commit": None}, "tailtune retrain first --dry-run"),
    ],
)
def test_the_next_step_works_where_it_is_read(changed: dict[str, Any], step: str) -> None:
    assert next_step(OUTCOME.model_copy(update=changed)) == step


@pytest.mark.parametrize(("before", "after"), [("lora", "lora"), ("", "lora"), ("tfidf", "probe")])
def test_the_same_kind_or_a_first_version_is_no_turn(before: str, after: str) -> None:
    outcome = turned(before, after).model_copy(update={"verdict_before": "stay"})
    assert "verdict" not in sent(outcome) and "verdict" not in "\n".join(outcome_lines(outcome))


def test_a_message_says_why_it_started_what_it_cost_and_what_is_not_pushed() -> None:
    pushes = (Push(what="dvc", name="first", done=True), Push(what="branch", name="b", why="git push origin: no"))
    update = {"cost_usd": 1.25, "pushes": pushes, "proposals": "1 group of texts is unlike all that is labelled"}
    message = sent(OUTCOME.model_copy(update=update))
    for words in ("started because: by hand", "cost: $1.25", "not pushed: branch b: git push origin: no", "1 group of"):
        assert words in message
