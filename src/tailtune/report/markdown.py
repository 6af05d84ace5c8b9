"""Texts of labels, rows, slices and providers as Markdown shows them literally: nothing in them links or loads."""

from __future__ import annotations

import re

_PIECES = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)|[\\<\[\]]|&(?=#?\w{1,40};)")


def literal(text: str) -> str:
    """A text on one line, without links, images and HTML of its own; code in backticks stays code.

    A page that shows Markdown would load an image of any address that a customer wrote, and tell it who looks.

    Source: CommonMark 0.31, code spans and backslash escapes.
    """
    return _PIECES.sub(_escaped, " ".join(text.splitlines()))


def _escaped(piece: re.Match[str]) -> str:
    found = piece[0]
    if found.startswith("`"):
        return found
    return {"<": "&lt;", "&": "&amp;"}.get(found, f"\\{found}")
