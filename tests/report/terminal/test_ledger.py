"""The ledger as a person sees it: 80 columns, nothing unknown shown as nothing, what came first added up."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from tailtune.core.ledger import Bill, Category, Ledger, Line
from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateCost, Economics
from tailtune.report.terminal.ledger import ledger


def line(usd: float, unknown: int = 0, hours: float = 0.0, rows: int = 0) -> Line:
    return Line(known_usd=usd, unknown=unknown, hours=hours, rows=rows)


def bill(version: str | None, lines: dict[Category, Line], **more: object) -> Bill:
    total = line(
        sum(one.known_usd for one in lines.values()),
        sum(one.unknown for one in lines.values()),
        sum(one.hours for one in lines.values()),
        sum(one.rows for one in lines.values()),
    )
    return Bill.model_validate({"version": version, "lines": lines, "total": total} | more)


def two_versions() -> Ledger:
    first: dict[Category, Line] = {"labelling": line(640, rows=8000), "training": line(0.012)}
    second: dict[Category, Line] = {"labelling": line(235, hours=3, rows=125), "evaluation": line(0.31, unknown=1)}
    following: dict[Category, Line] = {"evaluation": line(0, unknown=2)}
    return Ledger(
        use_case="support-tickets",
        metric="accuracy",
        bills=(
            bill("1", first, quality=0.931, cycle_hours=5.5),
            bill("2", second, quality=0.943, gained=0.012, usd_per_point=196.08, cycle_hours=120.0),
            bill(None, following),
        ),
        lines={
            "labelling": line(875, hours=3, rows=8125), "evaluation": line(0.31, unknown=3), "training": line(0.012)
        },
        total=line(875.322, unknown=3, hours=3, rows=8125),
        unknown=("evaluation: prompt: bought answers (3 times)",),
        unmeasured=("drift checks: none has run yet",),
    )  # fmt: skip


def economics(even: float = 5800.0) -> Economics:
    return Economics(
        requests_per_day=6000,
        error_usd=0.5,
        horizon_months=12,
        candidates=(
            CandidateCost(name="prompt", title="Prompt with retrieved examples", quality=0.89, one_off_usd=0.3,
                 monthly_usd=75.0, request_usd=0.0004, total_usd=1776.6),
            CandidateCost(name="fine-tune", title="Fine-tune", quality=None, one_off_usd=700.0, monthly_usd=90.0,
                 request_usd=None, total_usd=None),
        ),
        net_value=Estimate(value=-20.0, low=-120.0, high=80.0, rows=1740),
        probability=0.4,
        break_even_per_day=Estimate(value=even, low=4200.0, high=9100.0, rows=1740),
        unknown=("price of a request to the fine-tune",),
    )  # fmt: skip


def drawn(found: Ledger, economics: Economics | None = None, width: int = 80, encoding: str = "utf-8") -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=out, width=width, color_system=None, legacy_windows=False).print(ledger(found, economics, "in MLflow"))
    out.seek(0)
    return out.read()


def row(text: str, name: str) -> list[str]:
    (found,) = [one for one in text.splitlines() if one.startswith(f"  {name}  ")]
    return found.removeprefix(f"  {name}").replace(" + ", "+").split()


def test_versions_stand_side_by_side_with_their_sums() -> None:
    text = drawn(two_versions())
    assert row(text, "US dollars for") == ["v1", "v2", "next", "all"]
    assert row(text, "labelling") == ["$640", "$235", "–", "$875"]
    assert row(text, "training") == ["$0.012", "–", "–", "$0.012"]
    assert row(text, "rows labelled") == ["8,000", "125", "–", "8,125"]
    assert row(text, "a person's hours") == ["–", "3.0", "–", "3.0"]


def test_what_is_not_known_is_a_question_mark_and_told() -> None:
    text = drawn(two_versions())
    assert row(text, "evaluation") == ["–", "$0.31+?", "?", "$0.31+?"]
    assert row(text, "all")[0] == "$640" and row(text, "all")[-1] == "$875+?"
    assert "· dollars of evaluation: prompt: bought answers (3 times)" in text
    assert "· drift checks: none has run yet" in text


def test_what_a_version_brought_stands_below_what_it_cost() -> None:
    text = drawn(two_versions())
    assert row(text, "accuracy on test") == ["93.1", "%", "94.3", "%", "–"]
    assert row(text, "points gained") == ["–", "+1.2", "–"]
    assert row(text, "$ for a point gained") == ["–", "$196", "–"]
    assert row(text, "until it was live") == ["5", "h", "30", "min", "5.0", "days", "–"]


def test_many_versions_are_added_up_and_nothing_is_lost() -> None:
    bills = [bill(str(number), {"training": line(float(number), unknown=number == 2)}) for number in range(1, 10)]
    everything = line(45.0, unknown=1)
    found = Ledger(
        use_case="toy", metric="accuracy", bills=(*bills, bill(None, {})), lines={"training": everything},
        total=everything,
    )  # fmt: skip
    narrow, wide = drawn(found), drawn(found, width=140)
    assert row(narrow, "US dollars for") == ["before", "v8", "v9", "next", "all"]
    assert row(narrow, "training") == ["$28.00+?", "$8.00", "$9.00", "–", "$45.00+?"]
    assert row(narrow, "all")[3] == "–"
    assert row(wide, "US dollars for")[:3] == ["before", "v4", "v5"]
    assert row(wide, "training")[:2] == ["$6.00+?", "$4.00"]


@pytest.mark.parametrize("width", [80, 140])
def test_it_fits(width: int) -> None:
    lines = drawn(two_versions(), economics(), width).splitlines()
    assert len(lines) > 20
    assert max(len(one) for one in lines) <= width


def test_both_roads_and_the_volume_at_which_they_meet() -> None:
    text = " ".join(drawn(two_versions(), economics(), 140).split())
    assert "over 12 months at 6,000 requests a day" in text
    assert "Prompt with retrieved examples 89.0 % $0.30 $75.00 $73.05 $1,777" in text
    assert "Fine-tune n/a $700 $90.00 not known not known" in text
    assert "From 5,800 requests a day (95 % interval 4,200 to 9,100)" in text
    assert "· price of a request to the fine-tune" in text


def test_a_fine_tune_that_never_pays_is_told_so() -> None:
    assert "At no volume does the fine-tune cost less." in drawn(two_versions(), economics(math.nan))


def test_without_a_volume_it_is_said_what_to_declare() -> None:
    text = drawn(two_versions())
    assert "not calculated" in text and "value.requests_per_day" in text


def test_a_terminal_without_unicode_gets_ascii() -> None:
    text = drawn(two_versions(), economics(), encoding="ascii")
    assert "$640" in text
    assert text.isascii()
