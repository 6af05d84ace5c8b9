"""Reasoning before an answer is no answer, however it is marked."""

from __future__ import annotations

import pytest

from tailtune.predictors.prompted.codec import objects_in
from tailtune.predictors.prompted.reasoning import without_reasoning

ANSWER = '{"label": "a"}'
WRONG = 'It must look like {"label": "b"}, so\nb or a.'


@pytest.mark.parametrize(
    "reply",
    [
        ANSWER,
        f"<think>\n{WRONG}\n</think>\n\n{ANSWER}",
        f"<thinking>{WRONG}</thinking>{ANSWER}",
        f"<THINK>{WRONG}</THINK>{ANSWER}",
        f"<reasoning effort='low'>{WRONG}</reasoning>\n{ANSWER}",
        f"<seed:think>{WRONG}</seed:think>{ANSWER}",
        f"[THINK]{WRONG}[/THINK]{ANSWER}",
        f"◁think▷{WRONG}◁/think▷{ANSWER}",
        f"<|begin_of_thought|>{WRONG}<|end_of_thought|>{ANSWER}",
        f"{WRONG}\n</think>\n{ANSWER}",
        f"<think></think>{ANSWER}",
        f"<think>a <think> b </think> {WRONG}</think>{ANSWER}",
        f"<think>one</think>\n<think>{WRONG}</think>\n{ANSWER}",
        f"Let me see.\n<think>{WRONG}</think>\n{ANSWER}",
        f"{ANSWER}\n<think>{WRONG}</think>",
        f"{ANSWER}\n<think>{WRONG}",
        f"<|channel|>analysis<|message|>{WRONG}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
        f"<|channel|>final <|constrain|>json<|message|>{ANSWER}",
    ],
)
def test_the_answer_is_what_is_no_reasoning(reply: str) -> None:
    assert without_reasoning(reply) == ANSWER


@pytest.mark.parametrize(
    "reply",
    [
        f"<think>{WRONG}",
        f"<think>{WRONG}</think>",
        f"  \n<think>\n{WRONG}",
        f"<|channel|>analysis<|message|>{WRONG}",
        "",
    ],
)
def test_reasoning_alone_is_no_answer(reply: str) -> None:
    assert without_reasoning(reply) == ""


@pytest.mark.parametrize(
    "text",
    ["say <think> b </think> twice", "</think>", "<think>", "<|channel|>analysis<|message|>", "[THINK]"],
)
def test_marks_in_a_value_are_text(text: str) -> None:
    reply = '{"note": "' + text + '"}'
    assert objects_in(without_reasoning(reply)) == [{"note": text}]
