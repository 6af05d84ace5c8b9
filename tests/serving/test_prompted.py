"""A prompted version in a server: its answers are priced, within the day's money, and given up in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double
from doubles.skill import always
from predictors.prompted.scripted import CODEC, SHOWING

from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import TailTuneError, UndeclaredEndpointError
from tailtune.predictors.prompted.examples import NoExamples
from tailtune.predictors.prompted.rung import Prompted
from tailtune.serving.plan import Limits, Upstream
from tailtune.tasks import saved

from .fake import Server, check_sums, server, spent, until

PREDICT = "/predict"
PRICE = TokenPrice(input_usd_per_million=1000.0, output_usd_per_million=2000.0)
Scenario = Callable[[Server], Coroutine[Any, Any, None]]


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    with Double(always(CODEC.shown("billing"))) as made:
        monkeypatch.setenv("TAILTUNE_ENDPOINTS", made.url)
        yield made


def version(folder: Path, double: Double, **more: Any) -> Path:
    """A registered version's folder: a prompt whose model costs money."""
    spec = LanguageModelSpec(
        **{"name": "small", "endpoint": double.url, "price": "small", "max_output_tokens": 16, **more}
    )
    folder.mkdir()
    Prompted("lm_zero_shot", SHOWING, CODEC, spec, NoExamples()).save(folder)
    saved.write_card(folder, saved.RUNG_KINDS["lm_zero_shot"], ())
    return folder


def run(folder: Path, champion: Path, scenario: Scenario, **declared: Any) -> dict[str, float]:
    async def play() -> dict[str, float]:
        async with server(folder, champion, **{"prices": {"small": PRICE}, **declared}) as made:
            await scenario(made)
            check_sums(made.counts())
        return made.counts()

    return asyncio.run(play())


def test_answers_are_priced_logged_and_counted(double: Double, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        assert (await made.ask(PREDICT, {"text": "charged twice"})).json["answers"][0]["answer"] == "billing"
        (row,) = made.rows()
        assert row["usd"] == pytest.approx(PRICE.usd(double.input_tokens, double.output_tokens))

    counts = run(tmp_path, version(tmp_path / "v", double), scenario, max_usd_per_day=5.0)
    assert counts["prompted_usd"] == pytest.approx(spent(tmp_path)) == pytest.approx(
        PRICE.usd(double.input_tokens, double.output_tokens)
    )  # fmt: skip
    assert (counts["passed_through_usd"], counts["unpriced_rows"]) == (0, 0)


def test_the_days_money_stops_both_ways_together(double: Double, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        texts = [made.ask(PREDICT, {"text": f"text {number}"}) for number in range(20)]
        passed = {"model": "big", "messages": [{"role": "user", "content": "one"}], "n": 2, "max_tokens": 8}
        back = await asyncio.gather(*texts, *(made.ask("/v1/chat/completions", passed) for _ in range(20)))
        assert {each.status for each in back} == {200, 503}
        assert {each.code for each in back if each.status == 503} == {"spent"}
        while (at_the_end := await made.ask(PREDICT, {"text": "one more"})).status == 200:
            pass
        assert (at_the_end.code, at_the_end.headers["retry-after"]) == ("spent", "3600")

    upstream = Upstream(name="large", model="big", endpoint=double.url, price=PRICE)
    counts = run(tmp_path, version(tmp_path / "v", double), scenario, max_usd_per_day=0.6, upstream=upstream)
    paid = PRICE.usd(double.input_tokens, double.output_tokens)
    assert (
        counts["prompted_usd"] + counts["passed_through_usd"] == pytest.approx(paid) == pytest.approx(spent(tmp_path))
    )
    assert paid <= 0.6
    assert counts["failed_rows"] >= 2 and counts["answered_rows"] >= 2


@pytest.mark.parametrize("declared", ["deadline_s", "timeout_s"])
def test_an_endpoint_that_takes_too_long_is_given_up(declared: str, double: Double, tmp_path: Path) -> None:
    double.conduct.next(Mishap(kind="stall"), Mishap(kind="stall"))
    limits = Limits(deadline_s=0.1) if declared == "deadline_s" else Limits()
    folder = version(tmp_path / "v", double, **({"timeout_s": 0.1} if declared == "timeout_s" else {}))

    async def scenario(made: Server) -> None:
        back = await made.ask(PREDICT, {"text": "charged twice"})
        assert (back.status, back.code) == (503, "late")
        await until(lambda: made.versions.loaded["champion"].line.waiting == 0)
        async with asyncio.timeout(20):  # a later one is answered, as soon as this machine does it in time
            while (await made.ask(PREDICT, {"text": "charged twice"})).status != 200:
                pass

    counts = run(tmp_path, folder, scenario, limits=limits, max_usd_per_day=5.0)
    assert counts["shed_rows"] >= 1 == counts["answered_rows"]
    assert counts["unpriced_rows"] >= 1, "it was sent, so it may be charged"
    assert spent(tmp_path) > counts["prompted_usd"] > 0


def test_without_a_price_there_is_no_limit_to_keep(double: Double, tmp_path: Path) -> None:
    async def scenario(made: Server) -> None:
        assert (await made.ask(PREDICT, {"text": "charged twice"})).status == 200

    champion = version(tmp_path / "v", double)
    assert run(tmp_path, champion, scenario, prices={})["unpriced_rows"] == 1
    with pytest.raises(TailTuneError, match="what small costs is not known"):
        run(tmp_path, champion, scenario, prices={}, max_usd_per_day=5.0)


def test_an_endpoint_that_nobody_declared_is_not_asked(
    double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAILTUNE_ENDPOINTS")
    with pytest.raises(UndeclaredEndpointError):
        run(tmp_path, version(tmp_path / "v", double), lambda made: asyncio.sleep(0))
    assert not double.seen
