"""models/README.md is what the specs say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from pydantic import BaseModel

from house.tree import MODELS, ROOT
from tailtune.config.model import SECTIONS, ModelSpec
from tailtune.config.prices import PriceSpec
from tailtune.tasks.table import TASKS

PAGE = (MODELS / "README.md").read_text(encoding="utf-8")
SCRIPT = runpy.run_path(str(ROOT / "infra" / "reference.py"))
entry_of, own_keys = SCRIPT["entry_of"], SCRIPT["own_keys"]


def keys(model: type[BaseModel]) -> list[str]:
    """Every key below a spec, sections first."""
    found = []
    for name, field in model.model_fields.items():
        found.append(field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += keys(field.annotation)
        if entry := entry_of(field):
            found += keys(entry)
    return found


def test_the_page_is_renewed() -> None:
    assert SCRIPT["reference"]() == PAGE, "run `make docs`"


def test_every_key_has_one_row_with_a_sentence() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| .* \| ([^|]*) \|$", PAGE, re.MULTILINE)
    sections = [name for name in SECTIONS if name not in {"task", "description"}]
    specs = [task.load_class().spec_type for task in TASKS.values()]
    own = [key for spec in specs for name in sections for key in own_keys(ModelSpec, spec, name)]
    assert {"label", "accuracy", "entities", "field_f1"} <= set(own)
    expected = [*keys(ModelSpec), *own, *keys(PriceSpec)]
    assert len(expected) > 40
    assert sorted(name for name, _ in rows) == sorted(expected)
    unsaid = [name for name, meaning in rows if not meaning.rstrip().endswith((".", ")"))]
    assert not unsaid, f"no sentence: {unsaid}"


def test_the_page_follows_the_order_of_the_spec() -> None:
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == [n for n in SECTIONS if n not in {"task", "description"}]


def test_a_row_says_type_default_and_range() -> None:
    """Told by hand once, so that a generator that drops a column is found."""
    assert "| `rank` | integer | `16` | ≥ 1, ≤ 256 | LoRA rank r. |" in PAGE
    assert "| `p99_ms` | number | null | > 0 |" in PAGE
    assert "| `file` | text | required |  |" in PAGE
    assert "| `when` | word | `auto` | `auto`, `always`, `never` |" in PAGE
    assert "| `data` | section | required |  |" in PAGE
    assert "| `train` | section | required; `{}` takes the defaults |  |" in PAGE


def test_the_script_of_make_docs_writes_this_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPT["PAGE"] == MODELS / "README.md"
    SCRIPT["main"].__globals__["PAGE"] = tmp_path / "README.md"
    SCRIPT["main"]()
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == PAGE
    assert "models/README.md" in capsys.readouterr().out
