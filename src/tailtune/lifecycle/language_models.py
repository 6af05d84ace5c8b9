"""The language models of a stage: opened with the kept answers, the price and the budget that they share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from tailtune.config.prices import PriceSpec, TokenPrice, load_prices
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import Fault, SpecError
from tailtune.core.language import LanguageModel
from tailtune.lifecycle.context import Context
from tailtune.predictors.base import Predictor
from tailtune.predictors.prompted.opening import open_model
from tailtune.predictors.prompted.rung import Prompted
from tailtune.services.endpoint import AnswerCache, Budget
from tailtune.tasks.use_case import UseCase


@dataclass(frozen=True)
class LanguageModels:
    """One per stage run that may ask language models.

    Attributes:
        root: What folders of local models are relative to.
        prices: Of tokens.
        answers: File that keeps answers of earlier runs; opened when a model is.
        budget: What the stage may spend, and what it has spent.
    """

    root: Path
    prices: PriceSpec
    answers: Path
    budget: Budget
    _cache: list[AnswerCache] = field(default_factory=list)

    @property
    def cache(self) -> AnswerCache:
        """Answers kept from earlier runs.

        Raises:
            TailTuneError: The file cannot be used.
        """
        if not self._cache:
            self._cache.append(AnswerCache(self.answers))
        return self._cache[0]

    def close(self) -> None:
        """Let go of the kept answers."""
        while self._cache:
            self._cache.pop().close()

    def open(self, spec: LanguageModelSpec, fresh: bool = False) -> LanguageModel:
        """A model that pays from the budget and asks the kept answers first, unless fresh ones are wanted."""
        return open_model(spec, self.root, self.price(spec), None if fresh else self.cache, self.budget)

    def connected(self, predictor: Predictor) -> Predictor:
        """A saved predictor as it is; a prompted one joined to kept answers and budget."""
        if not isinstance(predictor, Prompted):
            return predictor
        return replace(predictor.using(self.open(predictor.spec), predictor.spec), name=predictor.name)

    def price(self, spec: LanguageModelSpec) -> TokenPrice | None:
        """What its tokens cost; None when no price is declared."""
        return None if spec.price is None else self.prices.tokens.get(spec.price)


@contextmanager
def language_models(context: Context) -> Iterator[LanguageModels]:
    """What one stage run asks language models with: kept answers, prices and a full budget.

    Raises:
        SpecError: A model names a price that prices.yaml does not have.
    """
    prices = load_prices(context.project)
    faults = price_faults(context.case, prices)
    if faults:
        raise SpecError(faults, f"tailtune check {context.case.name}")
    budget = Budget(context.case.spec.prompt.max_cost_usd)
    context.budgets.append(budget)  # so that the run's bill holds what it buys, however the run ends
    models = LanguageModels(
        context.settings.weights_root(context.project),
        prices,
        context.settings.answers_file(context.project),
        budget,
    )
    try:
        yield models
    finally:
        models.close()


def price_faults(case: UseCase, prices: PriceSpec) -> list[Fault]:
    """Models whose price is named and not declared."""
    faults = []
    for model in case.spec.prompt.models:
        if model.price is None or model.price in prices.tokens:
            continue
        near = get_close_matches(model.price, prices.tokens, n=1)
        there = ", ".join(prices.tokens) or "none"
        meant = f"did you mean {near[0]}?" if near else f"there is {there}"
        shown = case.paths.project.shown(case.paths.model_yaml)
        faults.append(
            Fault(shown, f"prompt.models: {model.name} has price `{model.price}`, not in models/prices.yaml; {meant}")
        )
    return faults
