"""A use case of before, without prompts and without a declared model, sends the starting prompts."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.checkout import checkout

from tailtune.core.errors import MissingInputError
from tailtune.tasks.prompts import has_own_prompts, templates_of
from tailtune.tasks.use_case import load_use_case


def test_without_files_and_models_the_starting_prompts_are_sent(tmp_path: Path) -> None:
    paths = checkout(tmp_path / "checkout")
    case = load_use_case(paths, "first")
    assert not has_own_prompts(case) and not case.paths.prompts.exists()
    assert {"zero_shot", "few_shot", "retrieval"} <= templates_of(case, case.task.codec()).keys()
    text = case.paths.model_yaml.read_text()
    section = next(line for line in text.splitlines() if line.startswith("prompt:"))
    case.paths.model_yaml.write_text(text.replace(section, "prompt:\n  models: [{name: a, folder: b}]"))
    case = load_use_case(paths, "first")
    with pytest.raises(MissingInputError, match="no such file, and the rung"):
        templates_of(case, case.task.codec())
