"""What each way to own a task costs over a horizon: every line with how it was reckoned. Unknown prices give None.

What is the same on every road stands on every road: labels there are already, answers bought to measure, storage. It
belongs to the bill, and cancels in a comparison, so that money that is spent cannot argue for spending more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Literal

from tailtune.config.prices import PriceSpec
from tailtune.config.value import ValueSpec
from tailtune.core.reports import CostLine, Road
from tailtune.core.sums import known_sum
from tailtune.judge.wording import months, usd

MONTH_DAYS = 365.25 / 12
MONTH_HOURS = 730

Change = Literal["prompt", "labels", "training"]
"""What a change of behaviour takes: another prompt; new labels to refit on; new labels and a training."""
_CHANGES: dict[Change, str] = {"prompt": "prompt changes", "labels": "refits", "training": "retrainings"}


@dataclass(frozen=True)
class Setting:
    """One per use case: how much there is of everything, and what it costs.

    Attributes:
        value: What is declared of the product.
        prices: The price list.
        cadence_days: Days between two changes of behaviour; None when not known.
        train_rows: Good labelled rows.
        train_usd: Of one training; None when no price is declared.
        measured_usd: Answers bought to measure, at list price; None when a price is not known.
        kept_gb: 10⁹ bytes of rows and derived files.
    """

    value: ValueSpec
    prices: PriceSpec
    cadence_days: float | None
    train_rows: int
    train_usd: float | None
    measured_usd: float | None = 0.0
    kept_gb: float = 0.0

    @property
    def days(self) -> float:
        """Of the horizon."""
        return self.value.horizon_months * MONTH_DAYS

    @property
    def requests(self) -> float | None:
        """Over the horizon; None when no volume is declared."""
        return None if self.value.requests_per_day is None else self.value.requests_per_day * self.days


@dataclass(frozen=True)
class Option:
    """One per way to own the task.

    Attributes:
        name: In reports.
        title: For people.
        hosted: Whether it runs on cores of our own, day and night.
        change: What a change of behaviour takes.
        wrong: Share of requests answered wrong, as a whole, 0 to 1.
        request_usd: Paid to an endpoint for a request; None when not known.
        quality: Of the measure that the target is about; None when it was not measured.
        basis: Where `wrong` is from, in words.
    """

    name: str
    title: str
    hosted: bool
    change: Change
    wrong: float
    request_usd: float | None
    quality: float | None
    basis: str


def road(option: Option, setting: Setting) -> Road:
    """The whole bill of one way, over the horizon at the declared volume."""
    value, lines = setting.value, tuple(line for line in _lines(option, setting) if line is not None)
    per_month = [_over(line.usd, value.horizon_months) for line in lines if line.what in _MONTHLY]
    return Road(
        name=option.name,
        title=option.title,
        quality=option.quality,
        one_off_usd=known_sum(line.usd for line in lines if line.what in _ONE_OFF),
        monthly_usd=known_sum(per_month),
        request_usd=option.request_usd,
        lines=lines,
        total_usd=known_sum(line.usd for line in lines),
    )


def fixed_usd(option: Option, setting: Setting) -> float | None:
    """What is still to be spent over the horizon whatever the volume; None when a price is not known."""
    return known_sum(line.usd for line in _lines(option, setting) if line is not None and line.what in _OWN)


def request_usd(option: Option, setting: Setting) -> float | None:
    """What a request costs, the errors among them included; None when not known."""
    return known_sum((option.request_usd, _times(option.wrong, setting.value.error_usd)))


def owning_usd(option: Option, setting: Setting) -> float | None:
    """What is still to be spent over the horizon at the declared volume, errors included; None when not known."""
    return known_sum((fixed_usd(option, setting), _times(setting.requests, request_usd(option, setting))))


def unknown(options: Iterable[Option], setting: Setting) -> tuple[str, ...]:
    """What is not declared, so that a figure of one of these is null."""
    options, value, prices = tuple(options), setting.value, setting.prices
    labelled = setting.train_rows or any(_labels(one, setting) for one in options)
    lacking = {
        "value.requests_per_day": value.requests_per_day is None,
        "value.error_usd, what a wrong answer costs": value.error_usd is None,
        "value.change_every_days, how often behaviour changes": setting.cadence_days is None,
        "person_hour_usd in models/prices.yaml": prices.person_hour_usd is None,
        "label_usd in models/prices.yaml": bool(labelled) and prices.label_usd is None,
        "cpu_core_hour_usd in models/prices.yaml": prices.cpu_core_hour_usd is None,
        "storage_gb_month_usd in models/prices.yaml": setting.kept_gb > 0 and prices.storage_gb_month_usd is None,
        "what the answers bought to measure cost": setting.measured_usd is None,
    }
    lacking |= {f"what a request to {one.title} costs": one.request_usd is None for one in options}
    return tuple(name for name, lacks in lacking.items() if lacks)


_ONE_OFF = ("labels", "evaluation", "training")
_MONTHLY = ("serving", "changes of behaviour", "storage")
_OWN = ("training", "serving", "changes of behaviour")  # what differs from road to road, whatever the volume


def _lines(option: Option, setting: Setting) -> list[CostLine | None]:
    return [*_shared(setting), _training(option, setting), _serving(option, setting), _changes(option, setting),
            _tokens(option, setting), _errors(option, setting)]  # fmt: skip


def _shared(setting: Setting) -> list[CostLine | None]:
    prices, kept = setting.prices, setting.kept_gb
    label, keep = _number(prices.label_usd), _number(prices.storage_gb_month_usd)
    over = months(setting.value.horizon_months)
    return [
        CostLine(
            what="labels",
            usd=_times(setting.train_rows, label),
            basis=f"{setting.train_rows:,} rows × {_price(label)}; there already, whichever road",
            hidden=True,
        ),
        CostLine(
            what="evaluation",
            usd=setting.measured_usd,
            basis="dev answers of prompts, at list price; spent already, whichever road",
            hidden=True,
        )
        if setting.measured_usd != 0
        else None,
        CostLine(
            what="storage",
            usd=_times(kept * setting.value.horizon_months, keep),
            basis=f"{kept:.3g} GB × {_price(keep)} × {over}",
            hidden=True,
        )
        if kept > 0
        else None,
    ]


def _training(option: Option, setting: Setting) -> CostLine | None:
    if option.change != "training":
        return None
    return CostLine(what="training", usd=setting.train_usd, basis="pace of the encoder × price of the machine")


def _serving(option: Option, setting: Setting) -> CostLine | None:
    if not option.hosted:
        return None
    prices, core = setting.prices, _number(setting.prices.cpu_core_hour_usd)
    return CostLine(
        what="serving",
        usd=_times(prices.serving_cores * MONTH_HOURS * setting.value.horizon_months, core),
        basis=f"{prices.serving_cores} cores × {_price(core)} × {MONTH_HOURS} h × "
        f"{months(setting.value.horizon_months)}",
    )


def _changes(option: Option, setting: Setting) -> CostLine:
    value, prices = setting.value, setting.prices
    hours = value.prompt_hours_per_change if option.change == "prompt" else value.retrain_hours_per_change
    labels = _labels(option, setting)
    once = known_sum((
        _times(hours, _number(prices.person_hour_usd)),
        _times(labels, _number(prices.label_usd)),
        setting.train_usd if option.change == "training" else 0.0,
    ))  # fmt: skip
    times = setting.days / (setting.cadence_days or inf)
    parts = [f"{hours:g} h × {_price(_number(prices.person_hour_usd))}"]
    parts += [f"{labels:,} labels × {_price(_number(prices.label_usd))}"] if labels else []
    parts += ["a training"] if option.change == "training" else []
    counted = "not known how many" if setting.cadence_days is None else f"{times:,.3g}"
    return CostLine(
        what="changes of behaviour",
        usd=None if setting.cadence_days is None else _times(times, once),
        basis=f"{counted} {_CHANGES[option.change]} × ({' + '.join(parts)})",
        hidden=True,
    )


def _labels(option: Option, setting: Setting) -> int:
    """Rows labelled anew for a change."""
    return 0 if option.change == "prompt" else setting.value.new_labels_per_change


def _tokens(option: Option, setting: Setting) -> CostLine | None:
    if option.hosted:
        return None
    per_1000 = _price(_times(1000, option.request_usd))
    return CostLine(
        what="tokens",
        usd=_times(setting.requests, option.request_usd),
        basis=f"{_count(setting.requests)} requests × {per_1000} per 1,000",
    )


def _errors(option: Option, setting: Setting) -> CostLine:
    return CostLine(
        what="wrong answers",
        usd=_times(setting.requests, option.wrong, setting.value.error_usd),
        basis=f"{_count(_times(setting.requests, option.wrong))} errors × {_price(setting.value.error_usd)}; "
        f"{option.basis}",
        hidden=True,
    )


def _times(*factors: float | None) -> float | None:
    """Their product; 0 of something costs nothing, whatever its price."""
    if 0 in factors:
        return 0.0
    product = 1.0
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return product


def _over(total: float | None, count: int) -> float | None:
    return None if total is None else total / count


def _number(price: object) -> float | None:
    return None if price is None else float(price)  # type: ignore[arg-type]


def _price(value: float | None) -> str:
    return "a price that is not known" if value is None else usd(value)


def _count(value: float | None) -> str:
    return "not known how many" if value is None else f"{value:,.0f}"
