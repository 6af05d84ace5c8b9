"""The glossary: one sentence a term, every word that people are shown, and nothing that nobody uses."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import get_args

import pytest
from pydantic import BaseModel

from docs.pages import ROOT, pages
from tailtune.cli.app import cli
from tailtune.config.model import ModelSpec
from tailtune.config.prompting import PROMPT_RUNGS
from tailtune.core.measures import MEASURES
from tailtune.core.reports import Verdict
from tailtune.lifecycle.table import FAMILIES, STAGES
from tailtune.tasks.table import TASKS

PAGE = "docs/glossary.md"
WORDS = ROOT / "src/tailtune/report/html/templates/words.html.j2"
LADDER_ORDER = "The rungs by name"


@cache
def groups() -> dict[str, dict[str, str]]:
    """Heading → term → its sentence."""
    made = {}
    for section in pages()[PAGE].split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        entries = re.findall(r"^- \*\*(.+?)\*\*: ((?:.|\n)+?)(?=\n- |\s*\Z)", text, re.MULTILINE)
        assert len(entries) == text.count("\n- "), f"{heading}: an entry is written otherwise"
        made[heading] = {term: " ".join(meaning.split()) for term, meaning in entries}
    assert made
    return made


@cache
def terms() -> dict[str, str]:
    return {term: meaning for entries in groups().values() for term, meaning in entries.items()}


@cache
def everything_else() -> str:
    """All other pages, the product's code and its templates, in small letters."""
    files = [path for pattern in ("*.py", "*.j2") for path in (ROOT / "src").rglob(pattern) if path.name != WORDS.name]
    texts = [text for page, text in pages().items() if page != PAGE]
    return " ".join(" ".join([*texts, *(path.read_text(encoding="utf-8") for path in files)]).lower().split())


def test_a_term_has_one_entry_of_one_sentence() -> None:
    assert sum(map(len, groups().values())) == len(terms()), "a term stands in two groups"
    for term, meaning in terms().items():
        assert meaning.endswith("."), term
        assert not re.search(r"[.!?] [A-Z]", meaning), f"{term}: more than a sentence"


def test_terms_are_in_alphabetical_order() -> None:
    for heading, entries in groups().items():
        if heading != LADDER_ORDER:
            assert list(entries) == sorted(entries, key=str.casefold), heading


@pytest.mark.parametrize("term", terms())
def test_a_term_is_used(term: str) -> None:
    words = [word for word in re.split(r", | \(|\)", term.lower()) if word]
    assert [word for word in words if word not in everything_else()] == []


def test_every_rung_is_explained_in_the_order_of_the_ladder() -> None:
    ladder = [kind.name for entry in TASKS.values() for kind in entry.rungs]
    fine_tunes = dict.fromkeys(entry.fine_tune.name for entry in TASKS.values())
    assert list(groups()[LADDER_ORDER]) == [*ladder, *PROMPT_RUNGS, *fine_tunes]


def test_every_stage_and_verdict_is_a_term() -> None:
    shown = {stage.name for stage in STAGES} | {verdict.replace("-", " ") for verdict in get_args(Verdict)}
    assert shown - {term.replace("-", " ") for term in terms()} == set()


def test_every_family_task_and_measure_is_explained() -> None:
    text = " ".join([*terms(), *terms().values()]).lower()
    shown = [*FAMILIES, *TASKS, *(measure.title.lower() for measure in MEASURES.values())]
    assert [word for word in shown if word not in text] == []


def test_every_key_that_an_entry_names_is_one_of_model_yaml() -> None:
    specs = [entry.load_class().spec_type for entry in TASKS.values()]
    known = {f"{section}.{key}" for spec in specs for section in spec.model_fields for key in _keys(spec, section)}
    sections = set(ModelSpec.model_fields)
    spans = re.findall(r"`(\w+)\.(\w+)`", pages()[PAGE].replace("`data.dvc`", ""))
    named = [f"{section}.{key}" for section, key in spans if section in sections]
    assert len(named) > 10
    assert [key for key in named if key not in known] == []


def _keys(spec: type[ModelSpec], section: str) -> list[str]:
    kind = spec.model_fields[section].annotation
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def test_the_page_explains_its_words_as_the_glossary_does() -> None:
    template = WORDS.read_text(encoding="utf-8")
    shown = {
        html.unescape(term): html.unescape(text) for term, text in re.findall(r"<dt>(.+)</dt><dd>(.+)</dd>", template)
    }
    assert len(shown) > 15
    for term, text in shown.items():
        assert text == re.sub(r"[`*]", "", terms()[term]), term


def test_readme_and_help_lead_to_the_glossary() -> None:
    assert f"]({PAGE})" in pages()["README.md"]
    assert PAGE in (cli.info.epilog or "")
