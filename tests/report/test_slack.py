"""A message as Slack draws it: what an engineer on call needs, within Slack's limits, whatever texts rows have."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from doubles.block_kit import faults, texts
from hypothesis import given
from hypothesis import strategies as st
from worlds.alarming import HOUR_US, NOON_US, alert

from tailtune.core.alerts import CAUSES, SEVERITIES, Alert, Message
from tailtune.core.records import Estimate
from tailtune.report import slack

KINDS = ("alert", "escalation", "return", "reminder", "recovery", "outcome", "test")
FULL = alert(
    severity="critical",
    moved=("12.4 % (10.9–14.0) of rows are unlike anything in training; 3.1 % before", "refund: +6.2 points"),
    accuracy=Estimate(value=0.862, low=0.831, high=0.89, rows=1200),
    accuracy_by="from the model's own confidence; cannot see labels that changed their meaning",
    examples=("where is my crypto wallet", "the app wants a passkey"),
    links={"report": "https://example.com/r.html", "MLflow run": "http://127.0.0.1:5500/#/x", "file": "/srv/r.html"},
    next_step="Label the 50 rows of the audit: tailtune audit inbox --rows 50",
)


def about(kind: str = "alert", of: Alert = FULL, **values: Any) -> Message:
    made = {"trouble": 17, "number": 2, "at_us": NOON_US + 50 * HOUR_US, "since_us": NOON_US, "kind": kind}
    return Message(alert=of, **{**made, **values})


def shown(message: Message) -> str:
    return "\n".join(texts(slack.blocks(message)))


def test_an_alert_says_what_is_wrong_how_bad_and_what_to_do() -> None:
    lines = shown(about()).splitlines()
    assert lines[0] == "🔴 Critical: inbox: 12 % of rows are unlike anything in training"
    assert lines[1] == "inbox · version 3 · drift · seen 2024-10-04 12:00 UTC"
    assert lines[2:5] == ["What moved", *FULL.moved]
    assert lines[5:8] == ["Estimated accuracy", "86.2 % (83.1–89.0)", f"  {FULL.accuracy_by}"]
    assert lines[8:11] == ["Two examples", *FULL.examples]
    assert lines[11:14] == ["What happens next", *re.split(r"(?<=: )", FULL.next_step)]
    assert [line for line in lines[14:] if line.strip(" ·")] == [
        "report",
        "MLflow run",
        "file: /srv/r.html",
        "Message 17.2 · 2024-10-06 14:00 UTC · twice the same number is one message · tailtune alerts inbox",
    ]


@pytest.mark.parametrize(
    ("message", "head", "lead"),
    [
        (about("escalation", before="warning"), "🔴 Worse, critical: ", "It was a warning when it was last sent"),
        (about("escalation", before="critical"), "🔴 Worse, critical: ", "It is at least half as large again"),
        (about("return"), "🔴 Back, critical: ", "It was over, and is back."),
        (
            about("reminder"),
            "🔴 Still there, critical: ",
            "It was seen first 2024-10-04 12:00 UTC, and is still",
        ),
        (about("recovery"), "🟢 Over: ", "The last look did not find it any more. Seen first 2024-10-04 12:00 UTC"),
        (about("recovery", why="version 4 answers now"), "🟢 Over: ", "Version 4 answers now. Seen first"),
        (about("test"), "⚪ Test: ", "This is a trial: nothing is wrong."),
    ],
)
def test_each_kind_says_what_is_new(message: Message, head: str, lead: str) -> None:
    lines = shown(message).splitlines()
    assert lines[0].startswith(head)
    assert lines[2].startswith(lead)
    assert lead in slack.plain(message)


@pytest.mark.parametrize(
    ("step", "drawn"),
    [
        ("look at the server", [("look at the server", None)]),
        ("tailtune cost inbox", [("tailtune cost inbox", "code")]),
        ("First: tailtune audit inbox --rows 50", [("First: ", None), ("tailtune audit inbox --rows 50", "code")]),
        ("tailtune audit inbox   says why", [("tailtune audit inbox", "code"), (" says why", None)]),
        ("git fetch && git merge origin/a", [("git fetch && git merge origin/a", "code")]),
    ],
)
def test_a_command_is_drawn_as_code(step: str, drawn: list[tuple[str, str | None]]) -> None:
    (block,) = [each for each in slack.blocks(about(of=alert(next_step=step))) if "What happens" in json.dumps(each)]
    elements = block["elements"][1]["elements"]
    assert [(each["text"], next(iter(each.get("style", {})), None)) for each in elements] == drawn


def test_a_recovery_shows_no_rows_and_nothing_to_do() -> None:
    text = shown(about("recovery"))
    assert "crypto" not in text and "What moved" not in text and "What happens next" not in text
    assert "it lasted 50 h 00 min" in text


def test_unmeasured_accuracy_is_no_figure() -> None:
    assert "Estimated accuracy" not in shown(about(of=alert(cause="latency")))
    unmeasured = shown(about(of=alert(accuracy_by="not measured: no row has a confidence")))
    assert "Estimated accuracy\nn/a\n  not measured: no row has a confidence" in unmeasured


def test_only_addresses_of_the_web_are_links() -> None:
    links = {
        "a": "javascript:alert(1)",
        "b": "https://x.example/a b",
        "c": "https://x.example/|evil>",
        "d": "https://ok.example",
    }
    drawn = slack.blocks(about(of=alert(links=links)))
    assert [element["url"] for element in _links(drawn)] == ["https://ok.example"]


HOSTILE = (
    "<!channel> <!here|here> @here @channel <@U012AB3CD> <#C024BE7LR>",
    "*bold* _italic_ `code` ~strike~ > quote",
    "<https://evil.example|click> https://evil.example [x](https://evil.example)",
    "a & b < c > d",
    "\u202egnihsihp\x1b[31m\0\n\r\t",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_row_formats_links_or_calls_anybody(text: str) -> None:
    hostile = alert(title=text, moved=(text,), accuracy_by=text, examples=(text,), next_step=text, use_case=text)
    for kind in KINDS:
        body = slack.message(about(kind, hostile, why=text))
        assert faults(body) == []
        assert {block["type"] for block in body["blocks"]} <= {"header", "context", "rich_text"}
        assert not list(_links(body["blocks"]))
        written = json.dumps(body, ensure_ascii=False)
        assert '"mrkdwn": false' in written and '"type": "mrkdwn"' not in written
        for armed in ("<!", "<@", "<#", "@here", "@channel", "://", "\u202e", "\x1b", "\\u0000"):
            assert armed not in written
        assert not set("<>") & set(body["text"])


URLS = st.one_of(st.text(max_size=90), st.just("https://x.example/"))


@given(
    st.builds(
        Alert,
        use_case=st.text(max_size=400),
        version=st.one_of(st.none(), st.text(max_size=400)),
        cause=st.sampled_from(CAUSES),
        severity=st.sampled_from(SEVERITIES),
        at_us=st.integers(-(2**62), 2**62),
        title=st.text(max_size=400),
        moved=st.lists(st.text(max_size=400), max_size=9).map(tuple),
        accuracy=st.one_of(st.none(), st.just(Estimate(value=float("nan"), low=0, high=1, rows=0))),
        accuracy_by=st.text(max_size=400),
        examples=st.lists(st.text(max_size=400), max_size=5).map(tuple),
        links=st.dictionaries(
            st.text(max_size=90), st.one_of(st.text(max_size=90), st.just("https://x.example/")), max_size=9
        ),
        next_step=st.text(max_size=400),
    ),
    st.sampled_from(KINDS),
    st.integers(0, 2**62),
    st.integers(1, 40),
)
def test_slack_takes_any_alert(of: Alert, kind: str, since_us: int, times: int) -> None:
    longer = of.model_copy(
        update={
            "title": of.title * times,
            "moved": tuple(text * times for text in of.moved),
            "examples": tuple(text * times for text in of.examples),
            "accuracy_by": of.accuracy_by * times,
            "next_step": of.next_step * times,
        }
    )
    assert faults(slack.message(about(kind, longer, since_us=since_us, why=of.title * times))) == []


def test_the_longest_header_is_cut_as_slack_counts() -> None:
    head = slack.headline(about(of=alert(title="😀" * 200)))
    assert len(head.encode("utf-16-le")) // 2 <= 150 and head.endswith("…")


def _links(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("type") == "link":
            yield value
        for each in value.values():
            yield from _links(each)
    elif isinstance(value, list):
        for each in value:
            yield from _links(each)
