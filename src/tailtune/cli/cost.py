"""What `tailtune cost` does: read the ledger from MLflow, add it up, print it; note what a person adds."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from tailtune.config.paths import Paths
from tailtune.config.prices import PriceSpec, load_prices
from tailtune.config.settings import Settings
from tailtune.core.errors import UsageError
from tailtune.core.ledger import COMPLAINT, PURPOSES, Amount, Bill, Facts, Ledger, Line
from tailtune.core.money import Usd
from tailtune.core.printable import printable
from tailtune.core.reports import DecideReport, Economics, EvaluateReport
from tailtune.judge.ledger import priced, reckon, storage
from tailtune.report.mlflow import ledger_plan
from tailtune.report.numbers import usd
from tailtune.services import store
from tailtune.services.mlflow import Tracker, connect
from tailtune.services.mlflow import ledger as tracked
from tailtune.tasks.use_case import UseCase, load_use_case

_DAY_MS = 86_400_000
_MOST = 1e9
"""More hours, dollars or rows than this are a slip of the keyboard."""
_ON_TOP = (
    "It comes on top of rows × label price. If this work labelled rows, enter it with --rows, so that they are not "
    "paid twice; deleting its run in MLflow (make ui) takes an entry back."
)


@dataclass(frozen=True)
class AddedCost:
    """One per `tailtune cost add`: its options as typed."""

    purpose: str
    hours: float | None
    usd: Usd | None
    rows: int | None
    note: str
    on: str


def print_bill(paths: Paths, use_case: str, as_json: bool) -> None:
    """Print the ledger, and write it into MLflow as the run `ledger`.

    Raises:
        SpecError: Faults in the spec or the prices.
        ServiceError: MLflow does not answer.
    """
    case, prices, tracker = _opened(paths, use_case)
    facts = tracked.facts(tracker, case.model, case.spec.metric)
    if facts.empty:
        print(
            json.dumps(None) if as_json else f"{use_case}: nothing is in the ledger yet\nNext:  tailtune run {use_case}"
        )
        return
    facts = facts.model_copy(update={"entries": (*facts.entries, *_kept(case, prices, tracker, facts))})
    found = reckon(case.name, case.spec.metric, facts, _label_usd(case, prices), is_default=_by_default(case, prices))
    economics = _economics(case)
    tracked.summarise(tracker, ledger_plan(found, economics))
    if as_json:
        print(printable(json.dumps(_plain(found, economics), indent=2, ensure_ascii=False)))
        return
    from tailtune.report.terminal.console import PrintableConsole
    from tailtune.report.terminal.ledger import ledger

    PrintableConsole().print(ledger(found, economics, f"the same in MLflow: run `ledger` of {use_case} (make ui)"))


def note_cost(paths: Paths, use_case: str, added: AddedCost) -> str:
    """Note a cost in MLflow, at today's prices. Returns what was noted, for people.

    Raises:
        UsageError: No such purpose, no amount, one that cannot be, or a date that is none; all at once.
        ServiceError: MLflow does not answer.
    """
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    faults = [*_faults(added), *_date_faults(added.on, now_ms)]
    if faults:
        raise UsageError("\n".join(faults), "tailtune cost add --help")
    case, prices, tracker = _opened(paths, use_case)
    amount = Amount(added.hours or 0.0, added.usd or 0.0, added.rows or 0)
    person, label = prices.person_hour_usd, _label_usd(case, prices)
    cost = priced(amount, person, label)
    used = f"{person:g} USD an hour" if amount.hours and person is not None else ""
    if amount.rows and not amount.hours and not amount.usd and label is not None:
        used = f"{label:g} USD a row"
    at_ms = min(_day_ms(added.on), now_ms) if added.on else now_ms
    tracked.add(tracker, added.purpose, amount, cost, added.note, used, at_ms)
    at = f" (at {used})" if used else ""
    unknown = "; its price is not declared in models/prices.yaml" if cost is None else ""
    on_top = f"\n{_ON_TOP}" if added.purpose == "labelling" and not amount.rows else ""
    return f"{use_case}: noted for {added.purpose}: {usd(cost)}{at}{unknown}{on_top}"


def _opened(paths: Paths, use_case: str) -> tuple[UseCase, PriceSpec, Tracker]:
    case, prices = load_use_case(paths, use_case), load_prices(paths)
    return case, prices, connect(Settings().resolved_tracking_uri(paths), case)


def _label_usd(case: UseCase, prices: PriceSpec) -> float | None:
    """What a labelled row costs in this use case."""
    own = case.spec.value.label_usd
    return prices.label_usd if own is None else own


def _by_default(case: UseCase, prices: PriceSpec) -> bool:
    """Whether nobody declared it."""
    return case.spec.value.label_usd is None and "label_usd" in prices.defaults


def _kept(case: UseCase, prices: PriceSpec, tracker: Tracker, facts: Facts) -> list[Any]:
    """What storage cost since the first thing that was recorded; in whole days, so that a second look is the same."""
    began = min(
        [entry.at_ms for entry in facts.entries] + [version.made_ms for version in facts.versions], default=None
    )
    if began is None:
        return []
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    folders = [case.paths.data, case.paths.build, tracked.artifacts_folder(tracker)]
    size = sum(store.folder_bytes(folder) for folder in folders if folder is not None) + _logged_bytes(case)
    return [storage(size, (now_ms - began) // _DAY_MS, prices.storage_gb_month_usd, now_ms)]


def _logged_bytes(case: UseCase) -> int:
    """What the prediction log keeps of it."""
    from tailtune.services.prediction_log.store import PredictionLog

    log = PredictionLog.existing(Settings().prediction_log_url(case.paths.project))
    if log is None:
        return 0
    try:
        return log.bytes_of(case.name)
    finally:
        log.close()


def _economics(case: UseCase) -> Economics | None:
    """All candidates in dollars: as measured on test, or else as decided before it."""
    reports = store.read_reports(case.paths)
    evaluated, decided = reports.get("evaluate"), reports.get("decide")
    if isinstance(evaluated, EvaluateReport) and evaluated.final and evaluated.final.economics:
        return evaluated.final.economics
    return decided.economics if isinstance(decided, DecideReport) else None


def _faults(added: AddedCost) -> list[str]:
    faults = []
    if added.purpose not in PURPOSES:
        near = get_close_matches(added.purpose, PURPOSES, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there is {', '.join(PURPOSES)}"
        faults.append(f"--for {added.purpose}: no such purpose; {meant}")
    amounts = {"--hours": added.hours, "--usd": added.usd, "--rows": added.rows}
    if added.purpose != COMPLAINT and all(value is None for value in amounts.values()):
        faults.append("how much? expected --hours, --usd or --rows")
    for name, value in amounts.items():
        if value is not None and not 0 < value <= _MOST:
            faults.append(f"{name} {value:g}: expected a number above 0" + ("" if not value > _MOST else ", up to 1e9"))
    if added.rows is not None and added.purpose != "labelling":
        faults.append("--rows: counts labelled rows; expected with --for labelling only")
    return faults


def _date_faults(on: str, now_ms: int) -> list[str]:
    if not on:
        return []
    try:
        future = _day_ms(on) > now_ms
    except ValueError:
        return [f"--on {on}: no date; expected one like 2026-11-20, or 2026-11-20T14:30 (UTC)"]
    return [f"--on {on}: lies in the future"] if future else []


def _day_ms(on: str) -> int:
    moment = datetime.fromisoformat(on)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _plain(found: Ledger, economics: Economics | None) -> dict[str, Any]:
    """The ledger as JSON values; what is not known, or no number, is null."""
    return {
        "use_case": found.use_case,
        "metric": found.metric,
        "versions": [_bill(bill) for bill in found.bills],
        "lines": {category: _line(line) for category, line in found.lines.items()},
        "total": _line(found.total),
        "unknown": list(found.unknown),
        "unmeasured": list(found.unmeasured),
        "notes": list(found.notes),
        "economics": None if economics is None else finite(economics.model_dump()),
    }


def _bill(bill: Bill) -> dict[str, Any]:
    own = bill.model_dump(exclude={"lines", "total"})
    return own | {"lines": {name: _line(line) for name, line in bill.lines.items()}, "total": _line(bill.total)}


def _line(line: Line) -> dict[str, Any]:
    return {"usd": line.usd, **line.model_dump()}


def finite(value: Any) -> Any:
    """JSON values with null for what is no finite number: JSON has none."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
