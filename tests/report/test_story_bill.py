"""What stages used: bought answers count, and what is not known is never 0."""

from __future__ import annotations

from tailtune.core.records import Cost
from tailtune.report.story import Bill, BillLine


def line(stage: str, usd: float | None, bought: float | None = 0.0) -> BillLine:
    return BillLine(stage, Cost(wall_s=2.0, cpu_s=1.0, peak_memory_mb=9.0, usd=usd, bought_usd=bought))


def test_bought_answers_are_part_of_the_sum() -> None:
    bill = Bill((line("ladder", 0.25), line("prompt", 0.5, 3.0)))
    assert (bill.usd, bill.known_usd, bill.unknown, bill.bought) == (3.75, 3.75, (), True)
    assert not Bill((line("ladder", 0.25),)).bought


def test_an_unknown_purchase_makes_the_sum_unknown_and_keeps_what_is_known() -> None:
    bill = Bill((line("ladder", 0.25), line("prompt", 0.5, None)))
    assert bill.usd is None
    assert (bill.known_usd, bill.unknown, bill.unpriced, bill.unreported) == (0.75, ("prompt",), (), ("prompt",))


def test_a_machine_without_a_price_keeps_what_was_bought() -> None:
    bill = Bill((line("prompt", None, 3.0), BillLine("diagnose", None)))
    assert bill.usd is None
    assert (bill.known_usd, bill.unpriced, bill.unreported) == (3.0, ("prompt", "diagnose"), ())
    assert bill.wall_s == 2.0
    assert Bill(()).usd is None
