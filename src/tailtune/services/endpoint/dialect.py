"""What a server understands of the protocol, found out by asking: it is asked for less when it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import Ask, Form
from tailtune.services.endpoint.said import Said

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
        refused: Form → what the server said.
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

    def adapt(self, ask: Ask, sent: Mapping[str, Any], said: Said) -> bool:
        """Give up what the server refused. Returns whether asking again is any use."""
        if said.status not in _REFUSING:
            return False
        if sent == self.arguments(ask):  # others in flight may have learnt it meanwhile
            self._give_up(sent, said)
        return sent != self.arguments(ask)

    def _give_up(self, sent: Mapping[str, Any], said: Said) -> None:
        text = said.lower
        unsupported = "support" in text or "instead" in text
        if "response_format" in sent and said.names(_ABOUT_FORMS):
            self.refused[self.form] = said.text
            self.form = FORMS[FORMS.index(self.form) + 1]
        elif "max_tokens" in sent and "max_tokens" in text and unsupported:
            self._limit = "max_completion_tokens"
        elif "temperature" in sent and said.names(("temperature",)) and unsupported:
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


def form_note(asked: Form, used: Form, said: str = "") -> str:
    """What a reader should know when an answer was constrained otherwise than declared; empty when it was not."""
    if asked == used:
        return ""
    instead = "nothing constrains the answer" if used == "none" else f"{used} was used instead"
    refused = ", ".join(FORMS[FORMS.index(asked) : FORMS.index(used)])
    return f"the server refuses {refused}; {instead}" + (f" (it said: {said[:120]})" if said else "")
