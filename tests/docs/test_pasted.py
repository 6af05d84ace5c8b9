"""Every block of README and guides works as printed: YAML is pasted into its file, names are declared, JSON parses."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from docs.pages import FENCE, ROOT, commands, pages
from tailtune.config.paths import Paths
from tailtune.config.prices import load_prices
from tailtune.lifecycle.language_models import price_faults
from tailtune.tasks.use_case import load_use_case

GUIDES = [page for page in pages() if page == "README.md" or page.startswith("docs/guides/")]
KINDS = {"", "bash", "console", "yaml", "json", "python"}
OPTIONAL_SECTIONS = {"serve", "monitor", "retrain"}
SHIPPED = {"support-tickets", "insurance-claims"}
NAMED = {"check", "run", "show", "prompts", "verdict", "reproduce", "sample", "prompt", "diagnose", "cost", "register"}
"""Commands of `tailtune` whose first word is a use case."""


def fences(page: str, kind: str) -> list[str]:
    return [match[3] for match in FENCE.finditer(pages()[page]) if match[1] == kind]


def paste(block: str, root: Path) -> str:
    """Put a block's sections in the place of those of the same name in its file, as the pages say. Returns the file."""
    head = re.match(r"# (models/(?:prices|[a-z-]+/model)\.yaml)\n", block)
    assert head, f"a YAML block begins with the file it belongs in:\n{block}"
    file = root / head[1]
    text = file.read_text(encoding="utf-8")
    for section in yaml.safe_load(block):
        text, times = re.subn(rf"^{section}:.*\n(?:(?:[ #].*)?\n)*", "", text, flags=re.MULTILINE)
        assert times == 1 or section in OPTIONAL_SECTIONS, f"{head[1]} has no section {section}"
    file.write_text(text + block, encoding="utf-8")
    return head[1]


def checkout(root: Path) -> Paths:
    """The shipped use cases, and one of one's own that was declared from the same file."""
    shutil.copytree(ROOT / "models", root / "models")
    shutil.copytree(ROOT / "models/support-tickets", root / "models/my-tickets")
    shutil.copy(ROOT / "dvc.yaml", root)
    return Paths(root)


@pytest.mark.parametrize("page", [page for page in GUIDES if fences(page, "yaml")])
def test_yaml_is_pasted_and_holds(page: str, tmp_path: Path) -> None:
    paths = checkout(tmp_path / "checkout")
    for block in fences(page, "yaml"):
        file = paste(block, paths.root)
        for name in ("support-tickets", "my-tickets"):
            case = load_use_case(paths, name)
            assert not price_faults(case, load_prices(paths)), f"{page}: {file}\n{block}"


def test_a_model_that_a_page_declares_has_the_price_that_the_page_declares(tmp_path: Path) -> None:
    paths = checkout(tmp_path / "checkout")
    for block in fences("README.md", "yaml")[:2]:
        paste(block, paths.root)
    prices = load_prices(paths)
    models = load_use_case(paths, "support-tickets").spec.prompt.models
    assert [model.price in prices.tokens for model in models] == [True, True]


@pytest.mark.parametrize("page", GUIDES)
def test_blocks_are_of_a_kind_that_is_pasted_here(page: str) -> None:
    assert {match[1] for match in FENCE.finditer(pages()[page])} <= KINDS
    for block in fences(page, "json"):
        json.loads(block)


@pytest.mark.parametrize("page", [page for page in GUIDES if fences(page, "python")])
def test_python_is_python_and_imports_what_there_is(page: str) -> None:
    for block in fences(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("page", GUIDES)
def test_a_use_case_has_a_name_that_was_declared(page: str) -> None:
    declared = SHIPPED | {"my-tickets", "my-claims"}  # README's own blocks declare these two
    used = [words for command in commands() if command.page == page for words in command.programs]
    names = {words[2] for words in used if words[0] == "tailtune" and len(words) > 2 and words[1] in NAMED}
    names = {name.partition("@")[0] for name in names if not name.startswith("-") and name.islower()}
    assert names - {"add"} <= declared


def test_the_files_that_the_readme_reads_are_in_a_checkout_or_written_by_it() -> None:
    written = {"data/support-tickets/tickets.jsonl", "data/insurance-claims/claims.jsonl"}
    for words in (words for command in commands() if command.page == "README.md" for words in command.programs):
        for option in ("--from", "--schema", "--truth"):
            if option in words:
                file = words[words.index(option) + 1]
                assert file in written or (ROOT / file).is_file() or file == "FILE", shlex.join(words)


def test_bodies_of_requests_are_json() -> None:
    bodies = [
        words[words.index("-d") + 1]
        for command in commands()
        if command.page in GUIDES
        for words in command.programs
        if words[0] == "curl" and "-d" in words
    ]
    assert bodies
    for body in bodies:
        json.loads(body)
