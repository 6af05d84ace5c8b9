"""The search for a better prompt: on which rows, with which model, at what expected cost, and its words for readers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tailtune.config.prices import TokenPrice, list_usd
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.figures import counted, share, usd
from tailtune.core.language import LanguageModel
from tailtune.core.money import known_sum
from tailtune.core.records import Answer, Row
from tailtune.lifecycle.prompt.forecast import Forecast, forecast
from tailtune.predictors.prompted.optimise import (
    EXTRA,
    FEWEST_ROWS,
    SearchResult,
    feedback_record,
    installed,
    plan_effort,
    reflection_prompt,
)
from tailtune.predictors.prompted.rung import Prompted
from tailtune.predictors.prompted.templates import variables_in
from tailtune.tasks.use_case import UseCase

OPTIMISED = "lm_optimised"
_EVERY = 5  # search on at most 1 in 5 train rows: the others are examples
_WRITTEN_TOKENS = 2_000  # room for whole instructions, and for a model that thinks before it writes
_GROWN_TOKENS = 500  # what is found is longer than what it was found from


@dataclass(frozen=True, slots=True)
class PricedModel:
    """One per model that a search asks.

    Attributes:
        model: Opened.
        spec: As declared, or as opened for this.
        price: Of its tokens; None when it is not declared.
    """

    model: LanguageModel
    spec: LanguageModelSpec
    price: TokenPrice | None

    def usd(self, read: float, written: float) -> float | None:
        """US dollars for tokens; 0 for a local model, None without a price."""
        return 0.0 if self.spec.local else list_usd(self.price, math.ceil(read), math.ceil(written))


def missing_for_search(train_rows: int) -> str:
    """What a search for a better prompt lacks, whatever the other rungs will show; empty when nothing."""
    if not installed():
        return EXTRA
    if train_rows < FEWEST_ROWS * _EVERY:
        return f"{counted(train_rows, 'train row')}; searching a better prompt takes {FEWEST_ROWS * _EVERY} or more"
    return ""


def held_out(case: UseCase, train: Sequence[Row]) -> list[Row]:
    """Train rows that no prompt shows as examples, because the search scores prompts on them."""
    rows = len(train) // _EVERY
    used = plan_effort(rows, case.spec.prompt.optimise_calls).rows
    return sorted(train, key=lambda row: row.id, reverse=True)[:used]


def reflecting(spec: LanguageModelSpec) -> LanguageModelSpec:
    """The model that proposes prompts, with room to write them. A local model stays as it is: it is open already."""
    if spec.local:
        return spec
    room = min(_WRITTEN_TOKENS, spec.context_tokens // 2)
    return spec.model_copy(update={"max_output_tokens": max(spec.max_output_tokens, room)})


def search_forecast(
    best: Prompted, searched: Sequence[Row], dev: Sequence[Row], calls: int, base: PricedModel, reflect: PricedModel
) -> Forecast:
    """What the search and every dev row after it would take; an estimate that is rather too high.

    Args:
        best: The rung whose prompt would be improved.
        searched: Rows of the search.
        dev: Rows that may be bought afterwards.
        calls: Rows that the search may ask for.
        base: Who answers.
        reflect: Who proposes.
    """
    asking, limits = forecast(OPTIMISED, best, dev, base.price), plan_effort(len(searched), calls)
    answers = calls + len(dev)
    read = answers * (asking.input_tokens / len(dev) + _GROWN_TOKENS)
    written = answers * asking.output_tokens / len(dev)
    longest = sorted(searched, key=lambda row: len(row.text))[-limits.batch_rows :]
    shown = [best.codec.shown(row.label) for row in longest]
    answers_of = zip(longest, shown, strict=True)
    rows = [feedback_record(row.text, answer, f"Expected: {answer}") for row, answer in answers_of]
    system = best.template.system
    prompt = reflect.model.count_tokens(reflection_prompt(system, rows, variables_in(system))) + _GROWN_TOKENS
    prompted, proposed = limits.reflections * prompt, limits.reflections * reflect.spec.max_output_tokens
    return Forecast(
        OPTIMISED,
        base.spec.name if base.spec.name == reflect.spec.name else f"{base.spec.name}, {reflect.spec.name}",
        len(dev),
        read + prompted,
        written + proposed,
        known_sum((base.usd(read, written), reflect.usd(prompted, proposed))),
    )


def scorer(case: UseCase) -> Callable[[Row, Answer], float]:
    """Quality of one answer, 0 to 1; 1 where nothing was expected and nothing answered."""
    task = case.task

    def right(row: Row, answer: Answer) -> float:
        if answer.value is None:
            return 0.0
        score = task.score([row], [answer])
        value = score.counted[score.metric].value
        return 1.0 if math.isnan(value) else value

    return right


def origin_of(found: SearchResult) -> str:
    """Where the text of a prompt is from, for readers of the registry."""
    return f"searched by GEPA from {found.source}: {gain_of(found)}; {effort_of(found)}"


def notes_of(found: SearchResult, case: UseCase, text: str) -> tuple[str, ...]:
    """What a reader of the report should know of the prompt.

    Args:
        found: The prompt.
        case: The use case.
        text: File that has its text, relative to the checkout.
    """
    adopted = case.paths.project.shown(case.paths.prompts / f"{found.source}.md")
    return (
        f"its prompt was searched from {found.source} with {effort_of(found)}: {gain_of(found)}",
        f"its prompt is in {text}; to adopt it, copy it to {adopted}",
    )


def effort_of(found: SearchResult) -> str:
    """What a search took, in words."""
    cost = "at a cost that is not known" if found.usd is None else f"for {usd(found.usd)}"
    return f"{counted(found.answers, 'answer')} and {counted(found.reflections, 'reflection')} {cost}"


def gain_of(found: SearchResult) -> str:
    """What a search brought, in words."""
    return f"{share(found.before)} before and {share(found.after)} after, on {counted(found.rows, 'train row')}"
