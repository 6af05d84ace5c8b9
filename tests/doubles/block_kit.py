"""What Slack refuses of a message: a checker of its own, written from https://docs.slack.dev/reference/block-kit.

Only the blocks that an alert may have are known; any other is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MOST_BLOCKS, MOST_TEXT, MOST_HEADER, MOST_FALLBACK = 50, 3000, 150, 40_000


def faults(body: Mapping[str, Any]) -> list[str]:
    """What is wrong with the body of a post to a webhook."""
    found = [] if body.get("text") or body.get("blocks") else ["no_text"]
    unknown = set(body) - {"text", "blocks", "mrkdwn", "unfurl_links", "unfurl_media"}
    found += [f"unknown field {name}" for name in sorted(unknown)]
    if _size(str(body.get("text", ""))) > MOST_FALLBACK:
        found.append("text is too long")
    blocks = body.get("blocks", [])
    if len(blocks) > MOST_BLOCKS:
        found.append(f"{len(blocks)} blocks")
    for number, block in enumerate(blocks):
        found += [f"block {number} ({block.get('type')}): {fault}" for fault in _of_block(block)]
    return found


def _of_block(block: Mapping[str, Any]) -> Iterator[str]:
    match block:
        case {"type": "header", "text": text, **rest} if not rest:
            yield from _of_text(text, MOST_HEADER, ("plain_text",))
        case {"type": "context", "elements": [*elements], **rest} if not rest and 1 <= len(elements) <= 10:
            for element in elements:
                yield from _of_text(element, MOST_TEXT, ("plain_text", "mrkdwn"))
        case {"type": "rich_text", "elements": [_, *_] as elements, **rest} if not rest:
            for element in elements:
                yield from _of_rich(element)
            if sum(_size(text) for text in texts(block)) > MOST_TEXT:
                yield "is too long"
        case _:
            yield "is no such block"


def _of_text(text: Any, most: int, types: tuple[str, ...]) -> Iterator[str]:
    match text:
        case {"type": kind, "text": str(words), **rest} if kind in types and set(rest) <= {"emoji", "verbatim"}:
            if not 1 <= _size(words) <= most:
                yield f"a text of {_size(words)} characters"
        case _:
            yield "is no text"


def _of_rich(element: Any) -> Iterator[str]:
    match element:
        case {"type": "rich_text_section" | "rich_text_quote", "elements": [_, *_] as inner, **rest} if not rest:
            for each in inner:
                yield from _of_inline(each)
        case {"type": "rich_text_list", "style": "bullet" | "ordered", "elements": [_, *_] as items, **rest} if (
            not rest
        ):
            for item in items:
                if item.get("type") != "rich_text_section":
                    yield "a list holds sections only"
                yield from _of_rich(item)
        case _:
            yield f"no such element: {element}"


def _of_inline(element: Any) -> Iterator[str]:
    match element:
        case {"type": "text", "text": str(words), **rest} if set(rest) <= {"style"}:
            if not words:
                yield "an empty text"
            if not set(rest.get("style", {})) <= {"bold", "italic", "strike", "code"}:
                yield "no such style"
        case {"type": "link", "url": str(url), "text": str(words), **rest} if not rest:
            if not url.startswith(("http://", "https://")) or len(url) > MOST_TEXT or not words:
                yield "a link that leads nowhere"
        case _:
            yield f"no such element: {element}"


def texts(value: Any) -> Iterator[str]:
    """All texts that a block or message shows."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == "text" and isinstance(each, str):
                yield each
            else:
                yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def _size(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
