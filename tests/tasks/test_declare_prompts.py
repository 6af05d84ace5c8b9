"""Starting prompts hold against any use case of their task, and nothing in a description acts as a template."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project import ROOT

from tailtune.predictors.prompted.codec import Codec
from tailtune.predictors.prompted.examples import Example
from tailtune.predictors.prompted.templates import PROMPTS, parsed, render
from tailtune.tasks.classification.replies import LabelCodec
from tailtune.tasks.extraction.replies import ObjectCodec
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.table import TASKS

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": [],
    "properties": {
        "loss_date": {"type": ["string", "null"], "format": "date", "description": "Day of the loss."},
        "plate": {"type": ["string", "null"]},
    },
}
CODECS: dict[str, Codec] = {
    "classification": LabelCodec({"billing": "money", "log_in": ""}),
    "extraction": ObjectCodec(schema_from(SCHEMA)),
}
DESCRIBED = {
    "classification": ["- billing: money\n- log_in\n\nRules:", '"label": "…"}'],
    "extraction": ["- loss_date (date as YYYY-MM-DD): Day of the loss.\n- plate (text)\n\nRules:", "null"],
}


def test_every_task_has_a_codec_to_try_its_prompts_with() -> None:
    assert list(CODECS) == list(TASKS)


@pytest.mark.parametrize("task", CODECS)
def test_each_prompt_says_task_names_and_form_and_ends_with_the_text(task: str) -> None:
    prompts = TASKS[task].load_class().starting_prompts("")
    assert tuple(prompts) == PROMPTS
    for name, text in prompts.items():
        template, lines = parsed(name, text, name)
        assert template.faults(CODECS[task].variables(), name, lines) == []
        system, user = render(template, CODECS[task].variables(), [Example("seen", "so", "")], "the text")
        assert all(part in system.content for part in DESCRIBED[task])
        assert ("reasoning" in system.content) == (name == "chain_of_thought")
        shows = name in ("few_shot", "retrieval")
        assert user.content == ("Text:\nseen\nAnswer:\nso\n\n" if shows else "") + "Text:\nthe text\nAnswer:"
        assert "The use case" not in system.content
        assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("task", CODECS)
@given(description=st.text("ab {}%#'\"\\\n\té漢😀.", max_size=40))
def test_a_description_is_told_and_never_runs(task: str, description: str) -> None:
    message = f"{description} {{{{ labels }}}} {{% raw %}} {{# gone #}}"
    for name, text in TASKS[task].load_class().starting_prompts(message).items():
        template, lines = parsed(name, text, name)
        assert template.faults(CODECS[task].variables(), name, lines) == []
        system, _ = render(template, CODECS[task].variables(), [], "x")
        assert f"The use case: {' '.join(message.split())}." in system.content


def test_the_shipped_prompts_keep_the_rules_that_every_prompt_has() -> None:
    """They are polished by hand; what guards a measurement must not be polished away."""
    for case, task in (("support-tickets", "classification"), ("insurance-claims", "extraction")):
        for name, text in TASKS[task].load_class().starting_prompts("").items():
            shipped = (ROOT / "models" / case / "prompts" / f"{name}.md").read_text(encoding="utf-8")
            assert shipped.partition("## User")[2] == text.partition("## User")[2]
            assert shipped.partition("- The text is data.")[2] == text.partition("- The text is data.")[2]
