"""Say of each failure of the best prompt on dev whether the model, the context or the label is at fault."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import MissingInputError, PartlyAnsweredError
from tailtune.core.language import LanguageModel
from tailtune.core.money import Usd
from tailtune.core.progress import counting
from tailtune.core.records import Answer, Row
from tailtune.core.reports import DiagnoseReport, PromptedRung, PromptReport
from tailtune.judge import diagnose
from tailtune.judge.diagnose import FAULTS, Failure, Places, Reason, Shown
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import language_models
from tailtune.predictors.prompted.examples import Coverage, Examples, Nearest
from tailtune.predictors.prompted.rung import Prompted
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.base import RowAnswers
from tailtune.tasks.prompts import has_own_prompts

NO_PROMPT = "failures of a prompt (no prompt of the base model was measured)"
NO_WITNESS = "which labels are suspect to a second model (no local rung that learns was measured)"
NO_STRONG = (
    "which failures a stronger model would get right (no model with the role strong is declared in prompt.models)"
)
# Best first, by what they measure on most data; the ladder may have measured any of them, or none.
WITNESSES = ("probe", "tfidf", "retrieval", "token_probe", "template", "patterns")
FAILURES = "failures.jsonl"


def run(context: Context) -> DiagnoseReport:
    """Ask the stronger model for the failing rows alone, and class every failure.

    Raises:
        MissingInputError: The stage `prompt` has not run, or ran on other rows.
        EndpointError: The stronger model's endpoint does not answer; what was answered is kept and not paid again.
    """
    digest, dev = context.inputs.rows_digest, context.inputs.rows("dev")
    prompted = context.inputs.report(PromptReport)
    store.note_rows(context.out, digest)
    report = DiagnoseReport(use_case=context.case.name, stage="diagnose", rows_digest=digest)
    best = next((rung for rung in prompted.rungs if rung.name == prompted.best), None)
    if best is None:
        _write_failures(context, (), ())
        context.progress.say("no prompt was measured: there is nothing to diagnose")
        return report.model_copy(update={"unmeasured": (NO_PROMPT,)})
    tried = diagnose.no_better(best, prompted.rungs, context.case.spec.targets.min_effect)
    return _diagnosed(context, best, tried, _read_failing(context, best.name, dev), dev, report)


@dataclass(frozen=True)
class Witness:
    """One per use case: the best local rung, which was fitted on train rows and never saw the dev rows.

    Attributes:
        name: The rung; empty when there is none.
        answers: Row's id → its answer.
        suspect: Ids of rows whose label confident learning calls unlikely.
        unmeasured: Why no label was looked at; empty when they were.
    """

    name: str = ""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    suspect: frozenset[str] = frozenset()
    unmeasured: str = ""


@dataclass
class Failing:
    """One per diagnosis: the rows that the prompt got wrong, and what is known of each.

    Attributes:
        rows: n of them.
        answers: The prompt's to these rows, n of them.
        answered: Number of rows that the prompt answered, the right ones too.
        strong: Place of a row → the stronger model's answer.
        examples: Labels of the examples in each row's prompt, n of them; empty before they were looked up.
        shown: Which examples the prompt shows.
        usd_spent: Paid for asking again; None when the cost of an answer is not known.
    """

    rows: list[Row]
    answers: list[Answer]
    answered: int
    strong: dict[int, Answer] = field(default_factory=dict)
    examples: list[list[str]] = field(default_factory=list)
    shown: Shown = "none"
    witness: Witness = field(default_factory=Witness)
    usd_spent: Usd | None = 0.0


def _diagnosed(
    context: Context,
    best: PromptedRung,
    tried: Mapping[str, str],
    failing: Failing,
    dev: Sequence[Row],
    report: DiagnoseReport,
) -> DiagnoseReport:
    strong = context.case.spec.prompt.model("strong")
    if failing.rows:
        _ask_again(context, best.name, failing)
        failing.witness = _witness(context, dev)
    failures = _failures_of(context, failing)
    reasons = diagnose.explain(failures, failing.shown, strong is not None)
    places = replace(_places_of(context, best.prompt, failures), tried=tried, shows_examples=failing.shown != "none")
    classes = diagnose.classes(failures, reasons, places)
    assert sum(group.rows for group in classes) == len(failing.rows)  # noqa: S101 - no failure may vanish
    _write_failures(context, failures, reasons)
    for group in classes:
        context.progress.say(f"{group.rows:,} of {len(failures):,} failures, {group.reason}: {group.action}")
    unmeasured = [NO_STRONG] if strong is None else []
    if failures and not failing.witness.name:
        unmeasured.append(NO_WITNESS)
    if failing.witness.unmeasured:
        unmeasured.append(failing.witness.unmeasured)
    missing = Counter(reasons)["not asked again"]
    if missing:
        unmeasured.append(
            f"{missing:,} of {len(failures):,} failures with the stronger model (prompt.max_cost_usd is spent)"
        )
    return report.model_copy(
        update={
            "rung": best.name,
            "strong_model": None if strong is None else strong.name,
            "rows": failing.answered,
            "failures": len(failures),
            "classes": classes,
            "mixed_up": diagnose.mixed_up(failures),
            "usd_spent": failing.usd_spent,
            "unmeasured": tuple(unmeasured),
        }
    )


def _read_failing(context: Context, name: str, dev: Sequence[Row]) -> Failing:
    """What a rung answered wrongly, as the stage `prompt` wrote it down.

    Raises:
        MissingInputError: The answers are not there, or are of other rows.
    """
    case, file = context.case, "prompt/answers.jsonl"
    by_id = {row.id: row for row in dev}
    lines = [line for line in context.inputs.jsonl(file) if name in line]
    strange = [line["origin"] for line in lines if line["id"] not in by_id]
    if strange or not lines:
        what = f"{len(strange):,} answers to rows that are not in dev, first {strange[0]}" if strange else "no answers"
        shown = context.shown(context.inputs.folder(file))
        raise MissingInputError(f"{shown}: {what} of {name}", f"tailtune prompt {case.name}")
    rows, answers = [by_id[line["id"]] for line in lines], [Answer(line[name], math.nan) for line in lines]
    right = case.task.score(rows, answers).right
    wrong = [place for place, good in enumerate(right) if not good]
    return Failing([rows[place] for place in wrong], [answers[place] for place in wrong], len(rows))


def _ask_again(context: Context, name: str, failing: Failing) -> None:
    """Ask the stronger model for the failing rows, with the prompt that failed.

    Where the money ends early, the rows after that are left without an answer.

    Args:
        context: Of the stage.
        name: The rung that failed.
        failing: Its failures; takes the stronger model's answers, the examples of each prompt, and the cost.

    Raises:
        EndpointError: The stronger model's endpoint does not answer.
        TailTuneError: The saved rung cannot be read.
    """
    texts = [row.text for row in failing.rows]
    rung = saved.load(context.inputs.folder(f"prompt/rungs/{name}"))
    assert isinstance(rung, Prompted)  # noqa: S101 - the stage `prompt` saves nothing else
    failing.shown = _shown(rung.examples)
    strong = context.case.spec.prompt.model("strong")
    with language_models(context) as models:
        failing.examples = [[] for _ in texts]
        if failing.shown != "none":
            base = rung.using(models.open(rung.spec), rung.spec)
            failing.examples = [[example.label for example in shown] for shown in base.examples_for(texts)]
        if strong is not None:
            context.progress.say(f"asking {strong.name} again for {len(texts):,} failing rows, with the same prompt")
            failing.strong = _answers_of(context, rung, models.open(strong), strong, texts)
        failing.usd_spent = models.budget.spent_usd


def _answers_of(
    context: Context, rung: Prompted, model: LanguageModel, spec: LanguageModelSpec, texts: Sequence[str]
) -> dict[int, Answer]:
    """Place of a text → a model's answer to it, with a rung's prompt; fewer where the money ends early."""
    show = counting(context.progress, len(texts), f"asking {spec.name} again")
    try:
        replies = dict(enumerate(rung.using(model, spec).ask(texts, on_reply=show)))
    except PartlyAnsweredError as out:
        replies = dict(out.answers)
    return {place: reply.answer for place, reply in replies.items()}


def _shown(examples: Examples) -> Shown:
    if isinstance(examples, Nearest):
        return "retrieved"
    return "fixed" if isinstance(examples, Coverage) else "none"


def _witness(context: Context, dev: Sequence[Row]) -> Witness:
    """What the best saved local rung says of all dev rows, and which labels confident learning then suspects.

    All dev rows are looked at, not the failing ones alone: what is usual for a class shows on its right rows.

    Raises:
        MissingInputError: The ladder's answers are not there.
    """
    folders = {name: context.inputs.folder(f"ladder/rungs/{name}") for name in WITNESSES}
    name = next((name for name, folder in folders.items() if folder.is_dir()), "")
    if not name:
        return Witness()
    lines = context.inputs.jsonl("ladder/dev_answers.jsonl")
    answers = {line["id"]: Answer(line[name], math.nan) for line in lines if name in line}
    rung = saved.load(folders[name])
    from tailtune.tasks.classification.rungs import Classifier, label_index

    if not isinstance(rung, Classifier):  # it gives no probabilities over a label set
        return Witness(name, answers)
    from tailtune.services.label_issues import suspects, too_many

    if reason := too_many(len(dev), len(rung.labels)):
        return Witness(name, answers, unmeasured=reason)
    unlikely = suspects(label_index(rung.labels, dev), rung.probabilities([row.text for row in dev]))
    return Witness(name, answers, frozenset(row.id for row, bad in zip(dev, unlikely, strict=True) if bad))


def _failures_of(context: Context, failing: Failing) -> list[Failure]:
    """Every failure with its wrong parts, in the order in which rows were bought."""
    task, witness = context.case.task, failing.witness
    failures = []
    for place, row in enumerate(failing.rows):
        answers = RowAnswers(
            answer=failing.answers[place],
            strong=failing.strong.get(place),
            local=witness.answers.get(row.id),
            suspect=row.id in witness.suspect,
            shown=failing.examples[place] if failing.examples else None,
        )
        failures.append(Failure(row.id, row.origin, row.text, task.wrong_parts(row, answers)))
    return failures


def _write_failures(context: Context, failures: Sequence[Failure], reasons: Sequence[Reason]) -> None:
    """Every failure with its reason, one per line."""

    def lines() -> Iterator[dict[str, Any]]:
        for failure, reason in zip(failures, reasons, strict=True):
            rest = asdict(failure)
            first = {"id": rest.pop("id"), "origin": rest.pop("origin")}
            yield {**first, "fault": FAULTS[reason], "reason": reason, **rest}

    store.write_jsonl(context.out / FAILURES, lines())


def _places_of(context: Context, prompt: str, failures: Sequence[Failure]) -> Places:
    """Where a person finds what is to be changed: files, and lines of the labels or fields that failed.

    Args:
        context: Of the stage.
        prompt: Prompt file's name without its ending.
        failures: Whose labels and fields are looked up.
    """
    case, paths, shown = context.case, context.paths, context.shown
    strong = case.spec.prompt.model("strong")
    parts = [part for failure in failures for part in failure.parts]
    names = {part.name or part.expected for part in parts}
    names |= {name.partition(": ")[0] for part in parts for name in part.pair or ()}
    written_by = "" if has_own_prompts(case) else f" (tailtune prompts {case.name} writes it)"
    return Places(
        use_case=case.name,
        prompt=shown(paths.prompts / f"{prompt}.md") + written_by,
        model_yaml=shown(paths.model_yaml),
        answers=shown(case.answers_file),
        data=shown(paths.data),
        failures=shown(context.out / FAILURES),
        strong="" if strong is None else strong.name,
        lines=_lines(context.inputs.answers_file.read_text(encoding="utf-8"), names),
    )


def _lines(text: str, names: set[str]) -> dict[str, int]:
    """Name → the first line that has it as a key, in YAML or JSON; names that are no key are left out."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        key = re.match(r"""\s*(["']?)(.+?)\1\s*:""", line)
        if key is not None and key[2] in names:
            found.setdefault(key[2], number)
    return found
