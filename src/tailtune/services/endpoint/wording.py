"""What servers write, read with care; and what they write when they refuse, in the words of many providers."""

from __future__ import annotations

import json
import re
from typing import Any

UNREADABLE = "unreadable_body"
NO_CHOICES = "no_choices"
_SEARCHED = 2_000  # characters of a text
_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context|context (length|window|size)|max_model_len"
    r"|(prompt|input|request) (is |has )?too (long|large|many)|too many (input )?tokens"
    r"|exceeds? the (model's|available) ",
    re.IGNORECASE,
)
_MODERATED = re.compile(
    r"content[ _-]?(filter|policy|moderation|safety|management|exists risk)|data_inspection|inappropriate"
    r"|responsible ?ai|safety (system|filter|setting|check)|usage (polic|guideline)|guardrail|blocklist|blockreason"
    r"|flagged|moderation|prohibited[ _]content|(sensitive|unsafe|harmful) (content|words?|information|or)"
    r"|new_sensitive|considered high risk|violat\w{1,6}\b.{0,60}\b(polic|guideline|terms|rules)"
    r"|敏感|违规|不安全|审核",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|model\b.{0,200}?\b(not found|does not exist|is not available|not exist)"
    r"|(no such|unknown|invalid) model",
    re.IGNORECASE | re.DOTALL,
)
_NO_QUOTA = re.compile(
    r"insufficient_quota|current quota|billing[ _](hard|limit|details|account|issue|not|to be)|requires billing"
    r"|hard limit|credit balance|insufficient (balance|credits?|funds)|payment (required|method)|out of credits?",
    re.IGNORECASE,
)


def parse_json(content: bytes | str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: It is none, or is nested too deeply to be read.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def too_long(text: str) -> bool:
    """Whether a refusal is about the length of a prompt."""
    return bool(_LONG.search(text[:_SEARCHED]))


def moderated(text: str) -> bool:
    """Whether a refusal is about what a prompt or an answer says."""
    return bool(_MODERATED.search(text[:_SEARCHED]))


def no_such_model(text: str) -> bool:
    """Whether a refusal is about the model's name."""
    return bool(_NO_MODEL.search(text[:_SEARCHED]))


def out_of_quota(text: str) -> bool:
    """Whether a refusal is about money rather than pace: waiting does not help."""
    return bool(_NO_QUOTA.search(text[:_SEARCHED]))
