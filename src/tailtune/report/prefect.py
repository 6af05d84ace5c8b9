"""What a stage wrote, as Prefect shows it: text, tables and links. A report gives values; Prefect keeps each by key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tailtune.config.paths import Paths
from tailtune.core import reports as r
from tailtune.core.measures import MEASURES
from tailtune.report import numbers as n

Row = dict[str, Any]
WORST_CLASSES = 20


def key(*parts: str) -> str:
    """An artifact key, as Prefect allows it: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def publish(paths: Paths, report: r.Report, tracking_url: str) -> None:
    """Make the artifacts of one stage report; needs a flow or task run around it.

    Args:
        paths: The checkout.
        report: Of a stage that has run.
        tracking_url: Where MLflow is, as people may see it; empty without a server.
    """
    from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

    base = (report.use_case, report.stage)
    create_markdown_artifact(text(report), key=key(*base), description=f"{report.stage} of {report.use_case}")
    for name, rows in tables(report).items():
        create_table_artifact(rows, key=key(*base, name), description=f"{name} of {report.use_case}")
    for name, link in links(paths, report, tracking_url).items():
        create_link_artifact(link, link_text=name, key=key(*base, name), description=f"{name} of {report.use_case}")


def text(report: r.Report) -> str:
    """The report in a few lines of Markdown."""
    lines = [f"## {report.stage} of {report.use_case}", *_TEXT[type(report)](report)]
    if report.cost is not None:
        price = "" if report.cost.usd is None else f", {n.usd(report.cost.usd)}"
        if report.cost.bought_usd != 0:
            price += f", answers bought {n.usd(report.cost.bought_usd)}"
        lines.append(f"{n.duration(report.cost.wall_s)}, {n.memory(report.cost.peak_memory_mb)}{price}")
    return "\n\n".join(lines) + "\n"


def tables(report: r.Report) -> dict[str, list[Row]]:
    """Name → rows of each table the report holds; empty ones are left out."""
    made = _TABLES.get(type(report), lambda _: {})(report)
    return {name: rows for name, rows in made.items() if rows}


def links(paths: Paths, report: r.Report, tracking_url: str) -> dict[str, str]:
    """Name → address of what can be opened next."""
    found: dict[str, str] = {}
    match report:
        case r.ValidateReport():
            found["data docs"] = _file(paths, report.docs)
        case r.RegisterReport():
            found["decision page"] = _file(paths, report.page)
    found["mlflow"] = tracking_url
    return {name: link for name, link in found.items() if link}


def _file(paths: Paths, relative: str) -> str:
    path = paths.root / Path(relative)
    return path.as_uri() if relative and path.is_file() else ""


def _curate(report: r.CurateReport) -> Iterable[str]:
    yield f"{n.counted(report.rows_read, 'row')} read, {n.count(report.rows_kept)} kept."
    yield ", ".join(f"{name} {n.count(rows)}" for name, rows in report.splits.items())


def _validate(report: r.ValidateReport) -> Iterable[str]:
    passed = sum(one.passed for one in report.expectations)
    yield f"**{'open' if report.passed else 'closed'}**: {passed} of {len(report.expectations)} expectations hold."
    yield from (
        f"- {one.meaning} {one.observed} {' '.join(one.bad_origins)}" for one in report.expectations if not one.passed
    )


def _ladder(report: r.LadderReport) -> Iterable[str]:
    yield f"{len(report.rungs)} rungs on the same {n.counted(report.dev_rows, 'dev row')}."
    yield from (f"- not measured: {why}" for why in report.unmeasured)


def _prompt(report: r.PromptReport) -> Iterable[str]:
    names = ", ".join(f"{name} ({role})" for name, role in report.models.items()) or "no language model is declared"
    yield f"{n.counted(len(report.rungs), 'prompted rung')}: {names}."
    if report.rungs:
        yield f"{n.usd(report.usd_spent)} paid for {n.counted(report.rows_bought, 'answer')}."
    if report.rows_saved_share is not None:
        yield f"{n.share(report.rows_saved_share)} of a full evaluation's rows were not needed."
    yield from (f"- not needed: {rung}, {why}" for rung, why in report.not_needed.items())
    yield from (f"- not measured: {why}" for why in report.unmeasured)
    yield from (f"- {note}" for note in report.notes)


def _diagnose(report: r.DiagnoseReport) -> Iterable[str]:
    if report.rung is None:
        yield "No prompted rung was measured, so there is nothing to diagnose."
    else:
        yield f"`{report.rung}` failed on {n.count(report.failures)} of {n.counted(report.rows, 'row')}."
    yield from (f"- {one.reason} ({n.with_interval(one.share)}): {one.action}" for one in report.classes)
    yield from (f"- not measured: {why}" for why in report.unmeasured)


def _decide(report: r.DecideReport) -> Iterable[str]:
    yield f"**{report.verdict}**{' (provisional)' if report.provisional else ''}: {report.reason}"
    yield f"Training {'may' if report.train.yes else 'may not'} spend: {report.train.reason}"
    yield from (f"- would change it: {change}" for change in report.would_change)


def _train(report: r.TrainReport) -> Iterable[str]:
    yield f"**{'trained' if report.trained else 'not trained'}**: {report.reason}"
    if report.trained:
        yield f"{n.counted(report.train_rows, 'row')}, best epoch {report.best_epoch}, {report.rows_per_s:.0f} rows/s"


