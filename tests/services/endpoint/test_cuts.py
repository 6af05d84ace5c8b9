from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.endpoint.helpers import ask
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import Reply
from tailtune.services.endpoint.cuts import cut_of, fewest_tokens

SPEC = LanguageModelSpec(name="small", endpoint="http://127.0.0.1:1/v1", max_output_tokens=512)
LONG = ask("word " * 4000)
READ = Reply("a", "stop", 2050, 3)


@pytest.mark.parametrize(
    ("prompt", "changes", "cut"),
    [
        (LONG, {}, "prompt"),
        (LONG, {"cached_input_tokens": 2000}, "prompt"),
        (LONG, {"input_tokens": 4100}, ""),
        (LONG, {"input_tokens": 3900}, ""),
        (LONG, {"usd_estimated": True}, ""),
        (LONG, {"input_tokens": None}, ""),
        (ask("給主人留下些什麼吧" * 900), {}, "prompt"),
        (ask("給主人留下些什麼吧" * 600), {}, ""),
        (ask("short"), {"input_tokens": 1}, ""),
        (ask("x" * 9000), {"input_tokens": 9}, ""),
        (ask("short"), {"finish": "length", "output_tokens": 400}, "answer"),
        (ask("short"), {"finish": "length", "output_tokens": 512}, ""),
        (ask("short"), {"finish": "length", "output_tokens": 900}, ""),
        (ask("short"), {"finish": "stop", "output_tokens": 400}, ""),
    ],
)
def test_it_is_seen_in_the_servers_own_figures(prompt: Any, changes: dict[str, Any], cut: str) -> None:
    assert cut_of(prompt, replace(READ, **changes), SPEC) == cut


def test_a_limit_that_is_not_sent_ends_no_answer_early() -> None:
    spec = SPEC.model_copy(update={"request": {"max_tokens": None}})
    assert cut_of(ask("short"), replace(READ, finish="length"), spec) == ""


def test_words_and_ideographs_are_the_fewest() -> None:
    assert fewest_tokens("three short words") == 3
    assert fewest_tokens("三個字符六個字") == 2
    assert fewest_tokens("") == 0
