"""A prompted language model as a rung: texts in, answers out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailtune.config.endpoints import require_listed
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import BudgetReachedError, ContextTooLongError, PartlyAnsweredError
from tailtune.core.json_text import read_object
from tailtune.core.language import Ask, LanguageModel, OnReply, Reply
from tailtune.core.records import Answer
from tailtune.predictors.base import Embed, FitContext
from tailtune.predictors.prompted.codec import Codec, CodecFrom, Problem, first_answer
from tailtune.predictors.prompted.examples import Choice, Example, Examples, chosen_by_text, fit_examples, load_examples
from tailtune.predictors.prompted.fitting import Fitter, Prompt
from tailtune.predictors.prompted.opening import CARD, declared, open_model
from tailtune.predictors.prompted.templates import Template

if TYPE_CHECKING:
    from tailtune.predictors.onnx_graph import Source

_REFUSED = ("content_filter", "refusal")
_REASONING_TOKENS = 80  # two or three short sentences


@dataclass(frozen=True, slots=True)
class PromptAnswer:
    """One per text.

    Attributes:
        answer: What the reply says; its value is None when the reply could not be used.
        reply: What came back; nothing, at no cost, for a text that is too long to be asked.
        problem: Why there is no answer that can be used; empty when there is.
        examples_dropped: Examples that did not fit into the model's context.
    """

    answer: Answer
    reply: Reply
    problem: Problem = ""
    examples_dropped: int = 0


@dataclass(frozen=True)
class Prompted:
    """A language model with a prompt.

    Limit: it has no probability for its answers, so its calibration is not measured.

    Attributes:
        name: The rung.
        template: The prompt.
        codec: Between rows and replies.
        spec: What was declared of the model.
        examples: Chooses what the prompt shows.
        constrained: Whether decoding is to be constrained to the schema; each reply's `form` says
            whether it was.
        reasoning: Whether a reply reasons before it answers.
        on_wait: Is shown a line when a rate limit asks a saved prompt to wait as long as is declared. Without it
            somebody waits for each call, and a rate limit is an error after a few seconds.
    """

    name: str
    template: Template
    codec: Codec
    spec: LanguageModelSpec
    examples: Examples
    constrained: bool = False
    reasoning: bool = False
    on_wait: Callable[[str], None] | None = field(default=None, repr=False, compare=False)
    _opened: list[LanguageModel] = field(default_factory=list, repr=False, compare=False)

    def ask(self, texts: Sequence[str], sample: int = 0, on_reply: OnReply | None = None) -> list[PromptAnswer]:
        """Ask the model for each text; one that does not fit into its context is no error, and not answered.

        Args:
            texts: What to answer.
            sample: 0 for the answer that counts; 1, 2, … ask again, past what was kept.
            on_reply: Called with (place of the text, reply) as each is answered, in any order.

        Raises:
            PartlyAnsweredError: Money ran out; what was answered is in it.
            ContextTooLongError: The prompt leaves no room for any text.
            EndpointError: The endpoint does not answer; what was answered is kept in the cache, if there is one.
        """
        fitter = self._fitter()
        prompts, replies = fitter.prompts(texts), dict[int, Reply]()
        while waiting := [at for at, prompt in enumerate(prompts) if prompt.fits and at not in replies]:
            keep = _KeepReplies(waiting, replies, on_reply)
            asks = [Ask(prompts[place].messages, self._schema, sample) for place in waiting]
            try:
                for place, reply in enumerate(self._model().ask(asks, keep)):
                    replies.setdefault(waiting[place], reply)
            except BudgetReachedError as error:
                replies |= {waiting[place]: reply for place, reply in error.replies.items()}
                raise PartlyAnsweredError(error.message, error.hint or "", self._read_all(prompts, replies)) from error
            except ContextTooLongError as error:
                fitter.shorten(prompts, [at for at in waiting if at not in replies], waiting[error.place])
        return list(self._read_all(prompts, replies).values())

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        """One answer per text, in order; each with its price, unknown when the endpoint or its price does not tell."""
        return [prompted.answer for prompted in self.ask(texts)]

    def examples_for(self, texts: Sequence[str]) -> list[list[Example]]:
        """The examples that the prompt of each text shows."""
        return [list(prompt.examples) for prompt in self._fitter().prompts(texts)]

    def expected_tokens(self, texts: Sequence[str]) -> tuple[int, int]:
        """Tokens of all prompts, and of all answers, before anything is asked; rather too high."""
        count = self._model().count_tokens
        sent = [prompt.tokens for prompt in self._fitter().prompts(texts) if prompt.fits]
        counts = self._schema is not None and not self.spec.local  # most servers put it into the prompt
        schema = count(json.dumps(self._schema)) if counts else 0
        shown = [example.answer for near in self.examples.near(texts[:1]) for example in near] or [self._blank()]
        answer = math.ceil(sum(map(count, shown)) / len(shown)) + (_REASONING_TOKENS if self.reasoning else 0)
        return sum(sent) + schema * len(sent), min(answer, self.spec.max_output_tokens) * len(sent)

    def using(self, model: LanguageModel, spec: LanguageModelSpec) -> Prompted:
        """The same prompt, asked of another model; or of the same, opened with a cache and a budget."""
        name = "lm_strong" if spec.role == "strong" else self.name
        return replace(self, name=name, spec=spec, _opened=[model])

    def constrained_to_schema(self) -> Prompted:
        """The same prompt, with decoding constrained to the schema."""
        return replace(self, name="lm_constrained", constrained=True)

    def with_template(self, template: Template) -> Prompted:
        """The same examples and model with another prompt."""
        return replace(self, name="lm_optimised", template=template)

    @property
    def fit_rows(self) -> int:
        """Labelled rows that its examples are chosen from."""
        return self.examples.fit_rows

    @property
    def note(self) -> str:
        """A remark on its examples for whoever reads its figures; mostly empty."""
        return self.examples.note

    def save(self, folder: Path) -> None:
        """Write prompt, examples and what was declared of the model: the name of a key's variable, never the key."""
        self.examples.save(folder)
        card = {
            "name": self.name,
            "template": {"name": self.template.name, "system": self.template.system, "user": self.template.user},
            "codec": self.codec.card(),
            "spec": self.spec.model_dump(mode="json"),
            "constrained": self.constrained,
            "reasoning": self.reasoning,
        }
        (folder / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def source(cls, folder: Path) -> Source | None:
        """The encoder to export: the embedded one where examples are chosen by text; else None."""
        from tailtune.predictors.onnx_graph import embedded_encoder

        return embedded_encoder() if chosen_by_text(folder) else None

    @classmethod
    def load(cls, folder: Path, embed: Embed, codec_from: CodecFrom) -> Prompted:
        """Read what `save` wrote; the model is opened when the first text comes, without cache and limit.

        A local model that was packed with it is taken from there.

        Args:
            folder: What `save` wrote.
            embed: The encoder, for examples that are chosen by text.
            codec_from: Makes a codec from its card.
        """
        card: dict[str, Any] = read_object(folder / CARD)
        codec = codec_from(card["codec"])
        return cls(
            card["name"],
            Template(**card["template"]),
            codec,
            declared(folder, LanguageModelSpec.model_validate(card["spec"])),
            load_examples(folder, embed, codec),
            card["constrained"],
            card["reasoning"],
        )

    def _model(self) -> LanguageModel:
        if not self._opened:
            require_listed(self.spec)
            self._opened.append(open_model(self.spec, on_wait=self.on_wait, served=self.on_wait is None))
        return self._opened[0]

    def _fitter(self) -> Fitter:
        return Fitter(self.template, self.codec.variables(), self.examples, self.spec, self._model().count_tokens)

    @property
    def _schema(self) -> dict[str, Any] | None:
        return self.codec.schema(self.reasoning) if self.constrained else None

    def _blank(self) -> str:
        """About as long as an answer, where no example shows one."""
        properties = self.codec.schema(False)["properties"]
        return json.dumps(
            {name: max(map(str, value.get("enum", ["a few words"])), key=len) for name, value in properties.items()}
        )

    def _read_all(self, prompts: Sequence[Prompt], replies: Mapping[int, Reply]) -> dict[int, PromptAnswer]:
        """Place → its answer, in order; a text that is too long has one without a reply."""
        answers: dict[int, PromptAnswer] = {}
        for place, prompt in enumerate(prompts):
            if place in replies:
                answers[place] = self._read(prompt, replies[place])
            elif not prompt.fits:
                nothing = replace(self.codec.read("", prompt.text).answer, usd=0.0)
                answers[place] = PromptAnswer(nothing, Reply(None, "too long", None, None, usd=0.0), "too long")
        return answers

    def _read(self, prompt: Prompt, reply: Reply) -> PromptAnswer:
        """The answer in a reply; one that was cut off counts only if its JSON is whole."""
        text = prompt.text
        if reply.text is None or not reply.text.strip():
            read = self.codec.read("", text)
            problem: Problem = "empty"
        else:
            read = self.codec.read(reply.text, text)
            problem = read.problem
        if reply.finish == "length" and (problem or "}" not in first_answer(reply.text or "")):
            read, problem = self.codec.read("", text), "cut off"
        elif problem and reply.finish in _REFUSED:  # a filter that acted while it was written
            problem = "refused"
        return PromptAnswer(replace(read.answer, usd=reply.usd), reply, problem, prompt.dropped)


class _KeepReplies:
    """Keeps each reply as it comes, at the place of its text."""

    def __init__(self, places: Sequence[int], replies: dict[int, Reply], then: OnReply | None) -> None:
        self._places, self._replies, self._then = list(places), replies, then

    def __call__(self, place: int, reply: Reply) -> None:
        self._replies[self._places[place]] = reply
        if self._then is not None:
            self._then(self._places[place], reply)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One per prompted rung that stands on its own; the others are made of the best of these.

    Attributes:
        prompt: Its prompt file.
        examples: How its examples are chosen.
        reasoning: Whether the model reasons in a few words before it answers.
    """

    prompt: str
    examples: Choice = "none"
    reasoning: bool = False


RECIPES: Mapping[str, Recipe] = {
    "lm_zero_shot": Recipe("zero_shot"),
    "lm_few_shot": Recipe("few_shot", "coverage"),
    # Examples have no reasoning to show, and a model does as its examples do: step by step goes without.
    "lm_chain_of_thought": Recipe("chain_of_thought", reasoning=True),
    "lm_retrieval": Recipe("retrieval", "nearest"),
}


def build(
    name: str,
    templates: Mapping[str, Template],
    codec: Codec,
    fitting: FitContext,
    model: LanguageModel,
    spec: LanguageModelSpec,
    shots: int,
) -> Prompted:
    """A prompted rung, ready to answer.

    Args:
        name: One of `RECIPES`.
        templates: Prompt file → template.
        codec: Of the use case.
        fitting: The rows it may show, and the encoder.
        model: Who answers.
        spec: What was declared of it.
        shots: Examples of a prompt.
    """
    recipe = RECIPES[name]
    examples = fit_examples(recipe.examples, fitting.rows, codec, fitting.embed, shots, fitting.seed)
    template = templates[recipe.prompt]
    constrained = spec.embedded is not None  # free decoding of so small a model gains nothing
    return Prompted(name, template, codec, spec, examples, constrained, recipe.reasoning, _opened=[model])
