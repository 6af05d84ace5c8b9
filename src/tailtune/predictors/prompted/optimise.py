"""A better system message, found by reflection on failures (GEPA), asked through the rung's own model and limits."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from tailtune.core.errors import ContextTooLongError, SpecError, TailTuneError
from tailtune.core.language import Ask, LanguageModel, Message, Reply
from tailtune.core.money import Usd, known_sum
from tailtune.core.records import Answer, Row
from tailtune.predictors.prompted.reasoning import without_reasoning
from tailtune.predictors.prompted.rung import PromptAnswer, Prompted
from tailtune.predictors.prompted.templates import Template, parsed, variables_in

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch
    from gepa.core.result import GEPAResult


FEWEST_ROWS = 4
"""Two to compare candidates on, and two to reflect on."""
_SELECTION_SHARE = 0.2  # of the calls, for one look at a candidate
_REFLECTED_ROWS = 4


@dataclass(frozen=True, slots=True)
class Effort:
    """One per search.

    Attributes:
        calls: Rows that the rung is asked for at most.
        selection_rows: Labelled rows that candidates are compared on; as many others are reflected on.
        batch_rows: Rows of one reflection.
        reflections: Times that the reflecting model is asked at most.
    """

    calls: int
    selection_rows: int
    batch_rows: int
    reflections: int

    @property
    def rows(self) -> int:
        """Labelled rows that are used."""
        return 2 * self.selection_rows


def plan_effort(rows: int, calls: int) -> Effort:
    """What a search may take.

    Args:
        rows: Labelled rows that there are.
        calls: Rows that the rung may be asked for.

    Raises:
        ValueError: Fewer than 4 rows.
    """
    if rows < FEWEST_ROWS:
        raise ValueError(f"{rows} rows, expected at least {FEWEST_ROWS}")
    selection = max(2, min(rows // 2, int(calls * _SELECTION_SHARE)))
    batch = min(_REFLECTED_ROWS, selection)
    # A reflection is on answers to one batch, and what it proposes is tried on the same.
    return Effort(calls, selection, batch, max(0, math.ceil((calls - selection) / (2 * batch))))


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


def feedback_record(text: str, answer: str | None, feedback: str) -> dict[str, str]:
    """One row for the reflecting model: the text, the answer, and the feedback on it."""
    return {"Inputs": text, "Generated Outputs": answer or "(nothing)", "Feedback": feedback}


def reflection_prompt(system: str, rows: Sequence[Mapping[str, str]], needed: Collection[str]) -> str:
    """The whole request.

    Args:
        system: Jinja2 source of the instructions as they are.
        rows: What `feedback_record` made of each.
        needed: Variables that the instructions must go on naming.
    """
    failures = "\n\n".join(
        f"Text:\n{row['Inputs']}\nAnswered:\n{row['Generated Outputs']}\n{row['Feedback']}" for row in rows
    )
    names = ", ".join(sorted(needed))
    kept = f"Keep every Jinja2 expression that uses {names}: the values are filled in later." if names else ""
    return _REFLECT.format(fence=_FENCE, system=system, failures=failures, variables=kept)


def proposal_in(reply: Reply) -> str:
    """The instructions in a reply: what stands between its first and last fence, or all of it where there are not two.

    Returns:
        Empty when there are none, or the reply was cut off and so are they.
    """
    if reply.finish == "length":
        return ""
    lines = without_reasoning(reply.text or "").splitlines()
    fences = [at for at, line in enumerate(lines) if line.strip().startswith(_FENCE)]
    inner = lines[fences[0] + 1 : fences[-1]] if len(fences) > 1 else lines
    return "\n".join(inner).strip()


_TAG = re.compile(r"\{[{%#](?:[^}%#]++|[}%#](?!\}))*+(?:[}%#]\}|$)|\{[{%#]")


def _tags_of(source: str) -> Counter[str]:
    """Jinja2 tags of a source, each as often as it stands; white space does not count."""
    return Counter(re.sub(r"\s+", "", tag) for tag in _TAG.findall(source))


Score = Callable[[Row, Answer], float]
OnAnswers = Callable[[int], None]

NAME = "optimised"
EXTRA = "gepa is not installed: pip install 'tailtune[optimise]'"
_SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One per search that came to its end.

    Attributes:
        template: The best prompt, named `optimised`; the rung's own, unchanged, when none did better.
        source: Prompt that it was searched from.
        rows: Labelled rows that candidates were compared on.
        before: Mean score of the rung's own prompt on them, 0 to 1.
        after: Of the best.
        answers: Rows that the rung was asked for, once with each prompt that was tried.
        reflections: Times that the reflecting model was asked.
        usd: All of them at list price, kept answers too; None when the cost of one is not known.
    """

    template: Template
    source: str
    rows: int
    before: float
    after: float
    answers: int
    reflections: int
    usd: Usd | None


