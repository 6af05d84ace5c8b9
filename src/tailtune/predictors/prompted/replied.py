"""What answers of a language model took, over all of them: time and money, and what to know of how they came."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import ContextTooLongError
from tailtune.core.records import Estimate, Latency
from tailtune.predictors.prompted.rung import Asked

_Z95 = 1.959963984540054


def latency(asked: Sequence[Asked], model: str) -> Latency:
    """Percentiles of whole requests as they were first answered; parts are means over all requests.

    A part that a request did not have (a kept-alive connection does not connect) counts as 0, so that parts add up.
    Texts that were too long to be asked have no time.

    Args:
        asked: All of them, at least one.
        model: How an error names it.

    Raises:
        ContextTooLongError: Every text was too long, so that nothing is known of the model.
    """
    texts, asked = len(asked), [one for one in asked if one.problem != "too long"]
    if not asked:
        raise ContextTooLongError(
            f"{model}: each of {texts:,} texts is longer than the model takes, even without examples",
            f"set context_tokens of {model} in model.yaml to what the model has, lower max_output_tokens, shorten the "
            "prompt, or declare a model with a longer context",
        )
    times = np.array([one.reply.timing.total_ms for one in asked])
    p50, p95, p99 = (round(float(q), 3) for q in np.percentile(times, [50, 95, 99]))
    sums: Counter[str] = Counter()
    for one in asked:
        sums.update(one.reply.timing.parts)
    parts = {name: round(total / len(asked), 3) for name, total in sums.items()}
    mean = round(float(times.mean()), 3)
    return Latency(p50_ms=p50, p95_ms=p95, p99_ms=p99, mean_ms=mean, rows=len(asked), parts=parts)


def price(usd: Sequence[float | None]) -> Estimate | None:
    """US dollars for 1,000 rows with a normal 95 % interval; None as soon as one answer's cost is not known."""
    known = [one for one in usd if one is not None]
    if len(known) < len(usd) or not known:
        return None
    mean = float(np.mean(known)) * 1000
    half = _Z95 * float(np.std(known, ddof=1)) / math.sqrt(len(known)) * 1000 if len(known) > 1 else 0.0
    return Estimate(value=mean, low=max(0.0, mean - half), high=mean + half, rows=len(known))


def forms(asked: Sequence[Asked]) -> dict[str, int]:
    """How the answers were really held → answers; what was refused or never sent is none."""
    return dict(Counter[str](one.reply.form for one in asked if one.reply.text is not None))


def remarks(asked: Sequence[Asked], spec: LanguageModelSpec) -> tuple[str, ...]:
    """What a reader of the figures should know, and do, about answers that could not be had."""
    cut, long = (sum(one.problem == problem for one in asked) for problem in ("cut off", "too long"))
    filtered = sum(one.reply.usd_estimated for one in asked)
    told = {
        f"{_of(cut, len(asked), 'answer')} cut off at max_output_tokens {spec.max_output_tokens}: raise it": cut,
        f"{_of(long, len(asked), 'text')} too long for {spec.name}, even without examples: raise context_tokens "
        f"{spec.context_tokens} if the model has more, or lower curate.max_chars": long,
        f"{_of(filtered, len(asked), 'row')} refused by a filter; their cost is estimated from the prompt": filtered,
    }
    return tuple(note for note, rows in told.items() if rows)


def _of(some: int, all_: int, noun: str) -> str:
    return f"{some:,} of {all_:,} {noun}{'' if all_ == 1 else 's'} {'was' if some == 1 else 'were'}"
