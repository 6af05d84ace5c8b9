"""The page on which people look at messages: every kind is there, and no text is markup."""

from __future__ import annotations

import runpy
from html import escape
from pathlib import Path
from typing import get_args

from doubles.block_kit import faults, texts

from tailtune.core.alerts import MessageKind
from tailtune.report import slack

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "infra" / "slack_page.py"))


def test_every_kind_of_message_is_drawn_and_taken_by_slack() -> None:
    messages = SCRIPT["messages"]()
    assert {message.kind for message in messages} == set(get_args(MessageKind))
    assert [faults(slack.message(message)) for message in messages] == [[]] * len(messages)
    page = SCRIPT["page"](messages)
    assert page.count("<div class=message>") == len(messages)
    assert "&lt;\u2060!channel&gt;" in page and "<!channel" not in page
    for text in texts([slack.blocks(message) for message in messages]):
        assert text[:1] in SCRIPT["_SIGNS"] or escape(text) in page
