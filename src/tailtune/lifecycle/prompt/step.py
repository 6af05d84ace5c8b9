"""Measure prompted language models on the dev rows, no further than the question needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tailtune.config.prompting import PromptSpec, most_rows
from tailtune.core.records import Row
from tailtune.core.reports import RAN_OUT, LadderReport, PromptedRung, PromptReport
from tailtune.judge.constraints import stays
from tailtune.judge.sequential import stratified
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.evidence import candidates_of, line_of, targets_of
from tailtune.lifecycle.language_models import language_models, weight_digests
from tailtune.lifecycle.prompt.buying import Bought, adjusted, compared, result
from tailtune.lifecycle.prompt.evaluation import PromptEvaluation
from tailtune.lifecycle.prompt.forecast import Forecast, cost_line, total_usd
from tailtune.lifecycle.prompt.make import RungFactory, best_prompt
from tailtune.lifecycle.prompt.search import notes_of, origin_of
from tailtune.predictors.prompted.embedded import lacking
from tailtune.predictors.prompted.templates import Template
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.prompts import templates_of

ANSWERS = "answers.jsonl"
NO_MODEL = "prompted language models (prompt.models is empty)"


def run(context: Context) -> PromptReport:
    """Prompt the declared models on the dev rows, rung by rung, and stop when nothing more can change the verdict.

    Raises:
        MissingInputError: The ladder has not run, or a prompt file is missing.
        SpecError: A prompt file or a price is not as it must be.
        EndpointError: An endpoint does not answer; what was answered is kept and not paid again.
    """
    case, spec, inputs = context.case, context.case.spec.prompt, context.inputs
    dev, ladder = inputs.rows("dev"), inputs.report(LadderReport)
    store.note_rows(context.out, inputs.rows_digest)
    report = PromptReport(
        use_case=case.name,
        stage="prompt",
        rows_digest=inputs.rows_digest,
        models={model.name: model.role for model in spec.models},
        embedded=tuple(model.name for model in spec.models if model.embedded),
        missing=tuple(model.name for model in spec.models if lacking(model)),
        dev_rows=len(bought_order(context, dev)),
    )
    if not spec.models:
        context.progress.say("prompt.models is empty: nothing is prompted")
        return report.model_copy(update={"unmeasured": (NO_MODEL,)})
    missing = not_installed(spec)
    if missing:
        context.progress.say(f"nothing is prompted: {missing}")
        return report.model_copy(update={"unmeasured": (f"prompted language models ({missing})",)})
    targets = targets_of(case.spec.targets, ladder)
    line = line_of(ladder.rungs)
    local = candidates_of(ladder)
    good = [rung for rung in local if stays(rung, targets, line, len(local))]
    if good and spec.stop == "settled":
        why = f"{good[0].title} meets the target without it"
        context.progress.say(f"nothing is bought: {why}")
        return report.model_copy(update={"not_needed": dict.fromkeys(spec.rungs, why)})
    return _measured(context, report, ladder, bought_order(context, dev))


def not_installed(spec: PromptSpec) -> str:
    """Which declared model is not installed, and how to install it; empty when all are there."""
    return "; ".join(filter(None, map(lacking, spec.models)))


def bought_order(context: Context, dev: Sequence[Row]) -> list[Row]:
    """Dev rows in the order in which they are bought: every beginning has each class in proportion.

    As many as the declared model takes that may have most.
    """
    task, spec = context.case.task, context.case.spec.prompt
    most = max((most_rows(spec, model, task.most_items()) for model in spec.models), default=0)
    return [dev[place] for place in stratified(dev, task.codec().keys)][:most]


@contextmanager
def rung_factory(context: Context, train: Sequence[Row]) -> Iterator[RungFactory]:
    """A factory of prompted rungs, for as long as the models are open.

    Args:
        context: The stage's.
        train: Rows that prompts may show.

    Raises:
        MissingInputError: A prompt file is missing.
        SpecError: A prompt file or a price is not as it must be.
    """
    case = context.case
    codec = case.task.codec()
    templates = templates_of(case, codec)
    with language_models(context) as models:
        yield RungFactory(context, train, codec, templates, models)


def _measured(context: Context, report: PromptReport, ladder: LadderReport, rows: Sequence[Row]) -> PromptReport:
    """Open the models, say what measuring will cost, buy what is needed, and fill the report.

    Args:
        context: The stage's.
        report: As far as it is known.
        ladder: The local rungs.
        rows: Dev rows in the order in which they are bought.
    """
    weights = weight_digests(context)
    with rung_factory(context, context.inputs.rows("train")) as factory:
        forecasts = factory.forecasts(rows)
        context.progress.say(cost_line(forecasts, context.case.spec.prompt))
        for line in factory.warnings():
            context.progress.say(line)
        evaluation = PromptEvaluation(factory, rows)
        evaluation.run(ladder)
        spent = factory.models.budget.spent_usd
    rungs = _results(context, evaluation, _registered(context, evaluation))
    _save(context, evaluation)
    best = best_prompt(evaluation.bought)
    return report.model_copy(
        update={
            "weights": weights,
            "rungs": rungs,
            "best": best,
            "usd_spent": spent,
            "usd_estimated": total_usd(forecasts),
            "rows_bought": sum(bought.count for bought in (*evaluation.bought.values(), *evaluation.unusable.values())),
            **_saved(evaluation, rungs, forecasts),
            "not_needed": evaluation.not_needed,
            "left_out": {saved.title(name): why for name, why in evaluation.left_out.items()},
            "unmeasured": tuple(evaluation.unmeasured) + _unknown_costs(rungs),
            "notes": _lost(factory),
        }
    )


def _registered(context: Context, evaluation: PromptEvaluation) -> Mapping[str, int]:
    """Every prompt file, and the prompt that was searched if a rung sends it, in the registry: name → version."""
    texts = {name: template.text for name, template in evaluation.factory.templates.items()}
    sent = {bought.rung.template.name: bought.rung.template.text for bought in evaluation.bought.values()}
    found = evaluation.factory.found
    origins = {} if found is None else {found.template.name: origin_of(found)}
    return context.tracker.prompts(texts | sent, origins)


def _results(context: Context, evaluation: PromptEvaluation, versions: Mapping[str, int]) -> tuple[PromptedRung, ...]:
    found, hour = [], context.inputs.prices.cpu_core_hour_usd
    for name, bought in evaluation.bought.items():
        against = evaluation.against[name]
        rung = result(context.case, name, bought, versions.get(bought.rung.template.name), hour)
        pair = compared(context.case, bought, against.answers(), (name, against.name))
        notes = rung.notes + _searched(context, evaluation, name)
        found.append(rung.model_copy(update={"comparison": pair, "notes": notes}))
    return adjusted(found)


def _searched(context: Context, evaluation: PromptEvaluation, name: str) -> tuple[str, ...]:
    """Notes on a rung whose prompt was searched, and so is in no file of the use case."""
    found = evaluation.factory.found
    if found is None or evaluation.bought[name].rung.template != found.template:
        return ()
    return notes_of(found, context.case, context.shown(_text(context, name, found.template)))


def _text(context: Context, name: str, template: Template) -> Path:
    return context.out / "rungs" / name / f"{template.name}.md"


def _save(context: Context, evaluation: PromptEvaluation) -> None:
    """The rungs as they can be brought back, and every answer that was bought."""
    for name, bought in evaluation.bought.items():
        rung = context.out / "rungs" / name
        rung.mkdir(parents=True)
        bought.rung.save(rung)
        saved.write_card(rung, saved.RUNG_KINDS[name], context.case.spec.curate.scrub_pii)
        template = bought.rung.template
        if template.name not in evaluation.factory.templates:  # the others are files already
            _text(context, name, template).write_text(template.text, encoding="utf-8")
    store.write_jsonl(context.out / ANSWERS, _lines(evaluation.rows, evaluation.bought))


def _lines(rows: Sequence[Row], bought: Mapping[str, Bought]) -> Iterator[dict[str, str | None]]:
    for place, row in enumerate(rows):
        answers = {name: rung.answered[place].answer.value for name, rung in bought.items() if place < rung.count}
        if answers:
            yield {"id": row.id, "origin": row.origin, "expected": str(row.label), **answers}


def _saved(
    evaluation: PromptEvaluation, rungs: Sequence[PromptedRung], forecasts: Sequence[Forecast]
) -> dict[str, float | None]:
    """Shares of rows and dollars that buying less has saved, of a full evaluation of all rungs that could be measured.

    Dollars of rows that were not bought: as those that were; of a rung without any, as forecast.
    """
    expected = {forecast.name: forecast.usd for forecast in forecasts}
    rows, dollars = 0, 0.0
    paid: float | None = 0.0
    whole = [rung for rung in rungs if rung.settled not in RAN_OUT]  # what ran out has saved nothing
    for rung in whole:
        rows += rung.of_rows
        if rung.usd is None or paid is None:
            paid = None
        else:
            paid += rung.usd
            dollars += rung.usd / rung.quality.rows * rung.of_rows
    for name in evaluation.stopped:
        rows += len(evaluation.rows)
        more = expected.get(name)
        paid = None if more is None else paid
        dollars += more or 0.0
    bought = sum(rung.quality.rows for rung in whole)
    return {
        "rows_saved_share": 1 - bought / rows if rows else None,
        "usd_saved_share": 1 - paid / dollars if paid is not None and dollars > 0 else None,
    }


def _lost(factory: RungFactory) -> tuple[str, ...]:
    """Requests that may have been charged without an answer."""
    lost = factory.models.budget.lost_requests
    note = f"{lost:,} requests were lost on the way; the endpoint may have charged them, and they are in no sum here"
    return (note,) if lost else ()


def _unknown_costs(rungs: Sequence[PromptedRung]) -> tuple[str, ...]:
    return tuple(
        f"cost of {rung.title}: {rung.unpriced_rows:,} answers without usage or price"
        for rung in rungs
        if rung.usd is None
    )
