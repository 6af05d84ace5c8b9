"""The optimiser finds what a reflecting model proposes; neither broken prompts nor an empty budget spoil it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import BudgetReachedError, ContextTooLongError, EndpointError, TailTuneError
from tailtune.core.language import Ask, OnReply, Reply
from tailtune.core.records import Answer, Row
from tailtune.predictors.prompted.examples import NoExamples
from tailtune.predictors.prompted.optimise import NAME, SearchResult, optimise, plan_effort
from tailtune.predictors.prompted.rung import Prompted
from tailtune.predictors.prompted.templates import Template
from tailtune.tasks.classification.replies import LabelCodec

LABELS = {"cats": "", "dogs": ""}
SPEC = LanguageModelSpec(name="double", endpoint="http://127.0.0.1:9/v1")
TAGS = "{% for one in labels %}{{ one.name }} {% endfor %}"
START = "Say which it is: {% for one in labels %}{{ one.name }} {% endfor %}"
BETTER = "Mind the purr. Say which it is: {% for one in labels %}{{ one.name }} {% endfor %}"
ROWS = [
    Row(str(at), f"text {at} {sound}", label, f"f:{at}")
    for at, (sound, label) in enumerate([("woof", "dogs"), ("purr", "cats")] * 20)
]


class Model:
    """Knows cats from dogs only when its system message has the word purr; else everything is a dog."""

    name = "double"

    def __init__(
        self, most_rows: int | None = None, error: type[TailTuneError] | None = None, usd: float | None = None
    ) -> None:
        self.systems: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self._usd = usd
        self._most, self._error = most_rows, error

    def ask(self, asks: Sequence[Ask], on_reply: OnReply | None = None) -> list[Reply]:
        replies: dict[int, Reply] = {}
        for place, ask in enumerate(asks):
            if self._most is not None and len(self.systems) >= self._most:
                if self._error is not None:
                    raise self._error("the endpoint is gone", "start it")
                raise BudgetReachedError("spent", "raise max_cost_usd", replies)
            system = "".join(one.content for one in ask.messages if one.role == "system")
            text = ask.messages[-1].content
            self.systems.append(system)
            self.requests.append((system, text))
            label = "cats" if "purr" in system and "purr" in text else "dogs"
            replies[place] = Reply(f'{{"label": "{label}"}}', "stop", 9, 3, usd=self._usd)
        return [replies[place] for place in range(len(asks))]

    def count_tokens(self, text: str) -> int:
        return len(text.split())


class Reflecting:
    """Says what it is told to say, one after the other; the last for ever."""

    name = "strong"

    def __init__(self, *says: str | Reply | Exception | None) -> None:
        self.says, self.requests = list(says), list[Ask]()

    def ask(self, asks: Sequence[Ask], on_reply: OnReply | None = None) -> list[Reply]:
        self.requests += asks
        text = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(text, Exception):
            raise text
        return [text if isinstance(text, Reply) else Reply(text, "stop", 50, 20)]

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def fenced(system: str) -> str:
    return f"Here they are:\n```jinja\n{system}\n```\n"


def rung(model: Model, system: str = START) -> Prompted:
    template = Template("zero_shot", system, "Text:\n{{ text }}\nAnswer:")
    return Prompted("lm_zero_shot", template, LabelCodec(LABELS), SPEC, NoExamples(), _opened=[model])


def right(row: Row, answer: Answer) -> float:
    return float(answer.value == row.label)


def search(reflecting: Reflecting, model: Model | None = None, calls: int = 200, seed: int = 17) -> SearchResult:
    return optimise(rung(model or Model()), ROWS, right, reflecting, calls, seed)


def found_by(reflecting: Reflecting, model: Model | None = None, calls: int = 200, seed: int = 17) -> Template:
    return search(reflecting, model, calls, seed).template


@pytest.mark.parametrize(("most", "system"), [(0, START), (20, START), (10_000, BETTER)])
def test_a_search_whose_time_is_over_ends_with_what_it_has(most: int, system: str) -> None:
    model, reflecting = Model(), Reflecting(fenced(BETTER))
    at_once = 4
    local = LanguageModelSpec(name="double", folder="lm", concurrency=at_once)
    timed = replace(rung(model), spec=local)
    found = optimise(timed, ROWS, right, reflecting, 200, is_late=lambda: len(model.requests) >= most)
    assert found.template.system == system
    assert len(model.requests) == found.answers <= max(most, at_once - 1) and (most > 0 or not reflecting.requests)


def test_the_word_that_helps_is_found() -> None:
    found = found_by(Reflecting(fenced(f"Look closely: {TAGS}"), fenced(BETTER)))
    assert found.system == BETTER
    assert found.name == NAME
    assert found.user == "Text:\n{{ text }}\nAnswer:"


def test_what_does_not_help_is_not_taken() -> None:
    found = found_by(Reflecting(fenced(f"Bark. {TAGS}")))
    assert found == rung(Model()).template


def test_the_reflecting_model_sees_instructions_failures_and_what_must_stay() -> None:
    reflecting = Reflecting(fenced(BETTER))
    found_by(reflecting)
    found = reflecting.requests[0].messages[0].content
    assert START in found
    assert '{"label": "dogs"}' in found
    assert 'Expected: {"label": "cats"}' in found
    assert "labels" in found.rpartition("Keep every Jinja2 expression")[2]
    assert len({ask.sample for ask in reflecting.requests}) == len(reflecting.requests)


@pytest.mark.parametrize(
    "system",
    [
        "purr, whatever they are called",
        "purr {{ labels[0].name",
        "purr {{ labels }} {{ lables }}",
        "purr {{ labels[9].name }}",
        "purr {{ labels[0].name }}",
        "purr {% for one in labels %}{% for one in labels %}{{ one.name }}{% endfor %}{% endfor %}",
        "purr {% for one in labels %}{{ one.name }} {% endfor %}{{ 'purr' * 99 }}",
        "purr {% for one in labels %}{{ one.name }} {% endfor %}{# purr #}",
        f"{TAGS}\n## User\npurr",
    ],
    ids=[
        "loses a variable",
        "not Jinja2",
        "unknown variable",
        "fails when rendered",
        "another tag",
        "a tag twice",
        "a multiplied string",
        "a comment",
        "a heading of a prompt file",
    ],
)
def test_a_broken_proposal_is_never_asked_nor_taken(system: str) -> None:
    model = Model()
    found = found_by(Reflecting(fenced(system)), model)
    assert found == rung(model).template
    assert model.systems, "nothing was tried"
    assert not any("purr" in one for one in model.systems)


def test_a_prompt_without_a_system_message_may_get_one() -> None:
    found = optimise(rung(Model(), ""), ROWS, right, Reflecting("Mind the purr."), 200).template
    assert found.system == "Mind the purr."


@pytest.mark.parametrize("calls", [10, 37, 200])
def test_no_more_rows_are_asked_for_than_allowed(calls: int) -> None:
    model = Model()
    found_by(Reflecting(fenced(BETTER)), model, calls)
    assert 0 < len(model.systems) <= calls


def test_the_same_seed_tries_the_same() -> None:
    tried = []
    for seed in (1, 1, 2):
        reflecting = Reflecting(fenced(f"Bark. {TAGS}"))
        found_by(reflecting, seed=seed)
        tried.append([ask.messages[0].content for ask in reflecting.requests])
    assert tried[0] == tried[1] != tried[2]


@pytest.mark.parametrize("rows", [5, 22, 28])
def test_an_empty_budget_ends_the_search(rows: int) -> None:
    with pytest.raises(BudgetReachedError, match="spent"):
        found_by(Reflecting(fenced(BETTER)), Model(most_rows=rows))
    with pytest.raises(BudgetReachedError, match="spent"):
        found_by(Reflecting(BudgetReachedError("spent", "x", {})))


@pytest.mark.parametrize("says", [None, "", ContextTooLongError("long", "x")])
def test_a_reflecting_model_that_says_nothing_changes_nothing(says: Any) -> None:
    assert found_by(Reflecting(says)) == rung(Model()).template


def test_a_row_is_asked_once_and_a_prompt_without_fault_ends_the_search() -> None:
    model, reflecting = Model(), Reflecting(fenced(BETTER))
    assert found_by(reflecting, model, calls=2000).system == BETTER
    assert len(reflecting.requests) == 1
    assert len(model.requests) == len(set(model.requests)) <= 2 * (20 + 4)


def test_what_was_cut_off_is_not_tried() -> None:
    model = Model()
    reflecting = Reflecting(Reply(f"```\n{BETTER}", "length", 50, 20))
    assert found_by(reflecting, model) == rung(Model()).template
    assert set(model.systems) == {"Say which it is: cats dogs"}


def test_what_a_search_took_and_brought_is_told() -> None:
    heard: list[int] = []
    model, reflecting = Model(), Reflecting(Reply(fenced(f"Bark. {TAGS}"), "stop", 9, 9, usd=0.5),
                                            Reply(fenced(BETTER), "stop", 9, 9, usd=0.25))  # fmt: skip
    found = optimise(rung(model), ROWS, right, reflecting, 200, on_answers=heard.append)
    assert (found.source, found.rows, found.after) == ("zero_shot", 20, 1.0)
    assert 0.3 < found.before < 0.7
    assert (found.answers, found.reflections) == (len(model.systems), len(reflecting.requests))
    assert found.usd is None, "the double's answers have no price"
    assert heard == sorted(heard) and heard[-1] == found.answers


def test_dollars_are_those_of_answers_and_reflections() -> None:
    model, reflecting = (
        Model(usd=0.01),
        Reflecting(Reply(fenced(f"Bark. {TAGS}"), "stop", 9, 9, usd=0.5)),
    )
    found = optimise(rung(model), ROWS, right, reflecting, 60)
    assert found.reflections >= 2
    assert found.usd == pytest.approx(found.answers * 0.01 + found.reflections * 0.5)


@pytest.mark.parametrize(
    "says",
    [
        fenced(f"Bark. {TAGS}"),
        fenced("nothing"),
        fenced(START),
        None,
        "no {{",
    ],
)
@pytest.mark.parametrize("calls", [10, 37, 200])
def test_reflections_are_no_more_than_was_told_before(says: str | None, calls: int) -> None:
    reflecting = Reflecting(says)
    found_by(reflecting, calls=calls)
    text = plan_effort(len(ROWS), calls).reflections
    assert text / 2 <= len(reflecting.requests) <= text


@pytest.mark.parametrize("who", ["rung", "reflecting"])
def test_a_lost_endpoint_is_told(who: str) -> None:
    model = Model(most_rows=50, error=EndpointError) if who == "rung" else Model()
    says: str | Exception = fenced(f"Bark. {TAGS}") if who == "rung" else EndpointError("gone", "start it")
    with pytest.raises(EndpointError, match="gone"):
        found_by(Reflecting(says), model)


def test_progress_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found_by(Reflecting(fenced(BETTER)))
    assert capsys.readouterr() == ("", "")


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rows, expected at least 4"):
        optimise(rung(Model()), ROWS[:3], right, Reflecting(BETTER), 200)


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gepa", None)
    with pytest.raises(TailTuneError, match=r"gepa is not installed: pip install 'tailtune\[optimise\]'"):
        found_by(Reflecting(BETTER))
