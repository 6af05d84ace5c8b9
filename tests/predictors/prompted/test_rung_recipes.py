"""Each rung that stands on its own is made of its own prompt file and examples."""

from __future__ import annotations

import pytest
from tasks.classification.contract import context

from predictors.prompted.scripted import CODEC, SHOWING, SPEC, Scripted
from tailtune.config.prompting import EMBEDDED, PROMPT_RUNGS
from tailtune.predictors.prompted.rung import RECIPES, build
from tailtune.predictors.prompted.templates import PROMPTS
from tailtune.tasks import saved

TEMPLATES = {name: SHOWING.with_system(f"This is {name}.", name) for name in PROMPTS}


def test_every_prompt_file_has_its_rung() -> None:
    assert [recipe.prompt for recipe in RECIPES.values()] == list(PROMPTS)
    assert list(RECIPES) == [f"lm_{name}" for name in PROMPTS]
    assert set(RECIPES) < set(PROMPT_RUNGS)
    assert {name for name, kind in saved.RUNG_KINDS.items() if kind.where.startswith("predictors.prompted.")} == set(
        PROMPT_RUNGS
    )


@pytest.mark.parametrize(
    ("name", "shown", "reasons"),
    [
        ("lm_zero_shot", 0, False),
        ("lm_few_shot", 3, False),
        ("lm_chain_of_thought", 0, True),
        ("lm_retrieval", 3, False),
    ],
)
def test_a_rung_sends_its_prompt_with_its_examples(name: str, shown: int, reasons: bool) -> None:
    model = Scripted([CODEC.shown("billing"), '{"reasoning": "So.", "label": "billing"}'])
    made = build(name, TEMPLATES, CODEC, context(), model, SPEC, 3)
    assert (made.name, made.template.name, made.spec) == (name, name.removeprefix("lm_"), SPEC)
    assert [one.answer.value for one in (*made.ask(["a"]), *made.constrained_to_schema().ask(["a"]))] == [
        "billing",
        "billing",
    ]
    assert model.requests[0].messages[0].content == f"This is {made.template.name}."
    assert model.requests[0].messages[1].content.count("Answer:") == shown + 1
    schema = model.requests[1].schema
    assert schema is not None
    assert ("reasoning" in schema["properties"]) == reasons


def test_few_shot_shows_all_labels_and_retrieval_what_is_near() -> None:
    fitting = context()
    few = build("lm_few_shot", TEMPLATES, CODEC, fitting, Scripted(), SPEC, 3)
    near = build("lm_retrieval", TEMPLATES, CODEC, fitting, Scripted(), SPEC, 3)
    text = "invoice charge card please"
    assert {one.label for one in few.examples_for([text])[0]} == set(fitting.labels)
    assert {one.label for one in near.examples_for([text])[0]} == {"billing"}
    assert (few.fit_rows, near.fit_rows) == (3, len(fitting.rows))
    assert build("lm_few_shot", TEMPLATES, CODEC, fitting, Scripted(), SPEC, 2).note.startswith("examples show 2 of 3")


def test_the_embedded_model_is_always_held_to_the_schema() -> None:
    model = Scripted([CODEC.shown("billing")])
    build("lm_zero_shot", TEMPLATES, CODEC, context(), model, EMBEDDED, 3).ask(["a"])
    assert model.requests[0].schema == CODEC.schema(False)