def _evaluate(report: r.EvaluateReport) -> Iterable[str]:
    yield f"**{report.winner}** wins on {n.counted(report.test_rows, 'test row')}: {report.winner_reason}"
    if (paired := report.comparison) is not None:
        difference = f"{n.points_with_interval(paired.difference)}, {n.p_value(paired.mcnemar_p)}"
        yield f"{paired.first} against {paired.second}: {difference}"
    yield from _final(report)


def _final(report: r.EvaluateReport) -> Iterable[str]:
    if report.final is not None:
        yield f"**{report.final.verdict}**{' (provisional)' if report.final.provisional else ''}: {report.final.reason}"


def _register(report: r.RegisterReport) -> Iterable[str]:
    aliases = ", ".join(report.aliases) or "no alias"
    yield f"`{report.model}` version {report.version} ({aliases}): {report.promotion.reason}"
    yield f"champion: {report.champion_version or 'none'}; `{report.uri}`"


_TEXT: dict[type[r.Report], Callable[[Any], Iterable[str]]] = {
    r.CurateReport: _curate,
    r.ValidateReport: _validate,
    r.LadderReport: _ladder,
    r.PromptReport: _prompt,
    r.DiagnoseReport: _diagnose,
    r.DecideReport: _decide,
    r.TrainReport: _train,
    r.EvaluateReport: _evaluate,
    r.RegisterReport: _register,
}

_TABLES: dict[type[r.Report], Callable[[Any], dict[str, list[Row]]]] = {
    r.CurateReport: lambda report: {
        "dropped": [{"reason": n.words(reason), "rows": rows} for reason, rows in report.dropped.items()],
    },
    r.ValidateReport: lambda report: {
        "expectations": [
            {
                "holds": one.passed,
                "about": one.subject,
                "meaning": one.meaning,
                "seen": one.observed,
                "bad rows": one.bad_rows,
            }
            for one in report.expectations
        ],
    },
    r.LadderReport: lambda report: {
        "rungs": [_predictor(rung) for rung in report.rungs],
        "curve": [{"train rows": at.rows, report.rungs[0].metric: n.with_interval(at.quality)} for at in report.curve],
    },
    r.PromptReport: lambda report: {
        "rungs": [{**_predictor(rung), **_bought(rung)} for rung in report.rungs],
    },
    r.DiagnoseReport: lambda report: {
        "failures": [
            {"reason": one.reason, "fault": one.fault, "rows": one.rows, "share": n.with_interval(one.share)}
            for one in report.classes
        ],
        "examples": [
            {"reason": one.reason, **example.model_dump()} for one in report.classes for example in one.examples
        ],
        "mixed up": [one.model_dump() for one in report.mixed_up],
    },
    r.DecideReport: lambda report: {
        "questions": [{**one.model_dump(exclude={"figures"}), "figures": _figures(one)} for one in report.questions],
        "roads": _roads(report.economics),
    },
    r.TrainReport: lambda report: {
        "epochs": [{name: _plain(value) for name, value in one.model_dump().items()} for one in report.epochs],
    },
    r.EvaluateReport: lambda report: {
        "candidates": [_predictor(one) for one in report.candidates],
        "weakest": [
            {"label": one.label, "rows": one.rows, "precision": n.share(one.precision), "recall": n.share(one.recall)}
            for one in sorted((*report.per_class, *report.per_field), key=lambda one: one.f1)[:WORST_CLASSES]
        ],
        "confusions": [one.model_dump() for one in report.confusions],
    },
}


def _predictor(one: r.RungResult | r.CandidateResult) -> Row:
    return {
        "name": one.name,
        **{MEASURES[name].title: n.with_interval(found) for name, found in one.metrics.items()},
        "p50": n.NOT_MEASURED if one.latency is None else n.ms(one.latency.p50_ms),
        "p99": n.NOT_MEASURED if one.latency is None else n.ms(one.latency.p99_ms),
        "USD per 1,000": n.usd(one.usd_per_1000),
    }


def _bought(rung: r.PromptedRung) -> Row:
    gap = rung.comparison.difference if rung.comparison else None
    return {
        "model": rung.model,
        "prompt": rung.prompt if rung.prompt_version is None else f"{rung.prompt} v{rung.prompt_version}",
        "rows": f"{n.count(rung.quality.rows)} of {n.count(rung.of_rows)}",
        "settled": rung.settled,
        "usable": n.count(rung.quality.rows - rung.invalid_rows),
        "against the best before": n.NOT_MEASURED if gap is None else n.points_with_interval(gap),
        "p, corrected": n.NOT_MEASURED if rung.p_adjusted is None else n.p_value(rung.p_adjusted),
        "USD": n.usd(rung.usd),
    }


def _figures(question: r.Question) -> str:
    return ", ".join(n.figure(name, value) for name, value in question.figures.items())


def _roads(economics: r.Economics | None) -> list[Row]:
    return [
        {
            "road": road.title,
            "quality": n.NOT_MEASURED if road.quality is None else n.share(road.quality),
            "once": n.dollars(road.one_off_usd),
            "a month": n.dollars(road.monthly_usd),
            "a request": n.usd(road.request_usd),
            "in all": n.dollars(road.total_usd),
        }
        for road in (economics.roads if economics else ())
    ]


def _plain(value: float) -> str | int:
    return value if isinstance(value, int) else n.plain(value)
