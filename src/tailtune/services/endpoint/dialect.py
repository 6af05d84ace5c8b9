"""What a server understands of the protocol, found out by trying: less is sent when it refuses; how to read replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tailtune.config.prices import TokenPrice, list_usd
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import Ask, Form, Reply
from tailtune.core.money import Usd
from tailtune.services.endpoint.faults import Refusal

FORMS: tuple[Form, ...] = ("json_schema", "json_object", "none")
"""How an answer can be constrained, strictest first."""

_ABOUT_FORMS = ("response_format", "json_schema", "json_object", "json schema", "json mode", "structured", "grammar")
_REFUSING = (400, 404, 422, 500, 501)


@dataclass
class Dialect:
    """One per model and process.

    Servers refuse whole fields of a request: a schema, a temperature, the older name of the limit. Each is given up
    once and stays given up.

    Attributes:
        spec: What is declared.
        form: How answers are constrained from now on.
        refused: Form → what the server refusal.
    """

    spec: LanguageModelSpec
    form: Form = "none"
    refused: dict[Form, str] = field(default_factory=dict)
    _limit: str = "max_tokens"  # the newer name is ignored by older servers, which would then write without end
    _temperature: bool = True

    def __post_init__(self) -> None:
        self.form = self.spec.structured

    def arguments(self, ask: Ask) -> dict[str, Any]:
        """What is sent besides model and messages."""
        sent: dict[str, Any] = {self._limit: self.spec.max_output_tokens}
        if self._temperature:
            sent["temperature"] = self.spec.temperature
        form = response_format(self.form, ask.schema)
        return sent if form is None else {**sent, "response_format": form}

    def adapt(self, ask: Ask, sent: Mapping[str, Any], refusal: Refusal) -> bool:
        """Give up what the server refused. Returns whether asking again is any use."""
        if refusal.status not in _REFUSING:
            return False
        if sent == self.arguments(ask):  # others in flight may have learnt it meanwhile
            self._give_up(sent, refusal)
        return sent != self.arguments(ask)

    def _give_up(self, sent: Mapping[str, Any], refusal: Refusal) -> None:
        text = refusal.lower
        unsupported = "support" in text or "instead" in text
        if "response_format" in sent and refusal.names(_ABOUT_FORMS):
            self.refused[self.form] = refusal.text
            self.form = FORMS[FORMS.index(self.form) + 1]
        elif "max_tokens" in sent and "max_tokens" in text and unsupported:
            self._limit = "max_completion_tokens"
        elif "temperature" in sent and refusal.names(("temperature",)) and unsupported:
            self._temperature = False

    def note(self) -> str:
        """What is sent otherwise than declared, apart from forms; empty mostly."""
        return "" if self._temperature else "the temperature was refused; the server's own was used"


def response_format(form: Form, schema: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The field `response_format` of a request; None when it is not sent.

    Source: the reference of OpenAI's chat completions, "Structured outputs".
    """
    if schema is None or form == "none":
        return None
    if form == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema), "strict": True}}


def form_note(declared: Form, used: Form, refusal: str = "") -> str:
    """What a reader should know when an answer was constrained otherwise than declared; empty when it was not."""
    if declared == used:
        return ""
    instead = "nothing constrains the answer" if used == "none" else f"{used} was used instead"
    refused = ", ".join(FORMS[FORMS.index(declared) : FORMS.index(used)])
    return f"the server refuses {refused}; {instead}" + (f" (it said: {refusal[:120]})" if refusal else "")


def read_reply(body: Mapping[str, Any]) -> Reply:
    """Read a chat completion, forgiving what servers leave out.

    Returns:
        Without cost and timing. `text` is None when the model refused or wrote nothing at all, tokens are None when no
        usage came with it.
    """
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = _object(choice, "message")
    finish = choice.get("finish_reason")
    text = _text(message.get("content"))
    if text is None and message.get("refusal"):
        finish = "refusal"
    usage = _object(body, "usage")
    prompt_tokens = _count(usage.get("prompt_tokens"))
    cached = _count(_object(usage, "prompt_tokens_details").get("cached_tokens"))
    return Reply(
        text=text,
        finish=finish if isinstance(finish, str) and finish else "none",
        input_tokens=prompt_tokens,
        output_tokens=_count(usage.get("completion_tokens")),
        cached_input_tokens=min(cached or 0, prompt_tokens or 0),
    )


def cost_of(reply: Reply, price: TokenPrice | None) -> Usd | None:
    """US dollars at list price; None when tokens or price are not known."""
    return list_usd(price, reply.input_tokens, reply.output_tokens, reply.cached_input_tokens)


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _text(content: Any) -> str | None:
    """Some servers send a list of parts. Half a character, which JSON can escape and no file can hold, becomes `?`."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str)) or None
    return content.encode("utf-8", "replace").decode("utf-8") if isinstance(content, str) else None


def _count(value: Any) -> int | None:
    """A number of tokens; -1 and the like are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
