"""What is prompted where nothing is declared, how many rows, and for how long."""

from __future__ import annotations

from tailtune.config.prompting import EMBEDDED, LanguageModelSpec, PromptSpec, most_minutes, most_rows

AFAR = LanguageModelSpec(name="large", role="strong", endpoint="http://127.0.0.1:9/v1")
NEAR = LanguageModelSpec(name="local", folder="lm/qwen")


def test_the_embedded_model_is_the_base_unless_the_file_says_otherwise() -> None:
    assert PromptSpec().model("base") == EMBEDDED
    assert PromptSpec().model("strong") is None
    assert PromptSpec(models=()).models == ()
    assert EMBEDDED.local and EMBEDDED.concurrency == 1


def test_rows_of_the_embedded_model_are_few_and_fixed_by_count() -> None:
    spec = PromptSpec()
    assert [most_rows(spec, EMBEDDED, fields) for fields in (1, 6, 45, 400)] == [100, 66, 8, 8]
    assert most_rows(spec, AFAR, 45) == most_rows(spec, NEAR, 45) == 1000
    assert most_rows(PromptSpec(embedded_rows=250), EMBEDDED, 45) == 250
    assert most_rows(PromptSpec(embedded_rows=250, max_rows=40), EMBEDDED) == 40


def test_minutes_hold_for_models_on_this_machine() -> None:
    assert [most_minutes(PromptSpec(), model) for model in (EMBEDDED, NEAR, AFAR)] == [10, None, None]
    assert [most_minutes(PromptSpec(max_minutes=3), model) for model in (EMBEDDED, NEAR, AFAR)] == [3, 3, None]
