"""The ledger's facts in MLflow: what stages used, what people added; and the run that adds it up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tailtune.core.ledger import CATEGORIES, COMPLAINT, STAGE_CATEGORIES, Amount, Category, Curated, Entry, Facts, Made
from tailtune.core.money import Usd
from tailtune.core.run_plan import COST_UNKNOWN, RunPlan, points
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.address import embedded_folder
from tailtune.services.mlflow.home import service_errors
from tailtune.services.mlflow.tracker import CHARGE, PUBLICATION, Tracker
from tailtune.services.mlflow.write import NOTE, PARENT, RunWriter, now_ms

HAND, PURPOSE, PRICE = "tailtune.ledger", "tailtune.for", "tailtune.price"
SUMMARY = "ledger"
_PAGE = 1000
_DIGEST = "tailtune.ledger_digest"


def facts(tracker: Tracker, model: str, metric: str) -> Facts:
    """Everything recorded of a use case that cost money or time, over its whole life.

    Args:
        tracker: Of the use case.
        model: Registered model's name.
        metric: Measure whose value stands in the versions' tags.

    Raises:
        ServiceError: MLflow could not be read.

    Limit: what a killed run had used is counted as not known; nobody wrote it down. A process that was killed before it
    opened a run, as all but training do at their end, has left no trace but the answers that are kept.
    """
    with service_errors(tracker.uri, f"reading the ledger of {tracker.case.name}"):
        if tracker.client.get_experiment_by_name(tracker.case.name) is None:
            return Facts()
        stages = list(_stage_runs(tracker))
        killed = list(_killed(tracker, stages))
        by_hand = list(_search(tracker, f"tags.`{HAND}` = 'true'"))
    versions = registry.versions(tracker, model)
    made_by = {version.run_id: version.version for version in versions}
    entries = [entry for run in stages for entry in _used(run, made_by)]
    entries += [_entry(run, f"{_stage(run)}: killed", None) for run in killed]
    entries += [entry for run in by_hand for entry in _added(run)]
    done = [run for run in stages if _whole(run) and CHARGE not in run.data.tags]
    return Facts(
        entries=tuple(entries),
        curated=tuple(_curated(run) for run in done if "rows_read" in run.data.metrics and _stage(run) == "curate"),
        complaints_ms=tuple(_ended(run) for run in by_hand if run.data.tags.get(PURPOSE) == COMPLAINT),
        versions=tuple(_made(version, metric) for version in versions),
        stages=tuple(sorted({_stage(run) for run in done})),
    )


def add(tracker: Tracker, purpose: str, amount: Amount, usd: Usd | None, note: str, price: str, at_ms: int) -> str:
    """Note a cost as a finished run; deleting the run in the UI takes it back. Returns the run's id.

    Args:
        tracker: Of the use case.
        purpose: One of `core.ledger.PURPOSES`.
        amount: What was used.
        usd: What it cost; None when a price is not declared.
        note: For people.
        price: The prices it was reckoned with, for people.
        at_ms: When it was done.

    Raises:
        ServiceError: MLflow could not be written.
    """
    values = {"cost_hours": amount.hours or None, "cost_usd": usd, "cost_rows": amount.rows or None}
    tags = {HAND: "true", PURPOSE: purpose, **({PRICE: price} if price else {})}
    if usd is None:
        tags[COST_UNKNOWN] = "cost_usd"
    shape = RunPlan(name=f"cost: {purpose}", note=note, metrics=points(values), tags=tags)
    with service_errors(tracker.uri, f"adding a cost of {tracker.case.name}"):
        return _writer(tracker, "cost", at_ms).write(shape)


def summarise(tracker: Tracker, plan: RunPlan) -> str:
    """Write the ledger as the experiment's one run of that name, by version; the second time does nothing.

    Returns:
        The run's id.

    Raises:
        ServiceError: MLflow could not be written.
    """
    digest = _digest(plan)
    with service_errors(tracker.uri, f"writing the ledger of {tracker.case.name}"):
        there = list(_search(tracker, f"tags.`tailtune.stage` = '{SUMMARY}'"))
        same = [r for r in there if r.data.tags.get(_DIGEST) == digest and r.info.status == "FINISHED"]
        for run in there:
            if run not in same[:1]:
                tracker.client.delete_run(run.info.run_id)
        if same:
            return str(same[0].info.run_id)
        marked = replace(plan, tags={**plan.tags, _DIGEST: digest})
        return _writer(tracker, SUMMARY, now_ms()).write(marked)


def artifacts_folder(tracker: Tracker) -> Any:
    """Folder with the experiment's artifacts, as a path; None on a server, whose room cannot be measured from here."""
    folder = embedded_folder(tracker.uri)
    return None if folder is None else folder / "artifacts" / tracker.case.name


