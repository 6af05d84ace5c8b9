"""The whole measuring: open the models, tell what it will cost, buy, and write down what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tailtune.config.prices import load_prices
from tailtune.core.records import Row
from tailtune.core.reports import LadderReport, PromptedRung, PromptReport
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import language_models, weight_digests
from tailtune.lifecycle.prompt import optimising
from tailtune.lifecycle.prompt.buying import Bought
from tailtune.lifecycle.prompt.campaign import Campaign
from tailtune.lifecycle.prompt.forecast import Forecast, said, total
from tailtune.lifecycle.prompt.kitchen import Kitchen, best_prompt
from tailtune.lifecycle.prompt.results import adjusted, compared, result
from tailtune.predictors.prompted.templates import Template, load_templates
from tailtune.services import store
from tailtune.tasks import saved

ANSWERS = "answers.jsonl"


@contextmanager
def kitchen_of(context: Context, train: Sequence[Row]) -> Iterator[Kitchen]:
    """Everything that prompted rungs are made of, for as long as the models are open."""
    case = context.case
    codec = case.task.codec()
    templates = load_templates(case, codec)
    with language_models(context) as models:
        yield Kitchen(context, train, codec, templates, models)


def measure(
    context: Context, report: PromptReport, ladder: LadderReport, train: Sequence[Row], rows: Sequence[Row]
) -> PromptReport:
    """Buy what is needed and fill the report.

    Args:
        context: The stage's.
        report: As far as it is known.
        ladder: The local rungs.
        train: Rows that prompts may show.
        rows: Dev rows in the order in which they are bought.
    """
    weights = weight_digests(context)
    with kitchen_of(context, train) as kitchen:
        forecasts = kitchen.forecasts(rows)
        context.progress.say(said(forecasts, context.case.spec.prompt))
        for line in kitchen.warnings():
            context.progress.say(line)
        campaign = Campaign(kitchen, rows)
        campaign.run(ladder)
        spent = kitchen.models.budget.spent_usd
    rungs = _results(context, campaign, _registered(context, campaign))
    _save(context, campaign)
    best = best_prompt(campaign.bought)
    return report.model_copy(
        update={
            "weights": weights,
            "rungs": rungs,
            "best": best,
            "usd_spent": spent,
            "usd_estimated": total(forecasts),
            "rows_bought": sum(held.count for held in campaign.bought.values()),
            **_saved(campaign, rungs, forecasts),
            "not_needed": campaign.not_needed,
            "unmeasured": tuple(campaign.unmeasured) + _unknown_costs(rungs),
            "notes": _lost(kitchen),
        }
    )


def _registered(context: Context, campaign: Campaign) -> Mapping[str, int]:
    """Every prompt file, and the prompt that was searched if a rung sends it, in the registry: name → version."""
    texts = {name: one.text for name, one in campaign.kitchen.templates.items()}
    sent = {held.rung.template.name: held.rung.template.text for held in campaign.bought.values()}
    found = campaign.kitchen.found
    origins = {} if found is None else {found.template.name: optimising.origin_of(found)}
    return context.tracker.prompts(texts | sent, origins)


def _results(context: Context, campaign: Campaign, versions: Mapping[str, int]) -> tuple[PromptedRung, ...]:
    found, hour = [], load_prices(context.project).cpu_core_hour_usd
    for name, held in campaign.bought.items():
        against = campaign.against[name]
        rung = result(context.case, name, held, versions.get(held.rung.template.name), hour)
        pair = compared(context.case, held, against.answers(), (name, against.name))
        notes = rung.notes + _searched(context, campaign, name)
        found.append(rung.model_copy(update={"comparison": pair, "notes": notes}))
    return adjusted(found)


def _searched(context: Context, campaign: Campaign, name: str) -> tuple[str, ...]:
    """What is to be said of a rung whose prompt is in no file of the use case."""
    found = campaign.kitchen.found
    if found is None or campaign.bought[name].rung.template != found.template:
        return ()
    return optimising.notes_of(found, context.case, context.project.shown(_text(context, name, found.template)))


def _text(context: Context, name: str, template: Template) -> Path:
    return context.paths.stage("prompt") / "rungs" / name / f"{template.name}.md"


def _save(context: Context, campaign: Campaign) -> None:
    """The rungs as they can be brought back, and every answer that was bought."""
    folder = context.paths.stage("prompt")
    for name, held in campaign.bought.items():
        rung = folder / "rungs" / name
        rung.mkdir(parents=True)
        held.rung.save(rung)
        saved.write_card(rung, saved.RUNG_KINDS[name], context.case.spec.curate.scrub_pii)
        template = held.rung.template
        if template.name not in campaign.kitchen.templates:  # the others are files already
            _text(context, name, template).write_text(template.text, encoding="utf-8")
    store.write_jsonl(folder / ANSWERS, _lines(campaign.rows, campaign.bought))


def _lines(rows: Sequence[Row], bought: Mapping[str, Bought]) -> Iterator[dict[str, str | None]]:
    for place, row in enumerate(rows):
        said_ = {name: held.asked[place].answer.value for name, held in bought.items() if place < held.count}
        if said_:
            yield {"id": row.id, "origin": row.origin, "expected": row.label, **said_}


def _saved(campaign: Campaign, rungs: Sequence[PromptedRung], forecasts: Sequence[Forecast]) -> dict[str, float | None]:
    """Shares of a full evaluation of all rungs that could be measured, which buying less has saved.

    Dollars of rows that were not bought: as those that were; of a rung without any, as forecast.
    """
    expected = {one.name: one.usd for one in forecasts}
    rows, dollars = 0, 0.0
    paid: float | None = 0.0
    whole = [rung for rung in rungs if rung.settled != "budget"]  # money that ran out has saved nothing
    for rung in whole:
        rows += rung.of_rows
        if rung.usd is None or paid is None:
            paid = None
        else:
            paid += rung.usd
            dollars += rung.usd / rung.quality.rows * rung.of_rows
    for name in campaign.stopped:
        rows += len(campaign.rows)
        more = expected.get(name)
        paid = None if more is None else paid
        dollars += more or 0.0
    bought = sum(rung.quality.rows for rung in whole)
    return {
        "rows_saved_share": 1 - bought / rows if rows else None,
        "usd_saved_share": 1 - paid / dollars if paid is not None and dollars > 0 else None,
    }


def _lost(kitchen: Kitchen) -> tuple[str, ...]:
    """Requests that may have been charged without an answer."""
    lost = kitchen.models.budget.lost_requests
    told = f"{lost:,} requests were lost on the way; the endpoint may have charged them, and they are in no sum here"
    return (told,) if lost else ()


def _unknown_costs(rungs: Sequence[PromptedRung]) -> tuple[str, ...]:
    return tuple(
        f"cost of {rung.title}: {rung.unpriced_rows:,} answers without usage or price"
        for rung in rungs
        if rung.usd is None
    )
