"""What a server understands of the protocol, found out by trying: less is sent when it refuses; how to read replies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.config.request import parameters
from tailtune.core.language import Ask, Form, Reply
from tailtune.core.money import Usd
from tailtune.services.endpoint.faults import Refusal
from tailtune.services.endpoint.usage import Usage, read_usage

FORMS: tuple[Form, ...] = ("json_schema", "json_object", "none")
"""How an answer can be constrained, strictest first."""

_REFUSED_WORDS = ("uniqueItems", "minLength", "maxLength")
_ABOUT_FORMS = ("response_format", "json_schema", "json_object", "json schema", "json mode", "structured", "grammar")
_REFUSING = (400, 404, 422, 500, 501)
_OLDER, _NEWER = "max_tokens", "max_completion_tokens"
_INSTEAD: Mapping[str, str | None] = {_OLDER: _NEWER, "temperature": None}
"""Parameter that is not declared → what is sent when a server refuses it: the value under another name, or nothing."""
_OTHERS = re.compile(
    r"expected one of|(supported|valid|allowed|available|accepted) (parameters|arguments|fields|options)"
)
_NOT_TAKEN = re.compile(
    r"support|instead|deprecat|no longer|removed?\b|unrecogni[sz]ed|unknown|unexpected|extra (input|field|argument)"
    r"|not (allowed|permitted|accepted|available|compatible|valid)|forbid|disallow|invalid|incompatible"
    r"|only .{0,30}default|must (be|not|equal)|should be|can ?not|can't|does not (take|accept|allow)|omit"
)
_FINISHES = {  # what else servers call it
    "length": re.compile(
        r"^(max_?(output_?|new_?|completion_?)?tokens|model_length|token_limit|length.*|.*context_window.*)$", re.I
    ),
    "content_filter": re.compile(
        r"content_?filter|safety|sensitive|prohibited|blocklist|blocked|moderat|guardrail|recitation|spii", re.I
    ),
}
_REASONING_PARTS = ("thinking", "reasoning", "redacted_thinking", "summary")


@dataclass
class Dialect:
    """One per model and process.

    Servers refuse whole fields of a request: a schema, a temperature, the older name of the limit. Each is given up
    once and stays given up.

    Attributes:
        spec: What is declared.
        form: How answers are constrained from now on.
        refused: Form → what the server wrote.
        answers: Whether it has ever answered, so that what it refuses is the prompt.
        refused_in_row: Requests that it refused for an unknown reason since it last answered.
    """

    spec: LanguageModelSpec
    form: Form = "none"
    refused: dict[Form, str] = field(default_factory=dict)
    answers: bool = False
    refused_in_row: int = 0
    _without: dict[str, str | None] = field(default_factory=dict)  # parameter that was refused → its other name
    _row_refusal: str = ""
    _another: str = ""  # model that the server says has answered

    def __post_init__(self) -> None:
        self.form = self.spec.structured

    def arguments(self, ask: Ask) -> dict[str, Any]:
        """What is sent besides model and messages.

        The limit goes under its older name first: older servers ignore the newer one, and would write without end.
        """
        spec = self.spec
        sent = parameters(spec.request, spec.max_output_tokens, spec.temperature, self._without)
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
        if "response_format" in sent and refusal.names(_ABOUT_FORMS):
            self.refused[self.form] = refusal.text
            self.form = FORMS[FORMS.index(self.form) + 1]
            return
        name = refused_parameter(refusal, sent)
        if name in _INSTEAD and name not in self.spec.request:
            self._without[name] = _INSTEAD[name]

    def final(self, sent: Mapping[str, Any], refusal: Refusal) -> bool:
        """Whether a refusal is about a declared parameter, so that no other row will be answered either."""
        name = "" if self.answers or refusal.status not in _REFUSING else refused_parameter(refusal, sent)
        return name in self.spec.request

    def hear(self, name: str) -> None:
        """Take in which model a server says has answered: gateways fall back to another one without an error.

        A name is the same that has the declared one in it, as `gpt-4o-2024-08-06` has, or the reverse.
        """
        answered, declared = _last_part(name), _last_part(self.spec.called)
        if answered and answered not in declared and declared not in answered:
            self._another = self._another or "".join(letter if letter.isprintable() else " " for letter in name[:80])

    def row_note(self, text: str) -> str:
        """What a reader should know of rows that were refused for an unknown reason: the first one stands for all."""
        self._row_refusal = self._row_refusal or text[:120]
        return (
            f"rows that the endpoint refused while it answered others count as refused; it wrote: {self._row_refusal}"
        )

    def note(self) -> str:
        """What is sent otherwise than declared, apart from forms; empty mostly."""
        notes = {
            "temperature": "the temperature was refused; the server's own was used (`request: {temperature: null}` "
            "never sends it)",
            _OLDER: f"{_OLDER} was refused; {_NEWER} was used (`request: {{{_NEWER}: $max_output_tokens}}` sends that "
            "from the start)",
        }
        found = [note for name, note in notes.items() if name in self._without]
        if self._another:
            found.append(f"the endpoint says that {self._another} answered, not {self.spec.called}")
        return "; ".join(found)


def refused_parameter(refusal: Refusal, sent: Mapping[str, Any]) -> str:
    """The parameter that a refusal is about: it names it, and says that it is not taken as it is; empty for none.

    Of several the one that the server gives as `param`, else the first: lists of what it does take come last.

    Args:
        refusal: From the endpoint.
        sent: What the request had besides model and messages.
    """
    text = refusal.text.lower()
    if not _NOT_TAKEN.search(refusal.lower):
        return ""
    listed = _OTHERS.search(text)
    named: dict[int, str] = {}
    for name in sent:
        word = re.compile(rf"(?<![\w$]){re.escape(name.lower())}(?!\w)")
        if word.search(refusal.code.lower()):
            return name
        at = word.search(text[: listed.start()] if listed else text)
        if at is not None:
            named[at.start()] = name
    return named[min(named)] if named else ""


def response_format(form: Form, schema: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The field `response_format` of a request; None when it is not sent.

    Source: the reference of OpenAI's chat completions, "Structured outputs".
    """
    if schema is None or form == "none":
        return None
    if form == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": _taken(schema), "strict": True}}


