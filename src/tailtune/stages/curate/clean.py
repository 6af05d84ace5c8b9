"""One spelling for what looks the same: Unicode NFC, no invisible characters, single spaces."""

from __future__ import annotations

import re
import unicodedata

# Controls, soft hyphens, zero-width spaces and bidirectional marks. The zero-width joiner and non-joiner stay:
# emoji, Persian and Indic scripts are spelt with them. \t \n \v \f \r \x1c-\x1f \x85 are white space.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_HALF_PAIR = re.compile("[\ud800-\udfff]")


def clean(text: str) -> tuple[str, tuple[str, ...]]:
    """Normalise a text. Cleaning a clean text changes nothing.

    Every run of white space becomes one space, line breaks too: classifiers of short texts do not read layout,
    and two copies of a text that differ in wrapping are the same text.

    Returns:
        The text, and what was changed: of `control`, `unicode`, `whitespace`.
    """
    changes = []
    if not text.isprintable():
        visible = _INVISIBLE.sub("", text)
        if visible != text:
            changes.append("control")
        text = visible
    if not text.isascii():
        composed = unicodedata.normalize("NFC", _HALF_PAIR.sub("\ufffd", text))
        if composed != text:
            changes.append("unicode")
        text = composed
    single = " ".join(text.split())
    if single != text:
        changes.append("whitespace")
    return single, tuple(changes)
