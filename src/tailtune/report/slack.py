"""A message about trouble as Slack's Block Kit draws it, and as plain text.

All texts are literal: blocks hold `plain_text` and `rich_text` only, which Slack never parses for markup, links or
mentions, so no text of a row can format, link or call anybody. What could mean something in the fallback, which Slack
does parse, is broken up or escaped (https://docs.slack.dev/messaging/formatting-message-text).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from tailtune.core.alerts import Alert, Message
from tailtune.core.printable import printable
from tailtune.report.numbers import NOT_MEASURED, capital, duration, moment, sentence, with_interval

Block = dict[str, Any]

HEADER_MOST = 150
"""Characters of a header; Slack counts them in UTF-16. A text may have 3,000, a message 50 blocks."""
_LINE_MOST, _TEXT_MOST, _NAME_MOST, _URL_MOST = 300, 600, 60, 2000
_MOVED_MOST, _EXAMPLES_MOST, _LINKS_MOST = 5, 2, 6
_JOINER = "\u2060"  # is not seen, and parts what it stands between for whoever parses
_ARMED = re.compile(r"<(?=[!@#])|@(?=here|channel|everyone)|:(?=//)", re.IGNORECASE)
_COMMAND = re.compile(r"\b(?:tailtune [a-z]+|git (?:fetch|merge))(?: \S+)*")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SIGNS = {"critical": "🔴", "warning": "🟠"}


def message(about: Message) -> dict[str, Any]:
    """The body of a post to a Slack webhook."""
    return {**fallback(about), "blocks": blocks(about)}


def fallback(about: Message) -> dict[str, Any]:
    """The body without blocks: for notifications, and where Slack refuses the blocks."""
    text = _cut(plain(about), 3000).translate(_ESCAPES)
    return {"text": text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}


def plain(about: Message) -> str:
    """A message as plain text, without the texts of rows."""
    alert = about.alert
    lines = [headline(about), _about(about)]
    if about.kind != "recovery":
        lines += [f"- {_line(moved)}" for moved in alert.moved[:_MOVED_MOST]]
        lines += [f"Estimated accuracy: {_accuracy(alert)}"] if _has_accuracy(alert) else []
        lines += [f"Next: {_line(alert.next_step, _TEXT_MOST)}"] if alert.next_step else []
    lines += [f"{name}: {url}" for name, url in _links(alert.links)]
    return "\n".join([line for line in [*lines, _colophon(about)] if line])


def headline(about: Message) -> str:
    """What stands above a message: how bad it is and what it is, in one line."""
    alert = about.alert
    sign, word = _SIGNS[alert.severity], capital(alert.severity)
    heads = {
        "alert": f"{sign} {word}",
        "escalation": f"{sign} Worse, {alert.severity}",
        "return": f"{sign} Back, {alert.severity}",
        "reminder": f"{sign} Still there, {alert.severity}",
        "recovery": "🟢 Over",
        "outcome": "🔵 Done" if alert.version else "🟠 Stopped",
        "test": "⚪ Test",
    }
    return _cut(f"{heads[about.kind]}: {_line(alert.title, HEADER_MOST)}", HEADER_MOST)


def blocks(about: Message) -> list[Block]:
    """A message as blocks."""
    alert = about.alert
    version = "" if alert.version is None else f"version {alert.version}"
    facts = [alert.use_case, version, "" if about.kind == "test" else alert.cause, f"seen {moment(alert.at_us)}"]
    drawn = [_header(headline(about)), _context(" · ".join(_line(fact) for fact in facts if fact))]
    lead = _about(about)
    drawn += [_rich(_section(_text(lead)))] if lead else []
    if about.kind != "recovery":
        drawn += [
            *_moved(about),
            *_accuracy_block(alert),
            *_examples(alert.examples),
        ]
        drawn += [_titled("What happens next", _next(alert.next_step))] if alert.next_step else []
    drawn += _links_block(alert.links)
    return [*drawn, _context(_colophon(about))]


def _about(about: Message) -> str:
    """What a message says besides the alert that it is about; empty for a first alert."""
    alert, since = about.alert, moment(about.since_us)
    if about.kind == "escalation":
        if about.before is not None and about.before != alert.severity:
            return f"It was a {about.before} when it was last sent, and is {alert.severity} now. Seen first {since}."
        return f"It is at least half as large again as when it was last sent. Seen first {since}."
    if about.kind == "return":
        return "It was over, and is back."
    if about.kind == "reminder":
        return f"It was seen first {since}, and is still there. Nothing has got worse."
    if about.kind == "recovery":
        lasted = duration(max(0, about.at_us - about.since_us) / 1e6)
        why = _line(sentence(about.why or "the last look did not find it any more"))
        return f"{why} Seen first {since}; it lasted {lasted}."
    if about.kind == "test":
        return "This is a trial: nothing is wrong. Alerts will look like this."
    return ""


def _moved(about: Message) -> list[Block]:
    title, moved = "What came of it" if about.kind == "outcome" else "What moved", about.alert.moved
    lines = [_section(_text(_line(line))) for line in moved[:_MOVED_MOST] if line.strip()]
    if len(moved) > _MOVED_MOST:
        lines.append(_section(_text(f"and {len(moved) - _MOVED_MOST} more, in the report")))
    return [_titled(title, {"type": "rich_text_list", "style": "bullet", "elements": lines})] if lines else []


def _has_accuracy(alert: Alert) -> bool:
    return alert.accuracy is not None or bool(alert.accuracy_by)


def _accuracy(alert: Alert) -> str:
    return NOT_MEASURED if alert.accuracy is None else with_interval(alert.accuracy)


def _accuracy_block(alert: Alert) -> list[Block]:
    if not _has_accuracy(alert):
        return []
    how = f"  {_line(alert.accuracy_by, _TEXT_MOST)}" if alert.accuracy_by else ""
    return [_titled("Estimated accuracy", _section(_text(_accuracy(alert), "bold"), *([_text(how)] if how else [])))]


def _examples(examples: Sequence[str]) -> list[Block]:
    quotes = [
        {"type": "rich_text_quote", "elements": [_text(_line(text))]}
        for text in examples[:_EXAMPLES_MOST]
        if text.strip()
    ]
    return [_titled("For example" if len(quotes) == 1 else "Two examples", *quotes)] if quotes else []


def _next(step: str) -> Block:
    """What happens next; a command in it, up to its end or to several spaces, as code."""
    command = _COMMAND.search(step)
    if command is None:
        return _section(_text(_line(step)))
    parts = (step[: command.start()], command[0], step[command.end() :])
    before, code, after = (_line(part) for part in parts)
    words = [_text(f"{before} ")] if before else []
    return _section(*words, _text(code, "code"), *([_text(f" {after}")] if after else []))


def _links_block(links: Mapping[str, str]) -> list[Block]:
    elements: list[Block] = []
    for name, url in _links(links):
        elements += [_text("  ·  ")] if elements else []
        elements.append({"type": "link", "url": url, "text": name} if _is_web(url) else _text(f"{name}: {url}"))
    return [_rich(_section(*elements))] if elements else []


def _links(links: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """What can be opened: addresses of the web as they are, others as texts; too long ones left out."""
    for name, url in list(links.items())[:_LINKS_MOST]:
        whole = url.strip()
        if 0 < len(whole) <= _URL_MOST and whole.isprintable() and not any(letter.isspace() for letter in whole):
            yield _line(name, _NAME_MOST) or "link", whole if _is_web(whole) else _line(whole)


def _is_web(url: str) -> bool:
    return re.fullmatch(r"https?://[^\s<>|]+", url, re.IGNORECASE) is not None


def _colophon(about: Message) -> str:
    whose = "" if about.kind == "test" else f" {_line(about.alert.use_case, _NAME_MOST)}"
    return f"Message {about.id} · {moment(about.at_us)} · twice the same number is one message · tailtune alerts{whose}"


def _titled(title: str, *elements: Block) -> Block:
    return _rich(_section(_text(title, "bold")), *elements)


def _rich(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def _section(*elements: Block) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


def _text(text: str, style: Literal["bold", "code"] | None = None) -> Block:
    return {"type": "text", "text": text or NOT_MEASURED, **({"style": {style: True}} if style else {})}


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "plain_text", "text": text, "emoji": False}]}


def _line(text: str, most: int = _LINE_MOST) -> str:
    """A text on one line, harmless and not too long."""
    return _cut(_ARMED.sub(lambda match: match[0] + _JOINER, " ".join(printable(text).split())), most)


def _cut(text: str, most: int) -> str:
    """A text of at most so many characters, as UTF-16 counts them."""
    if _size(text) <= most:
        return text
    kept, room = [], most - 1
    for letter in text:
        room -= _size(letter)
        if room < 0:
            break
        kept.append(letter)
    return "".join(kept) + "…"


def _size(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