@dataclass(frozen=True, slots=True)
class _Trial:
    """One per row that a candidate was tried on; `answer` is None for an unusable candidate or after the end."""

    row: Row
    answer: PromptAnswer | None
    score: float


class _Adapter:
    """What GEPA needs of a rung: score a system message on rows, describe failures, propose another one.

    An error of a model ends the search, and is raised when GEPA has returned: it swallows some.
    """

    def __init__(
        self,
        rung: Prompted,
        score: Score,
        reflect: LanguageModel,
        limits: Effort,
        on_answers: OnAnswers | None,
        is_late: Callable[[], bool],
    ) -> None:
        self._rung, self._score, self._reflect, self._limits = rung, score, reflect, limits
        self._on_answers, self._is_late = on_answers, is_late
        self._needed = variables_in(rung.template.system)
        self._known: dict[str, dict[str, PromptAnswer]] = {}  # system message → row's id → what was answered
        self._usd: list[float | None] = []
        self.answers = self.reflections = 0
        self.ended_by: TailTuneError | None = None
        self.over = False

    def refused(self, system: str) -> str:
        """Why a system message cannot be used; empty when it can."""
        foreign = _tags_of(system) - _tags_of(self._rung.template.system)
        if foreign:  # a proposal is text: it may keep what was filled in, and computes nothing of its own
            return f"{next(iter(foreign))[:80]} is no tag of the prompt, or stands more often than there"
        template = self._rung.template.with_system(system, NAME)
        faults = template.faults(self._rung.codec.variables(), NAME)
        if faults:
            return "; ".join(fault.what for fault in faults)
        lost = sorted(self._needed - variables_in(system))
        if lost:
            return f"no longer names {', '.join(lost)}"
        return "" if _is_file(template) else "a line of it is a prompt file's heading"

    @property
    def usd(self) -> Usd | None:
        """List price of everything that was asked; None when the price of one reply is not known."""
        return known_sum(self._usd)

    def evaluate(
        self, batch: list[Row], candidate: dict[str, str], capture_traces: bool = False
    ) -> EvaluationBatch[_Trial, str | None]:
        """Scores of a candidate on rows; 0 where it cannot be used, or nothing may be asked any more."""
        from gepa.core.adapter import EvaluationBatch

        answers = self._answers(batch, candidate[_SYSTEM])
        trials = [
            _Trial(row, answer, 0.0 if answer is None else self._score(row, answer.answer))
            for row, answer in zip(batch, answers, strict=True)
        ]
        outputs = [None if trial.answer is None else trial.answer.reply.text for trial in trials]
        return EvaluationBatch(outputs, [trial.score for trial in trials], trials if capture_traces else None)

    def _answers(self, batch: Sequence[Row], system: str) -> list[PromptAnswer | None]:
        """What was answered to each; a row is asked once with the same message, however often GEPA wants to see it."""
        known = self._known.setdefault(system, {})
        unknown = [row for row in batch if row.id not in known]
        if unknown and not self.over and not self.refused(system):
            if self.answers + len(unknown) > self._limits.calls:
                self.over = True
            else:
                known |= self._ask(unknown, system)
        return [known.get(row.id) for row in batch]

    def _ask(self, rows: Sequence[Row], system: str) -> dict[str, PromptAnswer]:
        """Row's id → what was answered; less where the search is over, or the message has grown too long."""
        rung = self._rung.with_template(self._rung.template.with_system(system, NAME))
        at_once = rung.spec.concurrency if rung.spec.local else len(rows)
        found: dict[str, PromptAnswer] = {}
        for start in range(0, len(rows), at_once):
            if self._is_late():
                self.over = True
                break
            some = rows[start : start + at_once]
            self.answers += len(some)
            try:
                answers = rung.ask([row.text for row in some])
            except ContextTooLongError:
                break
            except TailTuneError as error:
                self._end(error)
                break
            self._usd += [answer.reply.usd for answer in answers]
            if self._on_answers is not None:
                self._on_answers(self.answers)
            found |= {row.id: answer for row, answer in zip(some, answers, strict=True)}
        return found

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, str]]]:
        """Text, answer and feedback of each row, in the form that GEPA takes."""
        rows = [self._feedback(trial, trial.answer) for trial in eval_batch.trajectories if trial.answer is not None]
        return dict.fromkeys(components_to_update, rows)

    def propose_new_texts(
        self,
        candidate: dict[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],
    ) -> dict[str, str]:
        """Another system message; the same one when the model says nothing or may not be asked."""
        system = candidate[_SYSTEM]
        if self.over or self._is_late() or self.reflections >= self._limits.reflections:
            return {_SYSTEM: system}
        reply = self._reflect_on(reflection_prompt(system, reflective_dataset[_SYSTEM], self._needed))
        return {_SYSTEM: system if reply is None else proposal_in(reply) or system}

    def _reflect_on(self, prompt: str) -> Reply | None:
        self.reflections += 1  # another sample each time: an equal prompt may deserve another thought
        try:
            reply = self._reflect.ask([Ask((Message("user", prompt),), sample=self.reflections)])[0]
        except ContextTooLongError:
            return None
        except TailTuneError as error:
            self._end(error)
            return None
        self._usd.append(reply.usd)
        return reply

    def _feedback(self, trial: _Trial, answer: PromptAnswer) -> dict[str, str]:
        expected = f"Expected: {self._rung.codec.shown(trial.row.label)}"
        problem = f" It was not usable: {answer.problem}." if answer.problem else ""
        return feedback_record(
            trial.row.text, answer.reply.text, "Right." if trial.score >= 1 else f"{expected}{problem}"
        )

    def _end(self, error: TailTuneError) -> None:
        self.over, self.ended_by = True, error


