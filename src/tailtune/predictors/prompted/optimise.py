"""A better system message, found by reflection on failures: GEPA, asked through the rung's own model and limits."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tailtune.core.errors import AskedOutError, BudgetReachedError, ContextTooLongError, TailTuneError
from tailtune.core.language import Ask, LanguageModel, Message
from tailtune.core.records import Answer, Row
from tailtune.predictors.prompted.rung import Asked, Prompted
from tailtune.predictors.prompted.templates import Template

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch
    from gepa.core.result import GEPAResult

Score = Callable[[Row, Answer], float]

NAME = "optimised"
_SYSTEM = "system"
_REFLECTED_ROWS = 4
_SELECTION_SHARE = 0.2  # of the calls, for one look at a candidate
_FENCE = "```"
_REFLECT = """You improve the instructions of an assistant. These are its instructions now, a Jinja2 template:

{fence}
{system}
{fence}

This is what it answered with them, and what was expected:

{failures}

Write better instructions. Say what the task is, and state in general terms what the assistant must know to get such
texts right: how labels or fields are told apart, how values are written. Do not quote the texts above. Keep the form
that the answer must have. {variables} Write the whole instructions, and nothing else, between two lines of {fence}."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """One per row that a candidate was tried on; `asked` is None when it was refused, or nothing was asked."""

    row: Row
    asked: Asked | None
    score: float


class _Adapter:
    """What GEPA needs of a rung: score a system message on rows, tell of failures, propose another one.

    An error of the model ends the search: what was found until then is kept, and whoever called decides.
    """

    def __init__(self, rung: Prompted, score: Score, reflect: LanguageModel, calls: int) -> None:
        self._rung, self._score, self._reflect, self._left = rung, score, reflect, calls
        self._reflections = 0
        self._needed = _named(rung.template.system)
        self.ended_by: TailTuneError | None = None
        self.over = False

    def refused(self, system: str) -> str:
        """Why a system message cannot be used; empty when it can."""
        template = self._rung.template.with_system(system, NAME)
        faults = template.faults(self._rung.codec.variables(), NAME)
        if faults:
            return "; ".join(fault.what for fault in faults)
        lost = sorted(self._needed - _named(system))
        return f"no longer names {', '.join(lost)}" if lost else ""

    def evaluate(
        self, batch: list[Row], candidate: dict[str, str], capture_traces: bool = False
    ) -> EvaluationBatch[_Trial, str | None]:
        """Scores of a candidate on rows; 0 where it cannot be used, or nothing may be asked any more."""
        from gepa.core.adapter import EvaluationBatch

        asked = self._asked(batch, candidate[_SYSTEM])
        trials = [
            _Trial(row, one, 0.0 if one is None else self._score(row, one.answer))
            for row, one in zip(batch, asked, strict=True)
        ]
        outputs = [None if one.asked is None else one.asked.reply.text for one in trials]
        return EvaluationBatch(outputs, [one.score for one in trials], trials if capture_traces else None)

    def _asked(self, batch: Sequence[Row], system: str) -> list[Asked | None]:
        nothing: list[Asked | None] = [None] * len(batch)
        if self.over or self.refused(system):
            return nothing
        if len(batch) > self._left:
            self.over = True
            return nothing
        self._left -= len(batch)
        rung = self._rung.with_template(self._rung.template.with_system(system, NAME))
        try:
            return list(rung.asked([row.text for row in batch]))
        except AskedOutError as error:
            self._end(error)
            return [error.asked.get(place) for place in range(len(batch))]
        except ContextTooLongError:  # the message has grown too long
            return nothing
        except TailTuneError as error:
            self._end(error)
            return nothing

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, str]]]:
        """What is told of each row, as GEPA wants it."""
        told = [self._told(one, one.asked) for one in eval_batch.trajectories if one.asked is not None]
        return dict.fromkeys(components_to_update, told)

    def propose_new_texts(
        self,
        candidate: dict[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],
    ) -> dict[str, str]:
        """Another system message; the same one when the model says nothing or may not be asked."""
        system = candidate[_SYSTEM]
        if self.over:
            return {_SYSTEM: system}
        prompt = _reflection(system, reflective_dataset[_SYSTEM], self._needed)
        self._reflections += 1  # another sample each time: an equal prompt may deserve another thought
        try:
            reply = self._reflect.ask([Ask((Message("user", prompt),), sample=self._reflections)])[0]
        except ContextTooLongError:
            return {_SYSTEM: system}
        except TailTuneError as error:
            self._end(error)
            return {_SYSTEM: system}
        return {_SYSTEM: _between_fences(reply.text or "") or system}

    def _told(self, trial: _Trial, asked: Asked) -> dict[str, str]:
        expected = f"Expected: {self._rung.codec.shown(trial.row.label)}"
        problem = f" It was not usable: {asked.problem}." if asked.problem else ""
        return {
            "Inputs": trial.row.text,
            "Generated Outputs": asked.reply.text or "(nothing)",
            "Feedback": "Right." if trial.score >= 1 else f"{expected}{problem}",
        }

    def _end(self, error: TailTuneError) -> None:
        self.over, self.ended_by = True, error


class _Quiet:
    def log(self, message: str) -> None:
        """GEPA tells its progress to standard output otherwise."""


def optimise(
    rung: Prompted, rows: Sequence[Row], score: Score, reflect: LanguageModel, calls: int, seed: int = 17
) -> Template:
    """Search for a system message that scores better (GEPA, Agrawal et al. 2025, https://arxiv.org/abs/2507.19457).

    Half of the rows that are used, chosen by seed, are shown to the reflecting model when they fail; candidates are
    compared on the others. A proposal that loses or breaks a Jinja variable scores 0 and is not asked.

    Args:
        rung: Whose prompt is bettered; its model answers, under its own cache and spending limit.
        rows: Labelled, at least 4; none that the rung takes its examples from, which would answer themselves, and none
            that the result is measured on.
        score: Of an answer, 0 to 1.
        reflect: Who proposes: the stronger model where there is one.
        calls: Rows that the rung is asked for at most; reflection is asked once for each few of them.
        seed: Of all choices.

    Returns:
        The best prompt, named `optimised`; the rung's own, unchanged, when none did better. When money runs out it is
        the best until then.

    Raises:
        TailTuneError: GEPA is not installed.
        ValueError: Fewer than 4 rows.
        EndpointError: A model does not answer.

    Limit: only the system message changes; what the gain is worth, other rows must tell.
    """
    if len(rows) < _REFLECTED_ROWS:
        raise ValueError(f"{len(rows)} rows, expected at least {_REFLECTED_ROWS}")
    try:
        from gepa.api import optimize
    except ImportError as error:
        raise TailTuneError(
            "lm_optimised: the package gepa is not installed, which optimises prompts",
            "pip install 'tailtune[optimise]', or take lm_optimised out of prompt.rungs",
        ) from error
    shuffled = random.Random(seed).sample(list(rows), len(rows))
    size = max(2, min(len(rows) // 2, int(calls * _SELECTION_SHARE)))
    adapter = _Adapter(rung, score, reflect, calls)
    found: GEPAResult[Any, Any] = optimize(
        seed_candidate={_SYSTEM: rung.template.system},
        trainset=shuffled[size : 2 * size],
        valset=shuffled[:size],
        adapter=cast(Any, adapter),
        reflection_minibatch_size=min(_REFLECTED_ROWS, size),
        stop_callbacks=lambda state: adapter.over,
        max_metric_calls=calls,
        logger=_Quiet(),
        track_best_outputs=False,
        seed=seed,
    )
    if adapter.ended_by is not None and not isinstance(adapter.ended_by, BudgetReachedError):
        raise adapter.ended_by
    best = dict(found.candidates[found.best_idx])[_SYSTEM]
    return rung.template if best == rung.template.system else rung.template.with_system(best, NAME)


def _named(source: str) -> set[str]:
    """Variables that a Jinja2 source names; none when it is not Jinja2."""
    from jinja2 import TemplateSyntaxError, meta
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment()
    try:
        return set(meta.find_undeclared_variables(environment.parse(source)))
    except TemplateSyntaxError:
        return set()


def _reflection(system: str, told: Sequence[Mapping[str, str]], needed: set[str]) -> str:
    failures = "\n\n".join(
        f"Text:\n{one['Inputs']}\nAnswered:\n{one['Generated Outputs']}\n{one['Feedback']}" for one in told
    )
    names = ", ".join(sorted(needed))
    kept = f"Keep every Jinja2 expression that uses {names}: the values are filled in later." if names else ""
    return _REFLECT.format(fence=_FENCE, system=system, failures=failures, variables=kept)


def _between_fences(text: str) -> str:
    """What stands between the first and the last fence; the whole text when there are not two."""
    lines = text.strip().splitlines()
    fences = [at for at, line in enumerate(lines) if line.strip().startswith(_FENCE)]
    inner = lines[fences[0] + 1 : fences[-1]] if len(fences) > 1 else lines
    return "\n".join(inner).strip()