def _taken(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without the keywords that strict endpoints refuse, and models in this process are held to."""
    taken: dict[str, Any] = {}
    for word, value in schema.items():
        if word == "properties":  # its keys are names
            taken[word] = {name: _taken(inner) for name, inner in value.items()}
        elif word == "anyOf":
            taken[word] = [_taken(way) for way in value]
        elif word not in _REFUSED_WORDS:
            taken[word] = _taken(value) if word == "items" else value
    return taken


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
        usage came with it. Reasoning that stands in a field or a part of its own is not in the text.
    """
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = _object(choice, "message")
    finish = _finish(choice)
    text = _text(message.get("content"))
    if message.get("refusal"):
        text, finish = None, "refusal"
    return Reply(text, finish, **asdict(read_usage(body)))


def written_text(body: Mapping[str, Any]) -> str:
    """All that a model wrote, reasoning that is shown among it."""
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = _object(choice, "message")
    texts = (_text(message.get(name)) for name in ("reasoning_content", "reasoning", "content"))
    return "\n".join(text for text in texts if text)


def _last_part(name: str) -> str:
    """Of `openai/gpt-4o:free` what tells models apart."""
    return name.strip().casefold().rstrip("/").rpartition("/")[2].partition(":")[0]


def usage_of(reply: Reply) -> Usage:
    """The tokens of a reply."""
    return Usage(**{each.name: getattr(reply, each.name) for each in fields(Usage)})


def cost_of(reply: Reply, price: TokenPrice | None) -> Usd | None:
    """US dollars at list price; None when tokens or price are not known."""
    return usage_of(reply).usd(price)


def _finish(choice: Mapping[str, Any]) -> str:
    """Why an answer ended, in OpenAI's words where the server has others; "none" when it does not say."""
    finish = choice.get("finish_reason") or choice.get("native_finish_reason") or choice.get("stop_reason")
    if not isinstance(finish, str):
        return "none"
    known = next((name for name, others in _FINISHES.items() if others.search(finish)), None)
    return known or whole(finish[:40])


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _text(content: Any) -> str | None:
    """The text of a message, which some servers send as a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) and _is_answer(part) else part for part in content]
        content = "".join(part for part in parts if isinstance(part, str)) or None
    return whole(content) if isinstance(content, str) else None


def whole(text: str) -> str:
    """A text that a file can hold: half a character, which JSON can escape, becomes `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_answer(part: Mapping[str, Any]) -> bool:
    """Whether a part of a message is what the model answers, rather than how it came to that."""
    return part.get("type") not in _REASONING_PARTS
