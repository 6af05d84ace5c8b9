"""What work costs is told however it ends; and telling never hides why it has ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from project import Heard, Published, context, make

from tailtune.core.errors import EndpointError, ServiceError
from tailtune.lifecycle.charging import charged
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import language_models
from tailtune.services.endpoint import Budget
from tailtune.services.mlflow import Charge, Tracker
from tailtune.tasks.use_case import load_use_case

KEY = "sk-very-secret"


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return context(make(tmp_path / "project"))


def charges(ctx: Context) -> list[Charge]:
    return cast(Published, ctx.tracker).charges


def pay(ctx: Context, usd: float | None) -> Budget:
    """Buy one answer, as a stage does."""
    with language_models(ctx) as models:
        models.budget.count(usd)
        return models.budget


@pytest.mark.parametrize(
    ("error", "what", "status", "note"),
    [
        (EndpointError("small: gone\nand more", "look"), "failed", "FAILED", "`EndpointError`: small: gone"),
        (RuntimeError(), "failed", "FAILED", "`RuntimeError`"),
        (SystemExit(3), "failed", "FAILED", "`SystemExit`: 3"),
        (KeyboardInterrupt(), "interrupted", "KILLED", "Interrupted with Ctrl-C."),
    ],
)  # fmt: skip
def test_work_that_ends_badly_is_charged_once_with_all_its_budgets(
    ctx: Context, error: BaseException, what: str, status: str, note: str
) -> None:
    with pytest.raises(type(error)) as caught, charged(ctx, "prompt", 3600.0):
        pay(ctx, 0.2)
        pay(ctx, 0.1)
        raise error
    assert caught.value is error
    (charge,) = charges(ctx)
    assert (charge.stage, charge.what, charge.status, charge.note) == ("prompt", what, status, note)
    assert charge.cost.bought_usd == pytest.approx(0.3)
    assert charge.cost.usd == pytest.approx(charge.cost.wall_s, abs=0.002)


def test_one_answer_without_a_price_makes_what_was_bought_unknown(ctx: Context) -> None:
    with suppress(RuntimeError), charged(ctx, "evaluate", None):
        pay(ctx, 0.2)
        pay(ctx, None)
        raise RuntimeError
    (charge,) = charges(ctx)
    assert (charge.cost.usd, charge.cost.bought_usd) == (None, None)


def test_requests_that_were_lost_are_counted_beside(ctx: Context) -> None:
    with suppress(RuntimeError), charged(ctx, "prompt", None):
        budget = pay(ctx, 0.0)
        hold = budget.reserve(0.4)
        assert hold is not None
        budget.lose(hold)
        raise RuntimeError
    (charge,) = charges(ctx)
    assert (charge.cost.bought_usd, charge.lost_requests, charge.noticeable) == (0.0, 1, True)


def test_work_that_ends_well_is_not_charged_and_knows_its_cost(ctx: Context) -> None:
    with charged(ctx, "prompt", 1.0) as cost:
        assert cost().bought_usd == 0
        pay(ctx, 0.2)
    assert cost().bought_usd == 0.2
    assert charges(ctx) == []


def test_work_aside_is_charged_under_its_name_and_says_how_it_ended(ctx: Context) -> None:
    with charged(ctx, "prompt", None, "repeats"):
        pay(ctx, 0.2)
    for error in (KeyboardInterrupt, RuntimeError):
        with suppress(error), charged(ctx, "prompt", None, "repeats"):
            raise error
    lines = [(charge.what, charge.status) for charge in charges(ctx)]
    assert lines == [("repeats", "FINISHED"), ("repeats interrupted", "KILLED"), ("repeats failed", "FAILED")]


def test_a_note_holds_neither_keys_nor_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = {"name": "small", "endpoint": "http://127.0.0.1:9/v1", "key_env": "TAILTUNE_TEST_KEY"}
    stage_context = context(make(tmp_path / "project", {"prompt": {"models": [model]}}))
    monkeypatch.setenv("TAILTUNE_TEST_KEY", KEY)
    with suppress(RuntimeError), charged(stage_context, "prompt", None):
        raise RuntimeError(f"refused at http://me:hunter2@host/v1 with {KEY} in it")
    (charge,) = charges(stage_context)
    assert charge.note == "`RuntimeError`: refused at http://host/v1 with *** in it"


def failing(error: BaseException) -> Callable[[Charge], str]:
    def charge(_: Charge) -> str:
        raise error

    return charge


@pytest.mark.parametrize("second", [ServiceError("no store at http://me:hunter2@host", "mend it"), KeyboardInterrupt()])
@pytest.mark.parametrize("first", [EndpointError("gone"), KeyboardInterrupt("first")])
def test_a_store_that_fails_as_well_never_hides_the_first_error(
    ctx: Context, first: BaseException, second: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctx.tracker, "charge", failing(second))
    with pytest.raises(type(first)) as caught, charged(ctx, "prompt", None):
        pay(ctx, 0.2)
        raise first
    assert caught.value is first
    (line,) = cast(Heard, ctx.progress).lines
    assert line.startswith("not in the ledger: 0 s of the machine and 0.2000 US dollars of answers (")
    assert "hunter2" not in line and "\n" not in line


def test_a_store_that_fails_does_not_take_the_result_of_work_aside(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctx.tracker, "charge", failing(ServiceError("no store")))
    with charged(ctx, "prompt", None, "repeats"):
        pay(ctx, None)
    assert cast(Heard, ctx.progress).lines == [
        "not in the ledger: 0 s of the machine and answers whose cost is not known (no store)"
    ]


def test_nothing_used_makes_no_run_and_does_not_even_open_the_store(tmp_path: Path) -> None:
    """As a stage that lacks its input: the real tracker, whose store would be made at its first use."""
    paths = make(tmp_path / "project")
    found = context(paths)
    case = load_use_case(paths, found.case.name)
    tracker = Tracker(f"sqlite:///{paths.mlflow_store / 'mlflow.db'}", case)
    real = Context(case, found.settings, found.progress, tracker)
    with pytest.raises(RuntimeError), charged(real, "ladder", 1.0):
        raise RuntimeError("nothing to read")
    assert not paths.mlflow_store.exists()
    assert cast(Heard, found.progress).states == []
