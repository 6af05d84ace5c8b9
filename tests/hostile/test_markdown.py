"""Labels, rows, slices and providers' words in Markdown: nothing of theirs links, loads or is HTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tailtune.report.markdown import literal
from tailtune.report.sections import Fact, Section

LIVE = {"image", "link_open", "html_inline", "html_block"}
HOSTILE = [
    "![x](https://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "[x][y]\n\n[y]: https://evil.example",
    "`a\n\n![x](https://evil.example)`",
    "<img src=https://evil.example/p.png>",
    "</td><script>alert(1)</script>",
    "<https://evil.example>",
    "a` ![x](https://evil.example) `",
    "`` ` `` ![x](https://evil.example) `",
    "\\` ![x](https://evil.example) `",
    "\\![x](https://evil.example)",
    "\\[x](https://evil.example)",
    "&lt;b&gt;",
]


def live(markdown: str) -> set[str]:
    tokens = MarkdownIt().parse(markdown)
    return {each.type for token in tokens for each in (token, *(token.children or ()))} & LIVE


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_shown_as_it_is(text: str) -> None:
    assert not live(literal(text))
    section = Section("Rows", text, (Fact(text, text, lead=text), Fact(f"`{text}`")))
    assert not live(section.markdown())


@given(st.text("`\\![]()<>ax:/& ", max_size=24))
def test_no_text_links_or_loads(text: str) -> None:
    assert not live(literal(text))


def test_what_is_code_stays_code() -> None:
    assert literal("run `tailtune new NAME [--text COLUMN]` for a < b") == (
        "run `tailtune new NAME [--text COLUMN]` for a &lt; b"
    )
