"""A toy project whose prompts were measured already, with scripted answers; and a model that answers from a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from project import LABELS, NAME, make, rows_of

from tailtune.config.paths import Paths
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import BudgetReachedError, EndpointError
from tailtune.core.language import Ask, OnReply, Reply
from tailtune.core.records import Estimate, Latency, Row
from tailtune.core.reports import PromptedRung, PromptReport
from tailtune.predictors.prompted.examples import Choice, fit_examples
from tailtune.predictors.prompted.rung import Prompted
from tailtune.predictors.prompted.templates import Template
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.classification.replies import LabelCodec
from tailtune.tasks.use_case import load_use_case

BASE = {"name": "small", "role": "base", "endpoint": "http://127.0.0.1:9/v1"}
STRONG = {"name": "big", "role": "strong", "endpoint": "http://127.0.0.1:9/v1"}
TEMPLATE = Template("few_shot", "", "{% for one in examples %}{{ one.text }}\n{% endfor %}Text:\n{{ text }}\nAnswer:")
MISTAKEN = {"card_lost": "card_stolen", "card_stolen": "card_lost", "login": "password"}
"""What the prompted model says instead of these labels; it is right about all others."""


@dataclass
class Scripted:
    """Answers by what stands in the prompt; remembers what it was asked.

    Attributes:
        says: Text → label.
        budget: Requests it answers before the money ends.
    """

    says: Mapping[str, str]
    budget: int = 10_000
    name: str = "big"
    requests: list[Ask] = field(default_factory=list)
    fails: bool = False

    def ask(self, asks: Sequence[Ask], on_reply: OnReply | None = None) -> list[Reply]:
        if self.fails:
            raise EndpointError("127.0.0.1:9: nobody answers", "start it")
        replies: dict[int, Reply] = {}
        for place, one in enumerate(asks):
            if place == self.budget:
                raise BudgetReachedError("the limit is reached", "raise it", replies)
            self.requests.append(one)
            text = one.messages[-1].content.rpartition("Text:\n")[2].partition("\nAnswer:")[0]
            replies[place] = Reply(f'{{"label": "{self.says[text]}"}}', "stop", 10, 3)
            if on_reply is not None:
                on_reply(place, replies[place])
        return [replies[place] for place in range(len(asks))]

    def count_tokens(self, text: str) -> int:
        return len(text) // 3


def project(
    root: Path,
    *,
    choice: Choice = "coverage",
    strong: bool = True,
    witness: bool = True,
    answered_by: Mapping[str, str | None] | None = None,
    prompt_spec: Mapping[str, Any] | None = None,
) -> tuple[Paths, dict[str, Row]]:
    """The toy project after `prompt`; returns the failing rows by text besides.

    Args:
        root: Where.
        choice: Which examples the prompt shows.
        strong: Whether a stronger model is declared.
        witness: Whether a local rung was measured.
        said: Text → what the prompted model answered instead of what `MISTAKEN` says.
        prompt_spec: Keys of the section `prompt` that are otherwise than usual.
    """
    models = [BASE, STRONG] if strong else [BASE]
    paths = make(root, {"prompt": {"models": models, "shots": 6, **(prompt_spec or {})}})
    dev, train = rows_of(paths, "dev"), rows_of(paths, "train")
    answers = {row.text: MISTAKEN.get(row.label, row.label) for row in dev} | dict(answered_by or {})
    prompt = paths.case(NAME).stage("prompt")
    lines = [
        {"id": row.id, "origin": row.origin, "expected": row.label, "lm_few_shot": answers[row.text]} for row in dev
    ]
    store.write_jsonl(prompt / "answers.jsonl", lines)
    _save_prompt(prompt / "rungs" / "lm_few_shot", train, choice)
    if witness:
        _save_witness(paths, train, dev)
    report(paths, "lm_few_shot", len(dev))
    return paths, {row.text: row for row in dev if answers[row.text] != row.label}


def report(paths: Paths, best: str | None, rows: int = 0, **changes: Any) -> None:
    """Write what `prompt` reports."""
    train, dev = rows_of(paths, "train"), rows_of(paths, "dev")
    quality = Estimate(value=0.6, low=0.5, high=0.7, rows=rows)
    latency = Latency(p50_ms=1, p95_ms=1, p99_ms=1, mean_ms=1, rows=rows)
    rungs = [
        PromptedRung(
            name=best, title=saved.title(best), metrics={"accuracy": quality}, latency=latency, fit_s=0, fit_rows=0,
            model="small", role="base", prompt="few_shot", prompt_digest=TEMPLATE.digest, settled="all rows",
            of_rows=rows,
        )
    ] if best else []  # fmt: skip
    content = {"rows_digest": store.rows_digest(train, dev), "rungs": tuple(rungs), "best": best, **changes}
    store.write_report(paths.case(NAME).report("prompt"), PromptReport(use_case=NAME, stage="prompt", **content))


def _save_prompt(folder: Path, train: Sequence[Row], choice: Choice) -> None:
    def embed(texts: Sequence[str]) -> Any:
        import numpy as np

        return np.ones((len(texts), 384), dtype=np.float32)

    codec = LabelCodec(LABELS)
    examples = fit_examples(choice, train, codec, embed, shots=6, seed=17)
    folder.mkdir(parents=True)
    Prompted("lm_few_shot", TEMPLATE, codec, LanguageModelSpec.model_validate(BASE), examples).save(folder)
    saved.write_card(folder, saved.RUNG_KINDS["lm_few_shot"], ())


def _save_witness(paths: Paths, train: Sequence[Row], dev: Sequence[Row]) -> None:
    """TF-IDF, which needs no encoder."""
    case = load_use_case(paths, NAME)
    rung = saved.RUNG_KINDS["tfidf"].load_class().fit(case.task.fit_context(train, lambda texts: None))
    folder = paths.case(NAME).stage("ladder") / "rungs" / "tfidf"
    folder.mkdir(parents=True)
    rung.save(folder)
    saved.write_card(folder, saved.RUNG_KINDS["tfidf"], ())
    answers = {"tfidf": [answer.value for answer in rung.answer([row.text for row in dev])]}
    store.write_answers(paths.case(NAME).stage("ladder") / "dev_answers.jsonl", dev, answers)
