"""The language models of a stage, opened with the answers, prices and budget that they share; and their weights.

DVC does not watch the weights of a local model: the report of `prompt` notes the digests of what was measured, and
later stages refuse other weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from tailtune.config.endpoints import Address, declared_addresses, require_declared
from tailtune.config.prices import PriceSpec, TokenPrice, load_prices
from tailtune.config.prompting import LanguageModelSpec, PromptSpec
from tailtune.core.errors import Fault, MissingInputError, ServiceError, SpecError
from tailtune.core.language import LanguageModel
from tailtune.core.reports import PromptReport
from tailtune.lifecycle.context import Context
from tailtune.predictors.base import Predictor
from tailtune.predictors.prompted.embedded import changed, folders
from tailtune.predictors.prompted.opening import open_model
from tailtune.predictors.prompted.rung import Prompted
from tailtune.predictors.prompted.weights import digest_of, holds
from tailtune.services import store
from tailtune.services.endpoint import AnswerCache, Budget
from tailtune.tasks.use_case import UseCase


@dataclass(frozen=True)
class LanguageModels:
    """One per stage run that may ask language models.

    Attributes:
        root: What folders of local models are relative to.
        prices: Of tokens.
        answers: File that keeps answers of earlier runs; opened with the first model.
        budget: What the stage may spend, and what it has spent.
        declared: Endpoints that may be asked, each with the variable of its key.
        spec_file: Where they are declared, for messages.
        on_wait: Is shown a line when an endpoint's rate limit asks to wait.
    """

    root: Path
    prices: PriceSpec
    answers: Path
    budget: Budget
    declared: frozenset[Address]
    spec_file: str
    on_wait: Callable[[str], None] | None = None
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
        """Close the file of kept answers."""
        while self._cache:
            self._cache.pop().close()

    def open(self, spec: LanguageModelSpec, fresh: bool = False) -> LanguageModel:
        """A model that pays from the budget, and looks among the kept answers first unless only fresh ones will do.

        Raises:
            UndeclaredEndpointError: It is a stored version's, and its endpoint is not declared here.
            TailTuneError: A local model's folder cannot be used.
        """
        if spec.endpoint is not None:
            require_declared(spec.name, Address.of(spec.endpoint, spec.key_env), self.declared, self.spec_file)
        cache = None if fresh else self.cache
        return open_model(spec, self.root, self.price(spec), cache, self.budget, self.on_wait)

    def connected(self, predictor: Predictor) -> Predictor:
        """A saved predictor as it is; a prompted one with the kept answers and the budget."""
        if not isinstance(predictor, Prompted):
            return predictor
        return replace(predictor.using(self.open(predictor.spec), predictor.spec), name=predictor.name)

    def price(self, spec: LanguageModelSpec) -> TokenPrice | None:
        """What its tokens cost; None when no price is declared."""
        return None if spec.price is None else self.prices.tokens.get(spec.price)


@contextmanager
def language_models(context: Context, max_usd: float | None = None) -> Iterator[LanguageModels]:
    """Kept answers, prices and a full budget, for one stage run to ask language models with.

    Args:
        context: Of the run.
        max_usd: What may be spent, US dollars; what the use case allows when None.

    Raises:
        SpecError: A model names a price that prices.yaml does not have.
    """
    prices = load_prices(context.project)
    faults = price_faults(context.case, prices)
    if faults:
        raise SpecError(faults, f"tailtune check {context.case.name}")
    budget = Budget(context.case.spec.prompt.max_cost_usd if max_usd is None else max_usd)
    context.budgets.append(budget)  # so that what it buys is counted, however the run ends
    models = LanguageModels(
        context.settings.weights_root(context.project),
        prices,
        context.settings.answers_file(context.project),
        budget,
        declared_addresses(context.case.spec.prompt.models, context.settings.endpoints),
        context.project.shown(context.paths.model_yaml),
        context.progress.say,
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


def weight_digests(context: Context) -> dict[str, str]:
    """Declared model in a folder → digest of its config, tokenizer and weights.

    Raises:
        MissingInputError: A folder does not hold a model.
    """
    found = folders(context.case.spec.prompt, context.settings.weights_root(context.project))
    if not found:
        return {}
    from tailtune.predictors.prompted.local.model import require_model

    for folder in found.values():
        require_model(folder)
    return {name: digest_of(folder) for name, folder in found.items()}


def require_unchanged_weights(context: Context) -> None:
    """Make sure that the prompts were measured with the weights that are there now.

    Raises:
        MissingInputError: They were not, or the weights are gone.
    """
    case, path = context.case, context.paths.report("prompt")
    noted = store.read_report(path, PromptReport, case.name).weights if path.is_file() else {}
    for name, folder in changed(case.spec.prompt, context.settings.weights_root(context.project), noted).items():
        what = "changed" if folder.is_dir() else "are gone"
        raise MissingInputError(
            f"{context.project.shown(folder)}: the weights of {name} {what} since the prompts were measured "
            f"({noted[name][:12]})",
            f"tailtune run {case.name}",
        )


def restore_weights(
    prompt: PromptSpec, noted: Mapping[str, str], here: Path, packed: Callable[[], Path | None], into: Path
) -> Path:
    """Bring together the local models that were measured: from where they are now, or from a registered version.

    Args:
        prompt: What was declared then.
        noted: Model → digest, as reported then.
        here: What folders of local models are relative to now.
        packed: Fetches the model that was stored with the version; None when none was.
        into: A folder for links, used when `here` does not have them all.

    Returns:
        What the declared folders are relative to.

    Raises:
        ServiceError: A model is neither here nor in the version.
    """
    lacking = changed(prompt, here, noted)
    if not lacking:
        return here
    for model in prompt.models:
        if model.embedded is not None and model.name in lacking:
            raise ServiceError(
                f"{model.name}: not the embedded model that was measured ({noted[model.name][:12]})",
                "install the version of it that this one was made with",
            )
    stored = packed()
    measured = {model.name: model.folder for model in prompt.models if model.folder is not None and model.name in noted}
    for name, folder in measured.items():
        source = stored if name in lacking else here / folder
        place = Path(os.path.normpath(into / folder))
        if source is None or not holds(source, noted[name]) or not place.is_relative_to(into):
            raise ServiceError(
                f"{folder}: not the weights of {name} that were measured ({noted[name][:12]})",
                f"put them back into {folder}, then run the same command again",
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink():  # two models may be in one folder
            place.symlink_to(source.absolute(), target_is_directory=True)
    return into
