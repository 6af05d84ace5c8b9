from __future__ import annotations

import pytest

from tailtune.tasks.extraction.values.texts import chosen, text_forms, yes_or_no


def test_a_text_is_itself_and_then_without_what_stands_around_it() -> None:
    assert list(text_forms('"hood",', False)) == ['"hood",', "hood"]


@pytest.mark.parametrize(
    ("surface", "form"),
    [
        ("ab 1234567", "AB1234567"),
        ("no. AB-123 4567", "AB1234567"),
        ("cl 26 01234", "CL-26-01234"),
        ("CL2601234", "CL-26-01234"),
        ("#CL-26-01234.", "CL-26-01234"),
    ],
)
def test_ids_are_tried_in_every_plain_form(surface: str, form: str) -> None:
    assert form in list(text_forms(surface, True, dashed=True))


def test_choices_and_yes_no_are_named_in_any_case() -> None:
    assert chosen("Total-Loss ", ("minor", "total_loss")) == "total_loss"
    assert chosen("total", ("minor", "total_loss")) is None


@pytest.mark.parametrize(
    ("surface", "choices", "choice"),
    [
        ("c#", ("C", "C#"), "C#"),
        ("c", ("C#", "C"), "C"),
        ("c.", ("C", "C#"), None),
        ("a/b", ("a-b", "A/B"), "A/B"),
        ("a_b", ("a-b", "A/B"), None),
        ("FIRE", ("Fire", "fire"), None),
        (".", ("-", "x"), None),
    ],
)
def test_a_choice_is_named_by_what_can_be_no_other(surface: str, choices: tuple[str, ...], choice: str | None) -> None:
    assert chosen(surface, choices) == choice
    assert [yes_or_no(word) for word in ("Yes", "no.", "TRUE", "✓", "maybe", "")] == [
        True,
        False,
        True,
        True,
        None,
        None,
    ]
