"""What a server cut without saying so: a prompt that did not fit into its context, or an answer that filled it."""

from __future__ import annotations

import re

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import Ask, Cut, Reply

_WORD = re.compile(r"\S+")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_IDEOGRAPHS_A_TOKEN = 3
_LEAST_SHARE = 0.8  # of a prompt's fewest tokens
_LEAST_TOKENS = 64  # that must be missing: chat templates and short prompts are no evidence


def cut_of(ask: Ask, reply: Reply, spec: LanguageModelSpec) -> Cut:
    """What of a request or its answer the server seems to have cut, as its own figures show it.

    Args:
        ask: What was sent.
        reply: With the tokens that the server reported.
        spec: Of the model.

    Limit: prompts that were cut by less than about a third are not noticed. A server that counts only what it had not
    cached, and does not say how much that was, would be taken to have cut.
    """
    if reply.usd_estimated or reply.input_tokens is None:
        return ""
    fewest = sum(fewest_tokens(message.content) for message in ask.messages)
    if reply.input_tokens < _LEAST_SHARE * fewest and fewest - reply.input_tokens >= _LEAST_TOKENS:
        return "prompt"
    ended = reply.finish == "length" and (reply.output_tokens or 0) < spec.max_output_tokens
    return "answer" if ended and "max_tokens" not in spec.request else ""


def fewest_tokens(text: str) -> int:
    """Tokens that any tokenizer needs for a text at least: tokens end where words do, and hold few ideographs."""
    return max(len(_WORD.findall(text)), len(_IDEOGRAPH.findall(text)) // _IDEOGRAPHS_A_TOKEN)