class _Quiet:
    def log(self, message: str) -> None:
        """Swallow GEPA's progress, which it prints to standard output otherwise."""


def installed() -> bool:
    """Whether the optional extra is there; nothing is imported."""
    return find_spec("gepa") is not None


def optimise(
    rung: Prompted,
    rows: Sequence[Row],
    score: Score,
    reflect: LanguageModel,
    calls: int,
    seed: int = 17,
    on_answers: OnAnswers | None = None,
    is_late: Callable[[], bool] = lambda: False,
) -> SearchResult:
    """Search for a system message that scores better (GEPA, Agrawal et al. 2025, https://arxiv.org/abs/2507.19457).

    Half of the rows that are used, chosen by seed, are shown to the reflecting model when they fail; candidates are
    compared on the others. A proposal that loses or breaks a Jinja variable, or has a tag that the prompt
    had not, scores 0 and is not asked.

    Args:
        rung: Whose prompt is bettered; its model answers, under its own cache and spending limit.
        rows: Labelled, at least 4; none that the rung takes its examples from, which would answer themselves, and none
            that the result is measured on.
        score: Of an answer, 0 to 1.
        reflect: Who proposes: the stronger model where there is one.
        calls: Rows that the rung is asked for at most; reflection is asked once for each few of them.
        seed: Of all choices.
        on_answers: Called with the number of rows asked for, each time there are more.
        is_late: Whether the time of the search is over: then it ends with the best that it has.

    Returns:
        The best prompt, and what the search took.

    Raises:
        TailTuneError: GEPA is not installed.
        ValueError: Fewer than 4 rows.
        BudgetReachedError: The money ran out; what was answered is in the cache, and a search with more goes on there.
        EndpointError: A model does not answer.

    Limit: only the system message changes; what the gain is worth, other rows must tell.
    """
    limits = plan_effort(len(rows), calls)
    if not installed():
        raise TailTuneError(f"lm_optimised: {EXTRA}", "install it, or take lm_optimised out of prompt.rungs")
    from gepa.api import optimize
    from gepa.utils import ScoreThresholdStopper

    shuffled, size = random.Random(seed).sample(list(rows), len(rows)), limits.selection_rows
    adapter = _Adapter(rung, score, reflect, limits, on_answers, is_late)
    result: GEPAResult[Any, Any] = optimize(
        seed_candidate={_SYSTEM: rung.template.system},
        trainset=shuffled[size : limits.rows],
        valset=shuffled[:size],
        adapter=cast(Any, adapter),
        reflection_minibatch_size=limits.batch_rows,
        stop_callbacks=[lambda state: adapter.over, ScoreThresholdStopper(1.0)],  # nothing beats a prompt without fault
        max_metric_calls=calls,
        logger=_Quiet(),
        track_best_outputs=False,
        seed=seed,
    )
    if adapter.ended_by is not None:
        raise adapter.ended_by
    best, scores = dict(result.candidates[result.best_idx])[_SYSTEM], result.val_aggregate_scores
    same = best == rung.template.system
    return SearchResult(
        rung.template if same else rung.template.with_system(best, NAME),
        rung.template.name,
        size,
        float(scores[0]),
        float(scores[result.best_idx]),
        adapter.answers,
        adapter.reflections,
        adapter.usd,
    )


def _is_file(template: Template) -> bool:
    """Whether a prompt file with this text would be read as this prompt."""
    try:
        return parsed(template.name, template.text, template.name)[0] == template
    except SpecError:
        return False
