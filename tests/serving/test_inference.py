"""The line before the thread that answers: in order, in turns, bounded, and no request harms another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from tailtune.core.errors import FullError, LateError
from tailtune.serving.inference import TURN_ROWS, Line

from .fake import until


class Gated:
    """Answers a text in capitals once the gate is open."""

    def __init__(self) -> None:
        self.gate, self.seen = threading.Event(), list[str]()

    def __call__(self, text: str) -> str:
        self.gate.wait(10)
        self.seen.append(text)
        if text == "fail":
            raise ArithmeticError(text)
        if text == "panic":
            raise SystemExit(text)
        return text.upper()


def run(scenario: Callable[[Gated, Line[str]], object], limit: int = 100) -> Gated:
    answer = Gated()
    line = Line(answer, limit)
    try:
        asyncio.run(scenario(answer, line))  # type: ignore[arg-type]
    finally:
        answer.gate.set()
        line.close()
    assert line.waiting == 0
    return answer


def test_texts_are_answered_in_the_order_in_which_they_came() -> None:
    async def scenario(answer: Gated, line: Line[str]) -> None:
        waiting = [asyncio.create_task(line.ask([str(number)], 10)) for number in range(20)]
        await until(lambda: line.waiting == 20)
        answer.gate.set()
        assert await asyncio.gather(*waiting) == [[str(number)] for number in range(20)]

    assert run(scenario).seen == [str(number) for number in range(20)]


def test_a_request_of_many_rows_takes_turns_with_others() -> None:
    async def scenario(answer: Gated, line: Line[str]) -> None:
        many = asyncio.create_task(line.ask([f"m{number}" for number in range(3 * TURN_ROWS)], 10))
        await until(lambda: line.waiting == 3 * TURN_ROWS)
        single = asyncio.create_task(line.ask(["single"], 10))
        await until(lambda: line.waiting == 3 * TURN_ROWS + 1)
        answer.gate.set()
        assert await single == ["SINGLE"]
        assert await many == [f"M{number}" for number in range(3 * TURN_ROWS)]

    assert run(scenario).seen.index("single") == TURN_ROWS


def test_a_full_line_refuses_and_says_when_to_try_again() -> None:
    async def scenario(answer: Gated, line: Line[str]) -> None:
        first = asyncio.create_task(line.ask(["a", "b"], 10))
        await until(lambda: line.waiting == 2)
        with pytest.raises(FullError) as full:
            await line.ask(["c"], 10)
        assert full.value.retry_s >= 1
        answer.gate.set()
        assert await first == ["A", "B"]
        assert await line.ask(["c"], 10) == ["C"]

    run(scenario, limit=2)


def test_more_rows_than_may_wait_are_answered_when_nothing_waits() -> None:
    async def scenario(answer: Gated, line: Line[str]) -> None:
        answer.gate.set()
        assert len(await line.ask(["a"] * 30, 10)) == 30

    run(scenario, limit=2)


def test_an_answer_that_takes_longer_than_the_deadline_is_not_waited_for() -> None:
    async def scenario(answer: Gated, line: Line[str]) -> None:
        with pytest.raises(LateError):
            await line.ask(["slow", "never"], 0.005)
        assert not answer.gate.is_set()
        answer.gate.set()
        assert await line.ask(["next"], 10) == ["NEXT"]

    assert run(scenario).seen == ["slow", "next"], "nobody waits for the second text any more"


def test_a_request_that_waits_past_its_deadline_is_given_up() -> None:
    async def scenario(answer: Gated, line: Line[str]) -> None:
        first = asyncio.create_task(line.ask(["a"], 10))
        await until(lambda: line.waiting == 1)
        late = asyncio.create_task(line.ask(["late"], 0.002))
        await until(lambda: line.waiting == 2)
        await asyncio.sleep(0.005)
        answer.gate.set()
        assert await first == ["A"]
        with pytest.raises(LateError):
            await late

    assert run(scenario).seen == ["a"]


@pytest.mark.parametrize(("fault", "kind"), [("fail", ArithmeticError), ("panic", RuntimeError)])
def test_an_error_belongs_to_one_request_and_leaves_its_place(fault: str, kind: type[Exception]) -> None:
    async def scenario(answer: Gated, line: Line[str]) -> None:
        answer.gate.set()
        texts = [*(["a"] * (TURN_ROWS + 2)), fault, "b"]
        with pytest.raises(kind):
            await line.ask(texts, 10)
        assert line.waiting == 0
        assert await line.ask(["c"], 10) == ["C"]

    run(scenario)


def test_nobody_answers_a_client_that_has_gone() -> None:
    async def scenario(answer: Gated, line: Line[str]) -> None:
        first = asyncio.create_task(line.ask(["a"], 10))
        await until(lambda: line.waiting == 1)
        gone = asyncio.create_task(line.ask(["gone"], 10))
        await until(lambda: line.waiting == 2)
        gone.cancel()
        await asyncio.sleep(0)
        answer.gate.set()
        assert await first == ["A"]
        assert await line.ask(["c"], 10) == ["C"]

    assert "gone" not in run(scenario).seen


def test_closing_answers_what_waits_and_takes_no_more() -> None:
    async def scenario(answer: Gated, line: Line[str]) -> None:
        waiting = [asyncio.create_task(line.ask([str(number)] * (2 * TURN_ROWS), 10)) for number in range(3)]
        await until(lambda: line.waiting == 6 * TURN_ROWS)
        closing = asyncio.create_task(asyncio.to_thread(line.close))
        await until(lambda: not line._open)
        with pytest.raises(FullError):
            await line.ask(["more"], 10)
        answer.gate.set()
        await closing
        assert [len(answers) for answers in await asyncio.gather(*waiting)] == [2 * TURN_ROWS] * 3

    run(scenario)


def test_a_loop_that_has_ended_does_not_end_the_line() -> None:
    async def leaves(answer: Gated, line: Line[str]) -> None:
        waiting = asyncio.create_task(line.ask(["a"], 10))
        await until(lambda: line.waiting == 1)
        waiting.cancel()

    answer = Gated()
    line = Line(answer, 100)
    asyncio.run(leaves(answer, line))
    answer.gate.set()
    assert asyncio.run(line.ask(["b"], 10)) == ["B"]
    line.close()
