"""`tailtune prompts` writes what is missing, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.checkout import checkout, environment, tree
from tailtune.cli.new import write_missing_prompts
from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError
from tailtune.predictors.prompted.templates import PROMPTS, load_templates
from tailtune.tasks.use_case import load_use_case


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    environment(monkeypatch, tmp_path / "checkout", tmp_path / "site")
    return checkout(tmp_path / "checkout")


def test_all_prompts_are_written_with_the_use_cases_description(paths: Paths) -> None:
    case = paths.case("first")
    text = case.model_yaml.read_text(encoding="utf-8")
    case.model_yaml.write_text(f"description: Sort the post\n{text}", encoding="utf-8")
    lines = write_missing_prompts(paths, "first")
    assert lines == [f"models/first/prompts/{name}.md  written; read it, and make it yours" for name in PROMPTS]
    loaded = load_use_case(paths, "first")
    templates = load_templates(loaded, loaded.task.codec())
    assert tuple(templates) == PROMPTS
    assert all("The use case: Sort the post." in template.system for template in templates.values())


def test_what_is_there_is_left_as_it_is(paths: Paths) -> None:
    folder = paths.case("first").prompts
    folder.mkdir()
    (folder / "few_shot.md").write_text("mine", encoding="utf-8")
    lines = write_missing_prompts(paths, "first")
    assert [line.split("  ")[1] for line in lines].count("is there, left as it is") == 1
    assert (folder / "few_shot.md").read_text(encoding="utf-8") == "mine"
    before = tree(paths.root)
    assert all(line.endswith("is there, left as it is") for line in write_missing_prompts(paths, "first"))
    assert tree(paths.root) == before


def test_no_such_use_case(paths: Paths) -> None:
    with pytest.raises(UsageError, match="no use case `frist`; did you mean first"):
        write_missing_prompts(paths, "frist")
