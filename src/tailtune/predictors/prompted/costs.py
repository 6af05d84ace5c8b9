"""What prompted answers cost: tokens and dollars before they are bought; time, dollars and failures afterwards."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tailtune.config.prices import TokenPrice, list_usd
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import ContextTooLongError
from tailtune.core.figures import share
from tailtune.core.language import Reply
from tailtune.core.money import Usd
from tailtune.core.records import Estimate, Latency
from tailtune.judge.stats import Z95
from tailtune.predictors.prompted.rung import PromptAnswer, Prompted
from tailtune.predictors.timing import latency_of

_SAMPLE_TEXTS = 50


@dataclass(frozen=True, slots=True)
class Expected:
    """One per rung and set of texts.

    Attributes:
        input_tokens: Of all prompts.
        output_tokens: Of all answers.
        usd: At list price; None when no price is declared, 0 for a local model.
    """

    input_tokens: float
    output_tokens: float
    usd: Usd | None


def expected(rung: Prompted, texts: Sequence[str], price: TokenPrice | None) -> Expected:
    """Tokens and dollars of asking a rung every text, from the first texts' prompts; rather too high.

    Args:
        rung: The rung to ask.
        texts: All of them.
        price: Of its model's tokens.

    Raises:
        ContextTooLongError: The prompt leaves no room for any text.

    Limit: how long answers are is not known before; the rung says what it expects.
    """
    sample = texts[:_SAMPLE_TEXTS]
    read, written = rung.expected_tokens(sample)
    scale = len(texts) / max(1, len(sample))
    cost = 0.0 if rung.spec.local else list_usd(price, round(read * scale), round(written * scale))
    return Expected(read * scale, written * scale, cost)


def latency(answers: Sequence[PromptAnswer], model: str) -> Latency:
    """Percentiles of whole requests as they were first answered; parts are means over all requests.

    A part that a request did not have (a kept-alive connection does not connect) counts as 0, so that parts add up.
    Texts that were too long to be asked have no time, nor have rows whose requests came to nothing: they are left out.

    Args:
        answers: All of them, at least one.
        model: How an error names it.

    Raises:
        ContextTooLongError: Every text was too long, so that nothing is known of the model.
    """
    texts, answers = len(answers), [answer for answer in answers if answer.problem != "too long"]
    if not answers:
        raise ContextTooLongError(
            f"{model}: each of {texts:,} texts is longer than the model takes, even without examples",
            f"set context_tokens of {model} in model.yaml to what the model has, lower max_output_tokens, shorten the "
            "prompt, or declare a model with a longer context",
        )
    timings = [answer.reply.timing for answer in answers if not math.isnan(answer.reply.timing.total_ms)]
    sums: Counter[str] = Counter()
    for timing in timings:
        sums.update(timing.parts)
    return latency_of(np.array([timing.total_ms for timing in timings]), sums)


def price(usd: Sequence[float | None]) -> Estimate | None:
    """US dollars for 1,000 rows with a normal 95 % interval; None as soon as the cost of an answer is not known."""
    known = [cost for cost in usd if cost is not None]
    if len(known) < len(usd) or not known:
        return None
    mean = float(np.mean(known)) * 1000
    half = Z95 * float(np.std(known, ddof=1)) / math.sqrt(len(known)) * 1000 if len(known) > 1 else 0.0
    return Estimate(value=mean, low=max(0.0, mean - half), high=mean + half, rows=len(known))


def forms(answers: Sequence[PromptAnswer]) -> dict[str, int]:
    """How answers were constrained → how many of them; without those that were refused or never sent."""
    return dict(Counter[str](answer.reply.form for answer in answers if answer.reply.text is not None))


def remarks(answers: Sequence[PromptAnswer], spec: LanguageModelSpec) -> tuple[str, ...]:
    """What a reader of the figures should know, and do, about answers that could not be had."""
    long = sum(answer.problem == "too long" for answer in answers)
    ended, cut = (
        sum(answer.problem == "cut off" and (answer.reply.cut == "answer") == by_server for answer in answers)
        for by_server in (True, False)
    )
    filtered, reckoned = (
        sum(answer.reply.usd_estimated and _is_filtered(answer.reply) == by_filter for answer in answers)
        for by_filter in (True, False)
    )
    short = [answer.reply.input_tokens or 0 for answer in answers if answer.reply.cut == "prompt"]
    notes = {
        f"{_of(len(short), len(answers), 'prompt')} cut by the server, which read {max(short, default=0):,} tokens at "
        f"most and reported no error: give it more context, or set context_tokens of {spec.name}, now "
        f"{spec.context_tokens}, to what it has": len(short),
        f"{_of(ended, len(answers), 'answer')} ended by the server before max_output_tokens {spec.max_output_tokens}: "
        f"its context is smaller than context_tokens {spec.context_tokens} of {spec.name}, or it has a limit of its "
        "own": ended,
        f"{_of(cut, len(answers), 'answer')} cut off at max_output_tokens {spec.max_output_tokens}: raise it": cut,
        f"{_of(long, len(answers), 'text')} too long for {spec.name}, even without examples: raise context_tokens "
        f"{spec.context_tokens} if the model has more, or lower curate.max_chars": long,
        f"{_of(filtered, len(answers), 'row')} refused by a filter; their cost is estimated from the prompt": filtered,
        f"{_of(reckoned, len(answers), 'answer')} reported without usage; their cost is estimated from the texts, and "
        "reasoning that is not shown is not in it": reckoned,
        _reasoned(answers): 1,
    }
    return tuple(note for note, rows in notes.items() if rows and note)


def _is_filtered(reply: Reply) -> bool:
    return reply.text is None and reply.finish in ("content_filter", "refusal")


def _reasoned(answers: Sequence[PromptAnswer]) -> str:
    """What part of the paid output is reasoning, where that is most of it; else empty."""
    written = sum(answer.reply.output_tokens or 0 for answer in answers)
    thought = sum(answer.reply.reasoning_tokens for answer in answers)
    return f"{share(thought / written)} of the tokens paid as output are reasoning" if 2 * thought > written else ""


def unusable(answers: Sequence[PromptAnswer], spec: LanguageModelSpec) -> str:
    """Why a rung is not measured because most of its answers could not be used, with the remedy; empty when it is."""
    problems = Counter[str](answer.problem for answer in answers if answer.problem)
    if 2 * problems.total() <= len(answers):
        return ""
    counts = ", ".join(f"{rows:,} {problem}" for problem, rows in problems.most_common())
    first = problems.most_common(1)[0][0]
    constrained = any(answer.reply.form == "json_schema" for answer in answers)
    ended = 2 * sum(answer.reply.cut == "answer" for answer in answers) > problems["cut off"]
    advice = {
        "cut off": f"give the server of {spec.name} more context, or lower context_tokens to what it has"
        if ended
        else f"raise max_output_tokens of {spec.name}, now {spec.max_output_tokens}",
        "too long": f"raise context_tokens of {spec.name} if the model has more, or lower curate.max_chars",
        "refused": "its provider refuses these texts; declare another model",
        "empty": f"look at what {spec.name} answers; a model that reasons needs more max_output_tokens",
    }.get(first, "write a clearer prompt" if constrained else "add the rung lm_constrained, or write a clearer prompt")
    return f"{problems.total():,} of {len(answers):,} answers could not be used ({counts}): {advice}"


def _of(some: int, all_: int, noun: str) -> str:
    return f"{some:,} of {all_:,} {noun}{'' if all_ == 1 else 's'} {'was' if some == 1 else 'were'}"
