"""Makes prompted rungs: those with a prompt file of their own, and those made from the best of these."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tailtune.config.prompting import LanguageModelSpec, most_rows
from tailtune.core.errors import MissingInputError
from tailtune.core.language import UNANSWERED, LanguageModel
from tailtune.core.records import Answer, Row
from tailtune.lifecycle import must_not_fail
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import LanguageModels
from tailtune.lifecycle.prompt.buying import Bought, Deadline, micro_f1
from tailtune.lifecycle.prompt.forecast import Forecast, forecast
from tailtune.lifecycle.prompt.search import (
    OPTIMISED,
    PricedModel,
    effort_of,
    gain_of,
    held_out,
    missing_for_search,
    reflecting,
    scorer,
    search_forecast,
)
from tailtune.predictors.base import CachedEmbed, Embed, FitContext, Floats
from tailtune.predictors.prompted.codec import Codec
from tailtune.predictors.prompted.examples import NoExamples
from tailtune.predictors.prompted.fitting import Fitter
from tailtune.predictors.prompted.optimise import SearchResult, optimise
from tailtune.predictors.prompted.rung import RECIPES, Prompted, build
from tailtune.predictors.prompted.templates import Template
from tailtune.services import store
from tailtune.tasks import saved

WITHOUT_END = Deadline()


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
        if name == "lm_constrained" and base is not None and base.structured == "none" and not base.local:
            return f"{base.name} knows no constrained decoding (structured: none)"
        if name == "lm_strong" and spec.model("strong") is None:
            return "no model has the role strong"
        if name in self.left_out():
            return self.left_out()[name]
        return missing_for_search(len(self.train)) if name == OPTIMISED else self._too_long(name)

    def _too_long(self, name: str) -> str:
        """Why a prompt cannot be sent to the embedded model, whose context nobody can lengthen; empty where it can."""
        base = self.context.case.spec.prompt.model("base")
        if name not in RECIPES or base is None or base.embedded is None:
            return ""
        template, count = self.templates[RECIPES[name].prompt], self._opened(base).count_tokens
        fitter = Fitter(template, self.codec.variables(), NoExamples(), base, count)
        bare = fitter.bare_tokens
        if bare <= fitter.room:
            return ""
        return (
            f"without a text or example its prompt has {bare:,} tokens, and {base.name} reads "
            f"{fitter.room:,} besides its answer; declare a model with a longer context in prompt.models"
        )

    def left_out(self) -> dict[str, str]:
        """Usual rungs that the embedded model is not asked for → why; none where `prompt.rungs` names the rungs."""
        spec = self.context.case.spec.prompt
        base = spec.model("base")
        if base is None or base.embedded is None or "rungs" in spec.model_fields_set:
            return {}
        return {
            "lm_chain_of_thought": f"reasoning takes {base.name} some 3 s a row; prompt.rungs may name it",
            "lm_constrained": f"every answer of {base.name} is held to the schema",
        }

    def warnings(self) -> list[str]:
        """A line per declared rung that cannot be made, shown before the first request."""
        missing = {name: self.lacking(name) for name in self.context.case.spec.prompt.rungs}
        return [f"{saved.title(name)} will not be measured: {why}" for name, why in missing.items() if why]

    def make(self, name: str, bought: Mapping[str, Bought], deadline: Deadline = WITHOUT_END) -> Prompted | NotMade:
        """A rung, ready to answer.

        Args:
            name: Which.
            bought: The rungs before it; the others are made of the best of these.
            deadline: Of a search for a better prompt on a model of this machine.

        Returns:
            The rung; or why it is not needed, or what is missing for it.
        """
        missing = self.lacking(name)
        if missing:
            return NotMade(missing, lacking=True)
        if name in RECIPES:
            return self._own(name)
        best = best_prompt(bought)
        if best is None:
            return NotMade("no prompt was measured before it", lacking=True)
        if name == OPTIMISED:
            return self._optimised(bought[best], deadline)
        return self._constrained(bought[best]) if name == "lm_constrained" else self._strong(bought[best])

    def forecasts(self, rows: Sequence[Row]) -> list[Forecast]:
        """What each declared rung would take; those made of the best are reckoned as the dearest of the others.

        Rungs that cannot be made take nothing, and are not among them. Rows that must not fail are asked too.
        """
        spec = self.context.case.spec.prompt
        possible = [name for name in spec.rungs if not self.lacking(name)]
        made: dict[str, Prompted] = {name: self._own(name) for name in possible if name in RECIPES}
        found = [self._forecast(name, rung, rows) for name, rung in made.items()]
        if not found:
            return found
        dearest = max(found, key=lambda forecast: forecast.input_tokens + forecast.output_tokens).name
        if "lm_constrained" in possible:
            found.append(self._forecast("lm_constrained", made[dearest].constrained_to_schema(), rows))
        strong = spec.model("strong")
        if "lm_strong" in possible and strong is not None:
            found.append(self._forecast("lm_strong", made[dearest].using(self._opened(strong), strong), rows))
        if OPTIMISED in possible:
            best, calls = made[dearest], spec.optimise_calls
            base = PricedModel(self._opened(best.spec), best.spec, self.models.price(best.spec))
            found.append(search_forecast(best, self._searched, rows, calls, base, self._reflecting))
        return found

    def _forecast(self, name: str, rung: Prompted, rows: Sequence[Row]) -> Forecast:
        case = self.context.case
        some = rows[: most_rows(case.spec.prompt, rung.spec, case.task.most_items())]
        return forecast(name, rung, [*some, *must_not_fail.declared(self.context)], self.models.price(rung.spec))

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

    def _optimised(self, best: Bought, deadline: Deadline) -> Prompted | NotMade:
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
            lambda: deadline.passed,
        )
        if deadline.passed and found.template.digest == best.rung.template.digest:
            return NotMade(f"the minutes of its search (prompt.max_minutes) are over, {effort_of(found)}", lacking=True)
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
        vectors = self._indexed(cached)
        if vectors is None or len(vectors) != len(texts):
            vectors = encoder.embed(texts, lambda done, total: at(done, total, "encoding examples"))
        cached.remember(texts, vectors)
        return cached

    def _indexed(self, embed: Embed) -> Floats | None:
        """Vectors of the train rows as a rung of the ladder keeps them; None where it was not measured."""
        if self._searched:
            return None
        folder = self.context.inputs.folder(f"ladder/rungs/{self.context.case.task.index_rung}")
        if not folder.is_dir():
            return None
        index: Floats = saved.load(folder, embed).index  # type: ignore[attr-defined]
        return index


def best_prompt(bought: Mapping[str, Bought]) -> str | None:
    """The best rung of the base model by quality; the earlier and cheaper of equals."""
    base = {name: each for name, each in bought.items() if each.count and each.rung.spec.role == "base"}
    return max(base, key=lambda name: _quality(base[name]), default=None)


def _quality(bought: Bought) -> float:
    """Micro F1 over the rows bought; 0 when nothing was answered and nothing expected, so that it is never the best."""
    value = micro_f1(bought.outcomes)
    return 0.0 if math.isnan(value) else value
