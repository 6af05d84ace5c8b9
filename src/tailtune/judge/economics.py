"""What each candidate costs to own over a horizon: every line with how it was computed. Unknown prices give None.

Costs that every candidate shares (labels there are already, answers bought to measure, storage) stand on every bill.
They cancel in a comparison, so that money that is spent cannot argue for spending more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isnan
from statistics import median
from typing import Literal

from tailtune.core.figures import counted, every, requests_a_day, usd
from tailtune.core.money import Usd, known_product, known_sum
from tailtune.core.records import Serving
from tailtune.core.reports import CandidateCost, CostLine

MONTH_DAYS = 365.25 / 12
MONTH_HOURS = 730
_DAY_MS = 86_400_000
SELDOM_DAYS = 365.0
"""A cadence that hardly costs anything, to see whether one that is only seen turned the verdict."""
OFTEN_DAYS = 30.0
"""Monthly or more often speaks against a fine-tune."""
LEAST_CHANGES = 3
LEAST_SPAN_DAYS = 2 * OFTEN_DAYS

Change = Literal["prompt", "labels", "training"]
"""What a change of behaviour takes: another prompt; new labels to refit on; new labels and a training."""
_CHANGES: dict[Change, str] = {"prompt": "prompt changes", "labels": "refits", "training": "retrainings"}


def usd_per_1000(mean_ms: float, core_hour_usd: Usd | None) -> Usd | None:
    """US dollars for 1,000 rows answered one after the other on one busy core.

    Args:
        mean_ms: Mean milliseconds per row.
        core_hour_usd: Price of the core for an hour.

    Limit: idle time of a server that waits for requests is not in it.
    """
    return None if core_hour_usd is None else mean_ms * core_hour_usd / 3600


def training_usd(rows: int, epochs: int, rows_per_s: float, machine_hour_usd: Usd | None) -> Usd | None:
    """US dollars for passing rows through training, at a given pace."""
    if machine_hour_usd is None or rows_per_s <= 0:
        return None
    return rows * epochs / rows_per_s * machine_hour_usd / 3600


@dataclass(frozen=True)
class Cadence:
    """One per use case: how often its behaviour must change.

    Attributes:
        declared_days: Days between two changes of behaviour, as declared; None when nothing is.
        seen_days: The same from the history of prompts, answers file and data; None when it shows too little.
    """

    declared_days: float | None = None
    seen_days: float | None = None

    @property
    def days(self) -> float | None:
        """Days that costs are computed with: as declared, which knows of the future, else as the history shows."""
        return self.seen_days if self.declared_days is None else self.declared_days

    @property
    def often(self) -> bool:
        """Whether behaviour changes monthly or more often; False when nothing is known."""
        return self.days is not None and self.days <= OFTEN_DAYS

    @property
    def binding(self) -> bool:
        """Whether that speaks against a fine-tune: only when it is declared, as the past binds nobody."""
        return self.often and self.declared_days is not None

    @property
    def declaring(self) -> str:
        """Advice to declare value.change_every_days, or empty when changes are seldom, or declared already."""
        if not self.often or self.binding:
            return ""
        return (
            f"declaring value.change_every_days: git shows a change {every(self.days or 0.0)}, and monthly changes "
            "speak against a fine-tune"
        )

    @property
    def seldom(self) -> str:
        """What declaring seldom changes would do to the verdict, as a sentence; empty when a cadence is declared."""
        if self.declared_days is not None or self.seen_days is None:
            return ""
        return (
            f"declaring value.change_every_days: the change {every(self.seen_days)} that git shows is "
            f"reckoned with, and seldom changes ({every(SELDOM_DAYS)}) would turn the verdict"
        )


def seen_days(changes: Sequence[float]) -> float | None:
    """Median days between changes.

    Args:
        changes: When files changed, in days since any moment; several within a day are one change.

    Returns:
        None with fewer than 3 changes, or when they lie within 60 days: a young history says how a use case was built,
        not how often it will change.
    """
    days = sorted({int(moment) for moment in changes})
    if len(days) < LEAST_CHANGES or days[-1] - days[0] < LEAST_SPAN_DAYS:
        return None
    return float(median(later - earlier for earlier, later in pairwise(days)))


@dataclass(frozen=True)
class CostInputs:
    """One per use case: how much there is of everything, and what it costs. Prices and costs are US dollars.

    Attributes:
        requests_per_day: None when no volume is declared.
        error_usd: What a wrong answer costs; None when not declared.
        horizon_months: Over which costs are added up.
        cadence_days: Days between two changes of behaviour; None when not known.
        train_rows: Good labelled rows.
        train_usd: Of one training; None when no price is declared.
        measured_usd: Answers bought to measure, at list price; None when a price is not known.
        kept_gb: 10⁹ bytes of rows and derived files.
        utilisation: Share of a day that a serving core may be busy, 0 to 1; the rest is for peaks.
        tuned_ms: Mean milliseconds that an answer of a fine-tune keeps a core busy; None when not known.
        defaults: Names of attributes here that are a default which nobody declared, of those in `DECLARED_AS`.
        prompt_hours_per_change: A person's hours for a change of the prompt.
        retrain_hours_per_change: A person's hours for a retraining, labels aside.
        new_labels_per_change: Rows labelled anew for a retraining.
        core_hour_usd: One processor core for an hour; None, as for every price, when not declared.
        serving_cores: Cores that serve a model of our own at least, day and night.
        person_hour_usd: An hour of a person's work.
        label_usd: One labelled row.
        storage_gb_month_usd: A gigabyte kept for a month.
    """

    requests_per_day: float | None
    error_usd: Usd | None
    horizon_months: int
    cadence_days: float | None
    train_rows: int
    train_usd: Usd | None
    prompt_hours_per_change: float
    retrain_hours_per_change: float
    new_labels_per_change: int
    core_hour_usd: Usd | None
    serving_cores: int
    person_hour_usd: Usd | None
    label_usd: Usd | None
    storage_gb_month_usd: Usd | None
    measured_usd: Usd | None = 0.0
    kept_gb: float = 0.0
    utilisation: float = 0.6
    tuned_ms: float | None = None
    defaults: frozenset[str] = frozenset()

    @property
    def days(self) -> float:
        """Of the horizon."""
        return self.horizon_months * MONTH_DAYS

    @property
    def requests(self) -> float | None:
        """Over the horizon; None when no volume is declared."""
        return None if self.requests_per_day is None else self.requests_per_day * self.days


@dataclass(frozen=True)
class Candidate:
    """One per way to answer that costs are computed for.

    Attributes:
        name: In reports.
        title: For people.
        hosted: Whether it runs on cores of our own, day and night.
        change: What a change of behaviour takes.
        wrong: Share of requests answered wrong, as a whole, 0 to 1.
        request_usd: Paid to an endpoint for a request; None when not known.
        quality: Of the measure that the target is about; None when it was not measured.
        basis: Where `wrong` is from, in words.
        busy_ms: Mean milliseconds that an answer keeps a core busy; None when not known.
    """

    name: str
    title: str
    hosted: bool
    change: Change
    wrong: float
    request_usd: Usd | None
    quality: float | None
    basis: str
    busy_ms: float | None = None


def cost_of(candidate: Candidate, inputs: CostInputs) -> CandidateCost:
    """The whole bill of one candidate, over the horizon at the declared volume."""
    lines = _lines(candidate, inputs)
    monthly = [line.usd for line in lines if line.what in _MONTHLY]
    return CandidateCost(
        name=candidate.name,
        title=candidate.title,
        quality=candidate.quality,
        one_off_usd=known_sum(line.usd for line in lines if line.what in _ONE_OFF),
        monthly_usd=known_sum(None if cost is None else cost / inputs.horizon_months for cost in monthly),
        request_usd=candidate.request_usd,
        lines=lines,
        total_usd=known_sum(line.usd for line in lines),
        serving=serving_of(candidate, inputs) if candidate.hosted else None,
    )


def fixed_usd(candidate: Candidate, inputs: CostInputs) -> Usd | None:
    """What is still to be spent over the horizon, cores and requests aside; None when a price is not known."""
    return known_sum(line.usd for line in _lines(candidate, inputs) if line.what in _OWN)


def serving_of(candidate: Candidate, inputs: CostInputs) -> Serving:
    """The cores that serve a candidate, by volume; none where it does not run on cores of our own.

    A core answers one request at a time and is busy for `utilisation` of the day.

    Limit: an answer that keeps several cores busy at once needs as many times more.
    """
    if not candidate.hosted:
        return Serving()
    busy_ms = _busy_ms(candidate, inputs)
    return Serving(
        least=inputs.serving_cores,
        per_core=None if busy_ms is None else _DAY_MS * inputs.utilisation / busy_ms,
        core_usd=known_product(MONTH_HOURS * inputs.horizon_months, inputs.core_hour_usd),
    )


def request_usd(candidate: Candidate, inputs: CostInputs) -> Usd | None:
    """What a request costs, the errors among them included; None when not known."""
    return known_sum((candidate.request_usd, known_product(_wrong(candidate), inputs.error_usd)))


def _wrong(candidate: Candidate) -> float | None:
    """Share of requests answered wrong; None where it was not measured."""
    return None if isnan(candidate.wrong) else candidate.wrong


def _busy_ms(candidate: Candidate, inputs: CostInputs) -> float | None:
    """Mean milliseconds that an answer keeps a core busy, measured or expected; None when not known."""
    expected = inputs.tuned_ms if candidate.change == "training" else None
    busy_ms = expected if candidate.busy_ms is None else candidate.busy_ms
    return busy_ms if busy_ms is not None and busy_ms > 0 else None  # NaN is not known either


def owning_usd(candidate: Candidate, inputs: CostInputs) -> Usd | None:
    """What is still to be spent over the horizon at the declared volume, errors included; None when not known."""
    by_volume = known_product(inputs.requests, request_usd(candidate, inputs))
    cores = serving_of(candidate, inputs).usd(inputs.requests_per_day)
    return known_sum((fixed_usd(candidate, inputs), cores, by_volume))


def missing_inputs(candidates: Iterable[Candidate], inputs: CostInputs) -> tuple[str, ...]:
    """Names of missing inputs, each of which makes a figure of one of these candidates null."""
    candidates = tuple(candidates)
    labelled = inputs.train_rows or any(_labels(candidate, inputs) for candidate in candidates)
    missing = {
        "value.requests_per_day": inputs.requests_per_day is None,
        "value.error_usd, what a wrong answer costs": inputs.error_usd is None,
        "value.change_every_days, how often behaviour changes": inputs.cadence_days is None,
        "person_hour_usd in models/prices.yaml": inputs.person_hour_usd is None,
        "label_usd in models/prices.yaml": bool(labelled) and inputs.label_usd is None,
        "cpu_core_hour_usd in models/prices.yaml": inputs.core_hour_usd is None,
        "storage_gb_month_usd in models/prices.yaml": inputs.kept_gb > 0 and inputs.storage_gb_month_usd is None,
        "what the answers bought to measure cost": inputs.measured_usd is None,
    }
    missing |= {f"what a request to {candidate.title} costs": candidate.request_usd is None for candidate in candidates}
    missing |= {f"how often {candidate.title} is right": _wrong(candidate) is None for candidate in candidates}
    return tuple(name for name, is_missing in missing.items() if is_missing)


DECLARED_AS = {
    "core_hour_usd": "cpu_core_hour_usd",
    "person_hour_usd": "person_hour_usd",
    "label_usd": "label_usd",
    "storage_gb_month_usd": "storage_gb_month_usd",
    "prompt_hours_per_change": "value.prompt_hours_per_change",
    "retrain_hours_per_change": "value.retrain_hours_per_change",
}
"""Attribute of CostInputs that may be a default → the key that declares it, in models/prices.yaml or model.yaml."""
_PER = {
    "core_hour_usd": "a core-hour",
    "person_hour_usd": "an hour of a person",
    "label_usd": "a label",
    "storage_gb_month_usd": "a gigabyte a month",
    "prompt_hours_per_change": "a change of the prompt",
    "retrain_hours_per_change": "a retraining",
}


def amount(name: str, value: float) -> str:
    """A price or hours: `$0.080`, `2 h`."""
    return usd(value) if name.endswith("_usd") else f"{value:g} h"


def amount_per(name: str, value: float) -> str:
    """The same with what it is for: `$0.080 a label`, `2 h a retraining`."""
    return f"{amount(name, value)} {_PER[name]}"


def default_amounts(inputs: CostInputs) -> tuple[str, ...]:
    """What costs are computed with and nobody declared: `$0.080 a label (declare label_usd)`."""
    known = ((name, getattr(inputs, name)) for name in DECLARED_AS if name in inputs.defaults)
    return tuple(f"{amount_per(name, value)} (declare {DECLARED_AS[name]})" for name, value in known if value)


_ONE_OFF = ("labels", "evaluation", "training")
_MONTHLY = ("serving", "changes of behaviour", "storage")
_OWN = ("training", "changes of behaviour")  # what differs between candidates, whatever the volume


def _lines(candidate: Candidate, inputs: CostInputs) -> tuple[CostLine, ...]:
    lines = [*_shared(inputs), _training(candidate, inputs), _serving(candidate, inputs), _changes(candidate, inputs),
             _tokens(candidate, inputs), _errors(candidate, inputs)]  # fmt: skip
    return tuple(line for line in lines if line is not None)


def _shared(inputs: CostInputs) -> list[CostLine]:
    """Costs that every candidate has."""
    kept, label, storage = inputs.kept_gb, inputs.label_usd, inputs.storage_gb_month_usd
    lines = [
        CostLine(
            what="labels",
            usd=known_product(inputs.train_rows, label),
            basis=f"{counted(inputs.train_rows, 'row')} × {_price('label_usd', inputs)}; there already, whichever "
            "candidate",
            hidden=True,
        )
    ]
    if inputs.measured_usd != 0:
        basis = "dev answers of prompts, at list price; spent already, whichever candidate"
        lines.append(CostLine(what="evaluation", usd=inputs.measured_usd, basis=basis, hidden=True))
    if kept > 0:
        cost = known_product(kept * inputs.horizon_months, storage)
        basis = f"{kept:.3g} GB × {_price('storage_gb_month_usd', inputs)} × {counted(inputs.horizon_months, 'month')}"
        lines.append(CostLine(what="storage", usd=cost, basis=basis, hidden=True))
    return lines


def _training(candidate: Candidate, inputs: CostInputs) -> CostLine | None:
    if candidate.change != "training":
        return None
    return CostLine(what="training", usd=inputs.train_usd, basis="pace of the encoder × price of the machine")


def _serving(candidate: Candidate, inputs: CostInputs) -> CostLine | None:
    if not candidate.hosted:
        return None
    serving, per_day, busy_ms = serving_of(candidate, inputs), inputs.requests_per_day, _busy_ms(candidate, inputs)
    cores = serving.cores(per_day)
    basis = (
        f"{counted(cores, 'core')} × {_price('core_hour_usd', inputs)} × {MONTH_HOURS} h × "
        f"{counted(inputs.horizon_months, 'month')}"
    )
    if cores > inputs.serving_cores:
        basis += (
            f"; {counted(cores, 'core')} = {requests_a_day(per_day or 0.0)} × {(busy_ms or 0) / 1000:.3g} s / "
            f"(86,400 s × {inputs.utilisation * 100:.0f} %)"
        )
    return CostLine(what="serving", usd=serving.usd(per_day), basis=basis)


def _changes(candidate: Candidate, inputs: CostInputs) -> CostLine:
    by_prompt, trained = candidate.change == "prompt", candidate.change == "training"
    hours = inputs.prompt_hours_per_change if by_prompt else inputs.retrain_hours_per_change
    labels = _labels(candidate, inputs)
    each = known_sum((
        known_product(hours, inputs.person_hour_usd),
        known_product(labels, inputs.label_usd),
        inputs.train_usd if trained else 0.0,
    ))  # fmt: skip
    times = inputs.days / (inputs.cadence_days or inf)
    parts = [f"{hours:g} h × {_price('person_hour_usd', inputs)}"]
    parts += [f"{counted(labels, 'label')} × {_price('label_usd', inputs)}"] if labels else []
    parts += ["a training"] if trained else []
    how_many = "not known how many" if inputs.cadence_days is None else f"{times:,.3g}"
    return CostLine(
        what="changes of behaviour",
        usd=None if inputs.cadence_days is None else known_product(times, each),
        basis=f"{how_many} {_CHANGES[candidate.change]} × ({' + '.join(parts)})",
        hidden=True,
    )


def _labels(candidate: Candidate, inputs: CostInputs) -> int:
    """Rows labelled anew for a change."""
    return 0 if candidate.change == "prompt" else inputs.new_labels_per_change


def _tokens(candidate: Candidate, inputs: CostInputs) -> CostLine | None:
    if candidate.hosted:
        return None
    per_1000 = _known(known_product(1000, candidate.request_usd))
    return CostLine(
        what="tokens",
        usd=known_product(inputs.requests, candidate.request_usd),
        basis=f"{_count(inputs.requests, 'request')} × {per_1000} per 1,000",
    )


def _errors(candidate: Candidate, inputs: CostInputs) -> CostLine:
    return CostLine(
        what="wrong answers",
        usd=known_product(inputs.requests, _wrong(candidate), inputs.error_usd),
        basis=f"{_count(known_product(inputs.requests, _wrong(candidate)), 'error')} × {_known(inputs.error_usd)}; "
        f"{candidate.basis}",
        hidden=True,
    )


def _price(name: str, inputs: CostInputs) -> str:
    """A price of the list, and whether it is a default."""
    return _known(getattr(inputs, name)) + (" (default price)" if name in inputs.defaults else "")


def _known(value: Usd | None) -> str:
    return "a price that is not known" if value is None else usd(value)


def _count(value: float | None, thing: str) -> str:
    return f"not known how many {thing}s" if value is None else counted(round(value), thing)
