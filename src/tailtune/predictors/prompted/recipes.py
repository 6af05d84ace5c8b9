"""How each kind of prompting is put together: which prompt file, which examples, with reasoning or without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import LanguageModel
from tailtune.predictors.base import FitContext
from tailtune.predictors.prompted.codec import Codec
from tailtune.predictors.prompted.examples import Choice
from tailtune.predictors.prompted.rung import PromptContext, Prompted
from tailtune.predictors.prompted.templates import Template


@dataclass(frozen=True, slots=True)
class Recipe:
    """One per prompted rung that stands on its own; the others are made of the best of these.

    Attributes:
        prompt: Its prompt file.
        examples: How its examples are chosen.
        reasoning: Whether the model reasons in a few words before it answers.
    """

    prompt: str
    examples: Choice = "none"
    reasoning: bool = False


RECIPES: Mapping[str, Recipe] = {
    "lm_zero_shot": Recipe("zero_shot"),
    "lm_few_shot": Recipe("few_shot", "coverage"),
    # Examples have no reasoning to show, and a model does as its examples do: step by step goes without.
    "lm_chain_of_thought": Recipe("chain_of_thought", reasoning=True),
    "lm_retrieval": Recipe("retrieval", "nearest"),
}


def build(
    name: str,
    templates: Mapping[str, Template],
    codec: Codec,
    fitting: FitContext,
    model: LanguageModel,
    spec: LanguageModelSpec,
    shots: int,
) -> Prompted:
    """A prompted rung, ready to answer.

    Args:
        name: One of `RECIPES`.
        templates: Prompt file → template.
        codec: Of the use case.
        fitting: The rows it may show, and the encoder.
        model: Who answers.
        spec: What was declared of it.
        shots: Examples of a prompt.
    """
    recipe = RECIPES[name]
    context = PromptContext(
        rows=fitting.rows,
        embed=fitting.embed,
        seed=fitting.seed,
        name=name,
        template=templates[recipe.prompt],
        codec=codec,
        model=model,
        spec=spec,
        shots=shots,
        choice=recipe.examples,
        reasoning=recipe.reasoning,
    )
    return Prompted.fit(context)
