"""What a server said when it refused a request, read from whatever shape it came in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_MOST = 300
_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context|context (length|window|size)|max_model_len"
    r"|(prompt|input|request) (is |has )?too (long|large|many)|too many (input )?tokens"
    r"|exceeds? the (model's|available) ",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content_filter|content_policy_violation|content management policy|responsibleaipolicyviolation", re.IGNORECASE
)
_NO_MODEL = re.compile(
    r"model_not_found|model\b.{0,200}?\b(not found|does not exist|is not available|not exist)"
    r"|(no such|unknown|invalid) model",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Said:
    """One per refusal.

    Attributes:
        status: HTTP status.
        text: What the server said, on one line, shortened, never with the key in it.
        code: Its code and type, and the parameter it is about; empty when it does not say.
    """

    status: int
    text: str
    code: str = ""

    @property
    def lower(self) -> str:
        """Everything it said, in lower case."""
        return f"{self.code} {self.text}".lower()

    def names(self, words: Iterable[str]) -> bool:
        """Whether it names one of these."""
        return any(word in self.lower for word in words)

    @property
    def too_long(self) -> bool:
        """Whether the prompt does not fit into the model's context."""
        return self.status in (400, 413, 422, 500) and bool(_LONG.search(f"{self.code} {self.text}"))

    @property
    def filtered(self) -> bool:
        """Whether the prompt offends the provider's rules."""
        return self.status in (400, 403, 422) and bool(_FILTERED.search(f"{self.code} {self.text}"))

    @property
    def no_model(self) -> bool:
        """Whether the server has no such model, or nothing at that address."""
        return self.status == 404 or (self.status in (400, 422) and bool(_NO_MODEL.search(f"{self.code} {self.text}")))


def read_said(status: int, body: str, key: str | None = None) -> Said:
    """Read the body of a refusal: OpenAI's `error` object, FastAPI's `detail`, plain text or HTML.

    Args:
        status: HTTP status.
        body: As it came.
        key: Is blotted out; servers like to repeat it.
    """
    try:
        value: Any = json.loads(body)
    except ValueError:
        value = body
    codes: list[str] = []
    while isinstance(value, dict):
        codes += [str(value[name]) for name in ("code", "type", "param") if isinstance(value.get(name), str | int)]
        inner = value.get("innererror")
        codes += [str(inner["code"])] if isinstance(inner, dict) and "code" in inner else []
        value = next((value[name] for name in ("error", "message", "detail") if value.get(name)), json.dumps(value))
    text = value if isinstance(value, str) else json.dumps(value)
    if key:
        text, codes = text.replace(key, "***"), [code.replace(key, "***") for code in codes]
    return Said(status, " ".join(text.split())[:_MOST], " ".join(codes)[:_MOST])
