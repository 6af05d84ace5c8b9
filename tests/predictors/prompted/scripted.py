"""A language model that says what it was told to, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import BudgetReachedError, ContextTooLongError
from tailtune.core.language import Ask, OnReply, Reply, Timing
from tailtune.predictors.prompted.templates import Template
from tailtune.tasks.classification.replies import LabelCodec

SPEC = LanguageModelSpec(name="small", endpoint="http://127.0.0.1:9/v1", key_env="SECRET_KEY", max_output_tokens=64)
LABELS = {"billing": "money and invoices", "login": "access to the account", "export": "data out of the product"}
CODEC = LabelCodec(LABELS)
SHOWING = Template(
    "shown",
    "Say one of {% for label in labels %}{{ label.name }} {% endfor %}",
    "{% for example in examples %}Text:\n{{ example.text }}\nAnswer:\n{{ example.answer }}\n\n{% endfor %}"
    "Text:\n{{ text }}\nAnswer:",
)


class Scripted:
    """Answers in turn from a queue, or by a function of the request; tokens are words.

    Args:
        says: Texts or replies in order, or what gives one for a request.
        longest: Prompts of more words are refused, as a server does whose context is shorter than was declared.
        money: Requests that can be paid.
        backwards: Whether the last request is answered first.
    """

    name = "small"

    def __init__(
        self,
        says: Sequence[str | Reply] | Callable[[Ask], str | Reply] = (),
        longest: int | None = None,
        money: int | None = None,
        backwards: bool = False,
    ) -> None:
        self.requests: list[Ask] = []
        self.calls = 0
        self._says = says if callable(says) else list(says)
        self._longest, self._money, self._backwards = longest, money, backwards

    def ask(self, asks: Sequence[Ask], on_reply: OnReply | None = None) -> list[Reply]:
        self.calls += 1
        replies: dict[int, Reply] = {}
        places = range(len(asks))
        for place in reversed(places) if self._backwards else places:
            ask = asks[place]
            if self._longest is not None and words(ask) > self._longest:
                raise ContextTooLongError("maximum context length exceeded", "", place)
            if self._money is not None and len(self.requests) >= self._money:
                raise BudgetReachedError("1 dollar is spent", "raise max_cost_usd", replies)
            self.requests.append(ask)
            text = self._says(ask) if callable(self._says) else self._says.pop(0)
            replies[place] = reply(text) if isinstance(text, str) else text
            if on_reply is not None:
                on_reply(place, replies[place])
        return [replies[place] for place in places]

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def reply(text: str | None, finish: str = "stop", usd: float | None = 0.25) -> Reply:
    return Reply(text, finish, 10, 5, usd=usd, timing=Timing(12.0))


def words(ask: Ask) -> int:
    return sum(len(message.content.split()) for message in ask.messages)


def knows(truth: Mapping[str, str]) -> Callable[[Ask], str]:
    """Answers with the label whose text is asked about."""

    def say(ask: Ask) -> str:
        text = ask.messages[-1].content.rpartition("Text:\n")[2].partition("\nAnswer:")[0]
        return CODEC.shown(truth[text])

    return say
