"""A retrain as lines for people: the reckoning, line by line, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from tailtune.core.alerts import Alert
from tailtune.core.errors import TailTuneError
from tailtune.core.proposals import Proposals
from tailtune.core.records import Estimate
from tailtune.core.retrains import Because, Push, Reckoning, RetrainDecision, RetrainOutcome
from tailtune.judge.net_value import FINE_TUNE
from tailtune.report.numbers import (
    capital,
    counted,
    days,
    dollars_between,
    points_with_interval,
    sentence,
    share,
    title,
    usd,
    volume,
    with_interval,
)

_UNKNOWN = "not known"
_TURNED = {
    ("a fine-tune", "the prompt"): "back to the prompt",
    ("a fine-tune", "a cheaper rung"): "back to a cheaper rung",
    ("the prompt", "a fine-tune"): "from the prompt to a fine-tune",
}
"""Kind of the candidate before and after → what the change is called."""


def decision_lines(use_case: str, decision: RetrainDecision, is_dry: bool = False) -> list[str]:
    """Whether a retrain starts, why, and the figures behind it."""
    verb = ("would start" if is_dry else "starts") if decision.go else ("would not start" if is_dry else "not started")
    lines = [f"{use_case}: retrain {verb}: {decision.reason}"]
    return [*lines, *(f"  {name:<26}{value}" for name, value in _figures(decision))]


def outcome_lines(outcome: RetrainOutcome) -> list[str]:
    """What came of a retrain, with figures before and after, and what it cost."""
    lines = [_title(outcome), f"  {'why':<26}{outcome.why}"]
    return [*lines, *(f"  {name:<26}{value}" for name, value in _results(outcome))]


def next_step(outcome: RetrainOutcome) -> str:
    """What to do next, as a command or one with its condition."""
    name = outcome.use_case
    if outcome.state == "stopped":
        return f"correct what it names, then: tailtune retrain {name}"
    if not outcome.result:
        return f"tailtune retrain {name} --dry-run"
    why = "" if outcome.state == "promoted" else "to keep its labels and reports: "
    if outcome.commit is None:
        return f"{why}copy {outcome.result}/ over your checkout, then: tailtune show {name}"
    is_pushed = any(push.what == "branch" and push.done for push in outcome.pushes)
    return f"{why}git fetch && git merge origin/{outcome.result}" if is_pushed else f"{why}git merge {outcome.result}"


def outcome_alert(outcome: RetrainOutcome, at_us: int, next_step: str) -> Alert:
    """The message about what came of a retrain."""
    return Alert(
        use_case=outcome.use_case,
        version=outcome.version,
        cause="retrain",
        severity="warning",
        at_us=at_us,
        title=_title(outcome),
        moved=tuple(_message_lines(outcome)),
        next_step=next_step,
    )


def failure_alert(use_case: str, because: Because, error: TailTuneError, at_us: int) -> Alert:
    """The message about a retrain that did not come to its end."""
    return Alert(
        use_case=use_case,
        version=None,
        cause="failed",
        severity="warning",
        at_us=at_us,
        title=f"{use_case}: a retrain failed",
        moved=(
            sentence(error.message.partition("\n")[0]),
            f"It was started by: {because}. The champion answers on; the next way in tries again.",
        ),
        next_step=f"see what it printed in its run in Prefect, or do it again by hand: tailtune retrain {use_case}",
    )


def proposals_line(proposals: Proposals) -> str:
    """How many classes are missing, the largest by name, and how to see them; empty where none is."""
    if not proposals.classes:
        return ""
    groups = counted(len(proposals.classes), "group of texts is", "groups of texts are")
    named = ", ".join(f"{each.name} ({counted(each.rows, 'row')})" for each in proposals.classes[:3])
    return f"{groups} unlike all that is labelled: {named}; see them: tailtune labels {proposals.use_case} --propose"


def _title(outcome: RetrainOutcome) -> str:
    version, turned = "" if outcome.version is None else f" v{outcome.version}", _turned(outcome)
    return f"{outcome.use_case}: retrain{version}: {outcome.state}{f', {turned}' if turned else ''}"


def _message_lines(outcome: RetrainOutcome) -> Iterator[str]:
    """What a message says: few lines, as a channel cuts what is long."""
    yield outcome.why
    if quality := [f"{name} {value}" for name, value in _quality(outcome)]:
        yield ", ".join(quality)
    verdict = dict(_verdict(outcome))
    if verdict:
        why = verdict.pop("why it turned", "")
        figures = [f"{name}: {each}" for name, each in verdict.items() if name != "verdict"]
        yield "; ".join([f"verdict: {verdict['verdict']}", *figures, *([why] if why else [])])
    if outcome.proposals:
        yield outcome.proposals
    if outcome.owed:
        yield f"not pushed: {push_line(outcome.owed[0])}"
    yield f"cost: {usd(outcome.cost_usd)} for machine and bought answers; started because: {outcome.decision.reason}"


def _figures(decision: RetrainDecision) -> Iterator[tuple[str, str]]:
    reckoning = decision.reckoning
    yield "new labels", f"{decision.new_labels:,}"
    yield "accuracy at registration", _estimate(reckoning.then)
    yield "accuracy now", f"{_estimate(reckoning.now)}{f', {reckoning.now_by}' if reckoning.now_by else ''}"
    if reckoning.fall is not None:
        yield "fall", points_with_interval(reckoning.fall)
    yield "requests a day", _UNKNOWN if reckoning.requests_per_day is None else _requests(reckoning)
    yield "a wrong answer costs", usd(reckoning.error_usd)
    yield "next chance", f"in {days(reckoning.days)}"
    if reckoning.loss is not None:
        yield "errors cost until then", f"{usd(reckoning.loss.value)} ({dollars_between(reckoning.loss)})"
    yield "a retrain costs", usd(reckoning.cost_usd)
    for line in reckoning.costs:
        yield "", f"{usd(line.usd)}  {line.what}: {line.basis}"
    for missing in reckoning.missing:
        yield "missing", missing


def _requests(reckoning: Reckoning) -> str:
    return f"{volume(reckoning.requests_per_day or 0.0)}, {reckoning.requests_from}"


def _results(outcome: RetrainOutcome) -> Iterator[tuple[str, str]]:
    yield from _quality(outcome)
    yield from _verdict(outcome)
    yield "cost", f"{usd(outcome.cost_usd)} for machine and bought answers; all of it: tailtune cost {outcome.use_case}"
    if outcome.result:
        yield "what changed", outcome.result
    for push in outcome.pushes:
        yield "pushed" if push.done else "not pushed", push_line(push)
    if outcome.proposals:
        yield "new classes", outcome.proposals
    for note in outcome.notes:
        yield "note", capital(note)


def _quality(outcome: RetrainOutcome) -> Iterator[tuple[str, str]]:
    """After and before on the same rows, and the difference."""
    measure, compared = title(outcome.measure), outcome.comparison
    if outcome.after is not None:
        yield f"{measure} after", f"{with_interval(outcome.after)} on {counted(outcome.after.rows, 'test row')}"
    if compared is not None and outcome.after is not None:
        before = outcome.after.value - compared.difference.value
        yield f"{measure} before", f"{share(before)} on the same rows, v{outcome.champion_before}"
        yield "difference", points_with_interval(compared.difference)


def push_line(push: Push) -> str:
    """What was pushed, or why not yet, in a line."""
    named = {"dvc": "rows and models to the DVC remote", "branch": f"branch {push.name}", "tag": f"tag {push.name}"}
    if push.done:
        return named[push.what]
    return f"{named[push.what]}: {push.why or 'not tried yet'}; the next retrain tries again"


def _verdict(outcome: RetrainOutcome) -> Iterator[tuple[str, str]]:
    """Another verdict or another kind of candidate, in words, with the figures behind it."""
    turned = _turned(outcome)
    if not turned and (not outcome.verdict_after or outcome.verdict_before == outcome.verdict_after):
        return
    verdict = f"{outcome.verdict_after or _UNKNOWN}, before {outcome.verdict_before or _UNKNOWN}"
    yield "verdict", f"{turned} ({verdict})" if turned else verdict
    if turned and outcome.verdict_why:
        yield "why it turned", outcome.verdict_why
    for each in outcome.candidates if turned else ():
        over = (
            ""
            if outcome.horizon_months is None
            else f", {usd(each.total_usd)} over {counted(outcome.horizon_months, 'month')}"
        )
        yield each.title, f"{with_interval(each.quality)}{over}"


def _turned(outcome: RetrainOutcome) -> str:
    """What another kind of candidate than before is called; empty where it is the same kind."""
    before, after = _kind(outcome.winner_before), _kind(outcome.winner_after)
    if not before or not after or before == after:
        return ""
    return _TURNED.get((before, after), f"from {before} to {after}")


def _kind(winner: str) -> str:
    """What kind of candidate a name is; empty for none."""
    if not winner:
        return ""
    return "a fine-tune" if winner == FINE_TUNE else "the prompt" if winner.startswith("lm_") else "a cheaper rung"


def _estimate(estimate: Estimate | None) -> str:
    return _UNKNOWN if estimate is None else with_interval(estimate)