def _stage_runs(tracker: Tracker) -> Iterator[Any]:
    """Runs of stages; their children have no cost of their own, and what was torn and written again has one cost."""
    runs = [run for run in _search(tracker, "metrics.cost_wall_s >= 0") if PARENT not in run.data.tags and _stage(run)]
    written = _publications(run for run in runs if _whole(run))
    for run in runs:
        if _whole(run) or run.data.tags.get(PUBLICATION) not in written:
            yield run


def _killed(tracker: Tracker, counted: Sequence[Any]) -> Iterator[Any]:
    """Runs that were killed at work; not those whose cost stands in them or in another run."""
    known, written = {run.info.run_id for run in counted}, _publications(counted)
    for run in _search(tracker, "attributes.status = 'KILLED'"):
        elsewhere = run.info.run_id in known or run.data.tags.get(PUBLICATION) in written
        if PARENT not in run.data.tags and _stage(run) in STAGE_CATEGORIES and not elsewhere:
            yield run


def _whole(run: Any) -> bool:
    """Whether a run was written to its end. One that was interrupted is, when it holds just what that cost."""
    return run.info.status != "KILLED" or CHARGE in run.data.tags


def _publications(runs: Iterable[Any]) -> set[str]:
    return {run.data.tags[PUBLICATION] for run in runs if PUBLICATION in run.data.tags}


def _used(run: Any, made_by: dict[str, str]) -> Iterator[Entry]:
    """What a stage's run used: the machine, and answers that were bought."""
    what = f"{_stage(run)}: {run.data.tags[CHARGE]}, " if CHARGE in run.data.tags else f"{_stage(run)}: "
    metrics, unknown = run.data.metrics, run.data.tags.get(COST_UNKNOWN, "").split(", ")
    version = made_by.get(run.info.run_id)
    yield _entry(run, f"{what}machine", metrics.get("cost_usd"), version)
    if metrics.get("cost_bought_usd") or "cost_bought_usd" in unknown:
        yield _entry(run, f"{what}bought answers", metrics.get("cost_bought_usd"), version)


def _entry(run: Any, what: str, usd: Usd | None, version: str | None = None) -> Entry:
    category: Category = STAGE_CATEGORIES.get(_stage(run), "other")
    return Entry(at_ms=_ended(run), category=category, what=what, usd=usd, version=version)


def _added(run: Any) -> Iterator[Entry]:
    """What a person noted; a complaint that cost nothing is none."""
    purpose, metrics = run.data.tags.get(PURPOSE, ""), run.data.metrics
    category = next((known for known in CATEGORIES if known == purpose), "other")
    if purpose == COMPLAINT and metrics.get("cost_usd") == 0:
        return
    yield Entry(
        at_ms=_ended(run),
        category=category,
        what=run.data.tags.get(NOTE) or "added by hand",
        usd=metrics.get("cost_usd"),
        hours=metrics.get("cost_hours", 0.0),
        rows=int(metrics.get("cost_rows", 0)),
    )


def _curated(run: Any) -> Curated:
    return Curated(
        began_ms=int(run.info.start_time),
        at_ms=_ended(run),
        rows_digest=run.data.tags.get("tailtune.rows_digest", ""),
        rows_read=int(run.data.metrics["rows_read"]),
    )


def _made(version: registry.Version, metric: str) -> Made:
    quality = version.tags.get(metric)
    return Made(
        version=version.version,
        made_ms=version.made_ms,
        rows_digest=version.tags.get("rows_digest", ""),
        quality=None if quality is None else float(quality),
        promoted=version.tags.get(registry.PROMOTED) == "true",
    )


def _stage(run: Any) -> str:
    return str(run.data.tags.get("tailtune.stage", ""))


def _ended(run: Any) -> int:
    return int(run.info.end_time or run.info.start_time)


def _search(tracker: Tracker, condition: str) -> Iterator[Any]:
    token = None
    while True:
        page = tracker.client.search_runs([tracker.experiment_id], condition, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _writer(tracker: Tracker, stage: str, at_ms: int) -> RunWriter:
    tags = tracker.tags(stage) | {"mlflow.source.name": f"tailtune cost {tracker.case.name}"}
    return RunWriter(tracker.client, tracker.experiment_id, tags, {}, at_ms, at_ms)


def _digest(plan: RunPlan) -> str:
    content = [[(p.name, p.value, p.step) for p in plan.metrics], plan.tables, plan.note]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
