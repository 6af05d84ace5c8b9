"""Makes prompted rungs: those with a prompt file of their own, and those made from the best of these.

Also what they are expected to cost, before the first request, and on which rows a better prompt is searched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tailtune.config.prices import TokenPrice, list_usd
from tailtune.config.prompting import LanguageModelSpec, PromptSpec
from tailtune.core.errors import MissingInputError
from tailtune.core.figures import counted, share, usd
from tailtune.core.language import UNANSWERED, LanguageModel
from tailtune.core.money import known_sum
from tailtune.core.records import Answer, Row
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import LanguageModels
from tailtune.lifecycle.prompt.buying import Bought, micro_f1
from tailtune.predictors.base import CachedEmbed, Embed, FitContext
from tailtune.predictors.prompted.codec import Codec
from tailtune.predictors.prompted.costs import expected
from tailtune.predictors.prompted.optimise import (
    EXTRA,
    FEWEST_ROWS,
    SearchResult,
    feedback_record,
    installed,
    optimise,
    plan_effort,
    reflection_prompt,
)
from tailtune.predictors.prompted.rung import RECIPES, Prompted, build
from tailtune.predictors.prompted.templates import Template, variables_in
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.use_case import UseCase

OPTIMISED = "lm_optimised"
_EVERY = 5  # search on at most 1 in 5 train rows: the others are examples
_WRITTEN_TOKENS = 2_000  # room for whole instructions, and for a model that thinks before it writes
_GROWN_TOKENS = 500  # what is found is longer than what it was found from


@dataclass(frozen=True, slots=True)
class NotMade:
    """One per rung that is not made.

    Attributes:
        why: For people.
        lacking: Whether something is missing for it, so that it counts as not measured; otherwise it is not needed.
    """

    why: str
    lacking: bool


@dataclass
class RungFactory:
    """One per stage run: everything that a prompted rung is made of.

    Attributes:
        found: The better prompt, once a search has found one.
    """

    context: Context
    train: Sequence[Row]
    codec: Codec
    templates: Mapping[str, Template]
    models: LanguageModels
    found: SearchResult | None = None

    def lacking(self, name: str) -> str:
        """What a rung can never be made without, known before the first request; empty when nothing is missing."""
        spec = self.context.case.spec.prompt
        base = spec.model("base")
        if name == "lm_constrained" and base is not None and base.structured == "none" and base.folder is None:
            return f"{base.name} knows no constrained decoding (structured: none)"
        if name == "lm_strong" and spec.model("strong") is None:
            return "no model has the role strong"
        return missing_for_search(len(self.train)) if name == OPTIMISED else ""

    def warnings(self) -> list[str]:
        """A line per declared rung that cannot be made, shown before the first request."""
        missing = {name: self.lacking(name) for name in self.context.case.spec.prompt.rungs}
        return [f"{saved.title(name)} will not be measured: {why}" for name, why in missing.items() if why]

    def make(self, name: str, bought: Mapping[str, Bought]) -> Prompted | NotMade:
        """A rung, ready to answer.

        Args:
            name: Which.
            bought: The rungs before it; the others are made of the best of these.

        Returns:
            The rung; or why it is not needed, or what is missing for it.
        """
        if name in RECIPES:
            return self._own(name)
        missing = self.lacking(name)
        if missing:
            return NotMade(missing, lacking=True)
        best = best_prompt(bought)
        if best is None:
            return NotMade("no prompt was measured before it", lacking=True)
        if name == OPTIMISED:
            return self._optimised(bought[best])
        return self._constrained(bought[best]) if name == "lm_constrained" else self._strong(bought[best])

    def forecasts(self, rows: Sequence[Row]) -> list[Forecast]:
        """What each declared rung would take; those made of the best are reckoned as the dearest of the others.

        Rungs that cannot be made take nothing, and are not among them.
        """
        spec = self.context.case.spec.prompt
        made: dict[str, Prompted] = {name: self._own(name) for name in spec.rungs if name in RECIPES}
        found = [forecast(name, rung, rows, self.models.price(rung.spec)) for name, rung in made.items()]
        if not found:
            return found
        dearest = max(found, key=lambda forecast: forecast.input_tokens + forecast.output_tokens).name
        possible = {name for name in spec.rungs if not self.lacking(name)}
        if "lm_constrained" in possible:
            constrained = made[dearest].constrained_to_schema()
            found.append(forecast("lm_constrained", constrained, rows, self.models.price(constrained.spec)))
        strong = spec.model("strong")
        if "lm_strong" in possible and strong is not None:
            other = made[dearest].using(self._opened(strong), strong)
            found.append(forecast("lm_strong", other, rows, self.models.price(strong)))
        if OPTIMISED in possible:
            best, calls = made[dearest], spec.optimise_calls
            base = PricedModel(self._opened(best.spec), best.spec, self.models.price(best.spec))
            found.append(search_forecast(best, self._searched, rows, calls, base, self._reflecting))
        return found

    def local_answers(self, name: str, rows: Sequence[Row]) -> list[Answer]:
        """What a local rung answered to dev rows, as the ladder wrote it down.

        Raises:
            MissingInputError: The ladder's answers are not there, or of other rows.
        """
        file = "ladder/dev_answers.jsonl"
        lines = {line["id"]: line for line in self.context.inputs.jsonl(file)}
        missing = [row.origin for row in rows if name not in lines.get(row.id, {})]
        if missing:
            shown = self.context.shown(self.context.inputs.folder(file))
            raise MissingInputError(
                f"{shown}: no answer of {name} to {len(missing):,} dev rows, first {missing[0]}",
                f"tailtune ladder {self.context.case.name}",
            )
        return [Answer(lines[row.id][name], math.nan) for row in rows]

    def _own(self, name: str) -> Prompted:
        if name not in self._made:
            spec = self.context.case.spec.prompt
            base = spec.model("base")
            assert base is not None  # noqa: S101 - the spec sees to it where there is any model
            self._made[name] = build(
                name, self.templates, self.codec, self._fitting, self._opened(base), base, spec.shots
            )
        return self._made[name]

    def _constrained(self, best: Bought) -> Prompted | NotMade:
        problems = {each.problem for each in best.answered} - {""}
        if problems <= set(UNANSWERED):
            whole = "every answer of the best prompt" + (" that could be had" if problems else "")
            return NotMade(f"{whole} was usable", lacking=False)
        return best.rung.constrained_to_schema()

    def _strong(self, best: Bought) -> Prompted:
        strong = self.context.case.spec.prompt.model("strong")
        assert strong is not None  # noqa: S101 - it would be lacking
        return best.rung.using(self._opened(strong), strong)

    def _optimised(self, best: Bought) -> Prompted | NotMade:
        progress, calls = self.context.progress, self.context.case.spec.prompt.optimise_calls
        what = f"{saved.title(OPTIMISED)}: answers on train rows, while a better prompt is searched"
        progress.at(0, calls, what)
        found = optimise(
            best.rung,
            self._searched,
            scorer(self.context.case),
            self._reflecting.model,
            calls,
            self._fitting.seed,
            lambda answers: progress.at(answers, calls, what),
        )
        if found.template.digest == best.rung.template.digest:
            return NotMade(f"{effort_of(found)} found no better prompt on train rows", lacking=False)
        progress.say(f"{saved.title(OPTIMISED)}: {gain_of(found)}, {effort_of(found)}")
        self.found = found
        return best.rung.with_template(found.template)

    def _opened(self, spec: LanguageModelSpec) -> LanguageModel:
        if spec.name not in self._open:
            self._open[spec.name] = self.models.open(spec)
        return self._open[spec.name]

    @cached_property
    def _reflecting(self) -> PricedModel:
        """Who proposes better prompts: the stronger model where there is one."""
        prompt = self.context.case.spec.prompt
        declared = prompt.model("strong") or prompt.model("base")
        assert declared is not None  # noqa: S101 - the spec sees to it where there is any model
        spec = reflecting(declared)
        model = self._opened(spec) if spec == declared else self.models.open(spec)
        return PricedModel(model, spec, self.models.price(spec))

    @cached_property
    def _searched(self) -> list[Row]:
        """Train rows that a better prompt is searched on; none when none will be."""
        if OPTIMISED not in self.context.case.spec.prompt.rungs or self.lacking(OPTIMISED):
            return []
        return held_out(self.context.case, self.train)

    @cached_property
    def _shown(self) -> list[Row]:
        """Train rows that a prompt may show."""
        out = {row.id for row in self._searched}
        rows = [row for row in self.train if row.id not in out]
        return store.first_by_id(rows, self.context.case.spec.ladder.max_fit_rows)

    @cached_property
    def _made(self) -> dict[str, Prompted]:
        return {}

    @cached_property
    def _open(self) -> dict[str, LanguageModel]:
        return {}

    @cached_property
    def _fitting(self) -> FitContext:
        """Train rows that a prompt may show; they are encoded when a rung first looks for near ones."""
        case = self.context.case
        rows = self._shown
        return case.task.fit_context(rows, lambda texts: self._embed(texts))

    @cached_property
    def _embed(self) -> Embed:
        """The encoder; each text is encoded once, and nothing is loaded before the first."""
        from tailtune.predictors.encoder import Encoder

        encoder = Encoder.load()
        cached = CachedEmbed(encoder.embed)
        texts, at = [row.text for row in self._shown], self.context.progress.at
        cached.remember(texts, encoder.embed(texts, lambda done, total: at(done, total, "encoding examples")))
        return cached


def best_prompt(bought: Mapping[str, Bought]) -> str | None:
    """The best rung of the base model by quality; the earlier and cheaper of equals."""
    base = {name: each for name, each in bought.items() if each.count and each.rung.spec.role == "base"}
    return max(base, key=lambda name: _quality(base[name]), default=None)


def _quality(bought: Bought) -> float:
    """Micro F1 over the rows bought; 0 when nothing was answered and nothing expected, so that it is never the best."""
    value = micro_f1(bought.outcomes)
    return 0.0 if math.isnan(value) else value


@dataclass(frozen=True)
class Forecast:
    """One per rung: what asking every row would take.

    Attributes:
        rows: Rows that may be bought.
        input_tokens: Of all prompts.
        output_tokens: Of all answers.
        usd: At list price; None when no price is declared, 0 for a local model.
    """

    name: str
    model: str
    rows: int
    input_tokens: float
    output_tokens: float
    usd: float | None


def forecast(name: str, rung: Prompted, rows: Sequence[Row], price: TokenPrice | None) -> Forecast:
    """Tokens and dollars of asking a rung every row."""
    found = expected(rung, [row.text for row in rows], price)
    return Forecast(name, rung.spec.name, len(rows), found.input_tokens, found.output_tokens, found.usd)


def total_usd(forecasts: Sequence[Forecast]) -> float | None:
    """Dollars of all rungs; None as long as one is not known."""
    return known_sum(forecast.usd for forecast in forecasts)


def cost_line(forecasts: Sequence[Forecast], spec: PromptSpec) -> str:
    """The expected cost in one line."""
    cost, rows = total_usd(forecasts), max((forecast.rows for forecast in forecasts), default=0)
    names = len(forecasts)
    at_most = f"{names} rungs × {rows:,} rows would cost about "
    limit = f"the limit is {usd(spec.max_cost_usd)}"
    if cost is None:
        return f"{names} rungs × {rows:,} rows at a price that is not declared; {limit} and cannot hold without one"
    usual = "; buying stops as soon as the question is settled" if spec.stop == "settled" else ""
    return f"{at_most}{usd(cost)}; {limit}{usual}"


def cost_table(forecasts: Sequence[Forecast]) -> list[str]:
    """The estimate as a table for a terminal."""
    head = f"{'rung':46}{'model':16}{'rows':>7}{'tokens in':>12}{'tokens out':>12}{'USD':>10}"
    body = [
        f"{saved.title(each.name):46}{each.model:16}{each.rows:>7,}{each.input_tokens:>12,.0f}"
        f"{each.output_tokens:>12,.0f}{usd(each.usd):>10}"
        for each in forecasts
    ]
    return [head, *body]


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
        return 0.0 if self.spec.folder is not None else list_usd(self.price, math.ceil(read), math.ceil(written))


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
    if spec.folder is not None:
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
