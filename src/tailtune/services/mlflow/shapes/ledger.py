"""The ledger as a run: every figure a metric whose step is the version, so that the UI draws it over versions."""

from __future__ import annotations

from tailtune.core.ledger import Bill, Ledger
from tailtune.core.reports import Economics
from tailtune.core.run_plan import Point, RunPlan, Table, points
from tailtune.services.mlflow.shapes.columns import economy


def plan(ledger: Ledger, economics: Economics | None) -> RunPlan:
    """The one run that holds the whole life's costs. What comes after the last version has the next one's step."""
    numbers = [int(bill.version) for bill in ledger.bills if bill.version is not None]
    following = max(numbers, default=0) + 1
    by_version: tuple[Point, ...] = ()
    for bill in ledger.bills:
        by_version += points(_figures(bill, ledger.metric), step=int(bill.version) if bill.version else following)
    notes = [f"Dollars not known: {what}" for what in ledger.unknown] + [*ledger.unmeasured, *ledger.notes]
    lead = "What each version cost and brought, by version number. `tailtune cost` writes this run anew."
    return RunPlan(
        name="ledger",
        note="\n".join([lead, *(f"- {note}" for note in notes)]),
        metrics=by_version + points(economy(economics)),
        tables={"ledger.json": _table(ledger)},
    )


def _figures(bill: Bill, metric: str) -> dict[str, float | None]:
    values: dict[str, float | None] = {f"ledger/{name}_usd": line.usd for name, line in bill.lines.items()}
    total = bill.total
    if bill.lines:
        values |= {"ledger/usd": total.usd, "ledger/unknown": total.unknown}
        values |= {"ledger/person_hours": total.hours, "ledger/labelled_rows": total.rows}
    return values | {
        metric: bill.quality,
        "ledger/usd_per_point": bill.usd_per_point,
        "ledger/cycle_hours": bill.cycle_hours,
    }


def _table(ledger: Ledger) -> Table:
    rows = [
        (bill.version or "next", category, line.usd, line.known_usd, line.unknown, line.hours, line.rows)
        for bill in ledger.bills
        for category, line in bill.lines.items()
    ]
    names = ("version", "for", "usd", "known_usd", "unknown", "hours", "rows")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)} if rows else {}
