"""The stage against a server that speaks the protocol: who is asked, what is kept, and where the money ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from doubles.endpoint import Double
from doubles.skill import Skilled
from project import NAME, context

from lifecycle.diagnose.measured import BASE, STRONG, project
from lifecycle.helpers import perform
from tailtune.config.paths import Paths
from tailtune.core.records import Row
from tailtune.core.reports import DiagnoseReport

PRICES = "as_of: 2026-11-01\ntokens:\n  dear:\n    input_usd_per_million: 1000\n    output_usd_per_million: 1000\n"


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The saved prompt names another endpoint than the use case, which would not be asked undeclared."""
    monkeypatch.setenv("TAILTUNE_ENDPOINTS", BASE["endpoint"])


def measured(root: Path, double: Double, max_cost_usd: float = 1.0, price: str | None = None) -> tuple[Paths, int]:
    models = [{**BASE, "endpoint": double.url}, {**STRONG, "model": "strong-one", "endpoint": double.url}]
    if price is not None:
        models = [{**one, "price": price, "max_output_tokens": 16} for one in models]
    spec = {"models": models, "max_cost_usd": max_cost_usd}
    paths, failed = project(root, witness=False, prompt_spec=spec)
    paths.prices.write_text(PRICES, encoding="utf-8")
    double.skill = Skilled(_truth(failed), base=0.0, strong=1.0, evidence=0.0)
    return paths, len(failed)


def _truth(failed: dict[str, Row]) -> dict[str, dict[str, str]]:
    return {text: {"label": row.label} for text, row in failed.items()}


def reasons(found: DiagnoseReport) -> dict[str, int]:
    return {one.reason: one.rows for one in found.classes}


def test_the_stronger_model_alone_is_asked_and_a_rerun_asks_nobody(tmp_path: Path) -> None:
    with Double() as double:
        paths, failed = measured(tmp_path / "p", double)
        first = perform("diagnose", context(paths))
        assert len(double.seen) == failed
        assert {one.body["model"] for one in double.seen} == {"strong-one"}
        again = perform("diagnose", context(paths))
        assert len(double.seen) == failed
    assert reasons(first) == {"model too weak": failed}
    assert first.usd_spent is None, "no price is declared"
    assert again.model_copy(update={"usd_spent": None}) == first
    assert again.usd_spent == 0


def test_where_the_money_ends_the_rest_is_told_and_what_was_paid_is_kept(tmp_path: Path) -> None:
    with Double() as double:
        paths, failed = measured(tmp_path / "p", double, max_cost_usd=1.0, price="dear")
        found = perform("diagnose", context(paths))
        bought = len(double.seen)
        assert 0 < bought < failed
        paid = (double.input_tokens + double.output_tokens) / 1000
    assert reasons(found) == {"model too weak": bought, "not asked again": failed - bought}
    assert found.usd_spent is not None
    assert abs(found.usd_spent - paid) < 1e-9
    assert found.usd_spent <= 1.0
    assert f"{failed - bought} of {failed} failures" in found.unmeasured[-1]
    assert len((paths.case(NAME).stage("diagnose") / "failures.jsonl").read_text().splitlines()) == failed
