"""A version is compared on all test rows, and on the newest audited ones where there are enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from services.mlflow.examples import make_case
from tasks.classification import contract

from tailtune.config.settings import Settings
from tailtune.core.progress import Silent
from tailtune.core.records import Answer, Row
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.register import gate
from tailtune.lifecycle.register.dollars import Answered
from tailtune.services.mlflow import connect, registry
from tailtune.services.mlflow.registry import Version
from tailtune.tasks.use_case import load_use_case

LABELS = tuple(contract.LABELS)


def test_the_newest_audited_rows_are_compared_apart_at_half_of_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_case(tmp_path, "support-tickets")
    lines = [f"{label}: {about}.\n" for label, about in contract.LABELS.items()]
    (made.paths.folder / "labels.yaml").write_text("".join(lines))
    case = load_use_case(made.paths.project, "support-tickets")
    context = Context(case, Settings(), Silent(), connect(f"sqlite:///{tmp_path / 'never.db'}", case), "register")
    versions = [Version("m", str(number), "run", (), {}, number) for number in (1, 2)]
    monkeypatch.setattr(registry, "versions", lambda *_: tuple(versions))
    old = [Row(f"t{n}", f"t{n}", LABELS[n % 3], f"tickets.jsonl:{n + 1}", "test") for n in range(300)]
    new = [Row(f"a{n}", f"a{n}", LABELS[n % 3], f"audits.jsonl:{n + 1}", "test") for n in range(120)]

    def answered(rows: list[Row], wrong: int) -> Answered:
        answers = [Answer(LABELS[0] if place < wrong else str(row.label), 0.9) for place, row in enumerate(rows)]
        return Answered("knn", None, answers, case.task.score(rows, answers))  # type: ignore[arg-type]

    rows = [*new, *old]
    pair = answered(rows, 0), answered(rows, 60)
    whole, newest = gate._compare(context, versions[1], versions[0], pair, rows)
    assert newest is not None and newest.paired.difference.rows == 120
    assert newest.paired.difference.value == pytest.approx(40 / 120)
    assert whole.paired.difference.value == pytest.approx(40 / 420)
    assert whole.look.error == newest.look.error == pytest.approx(0.0031)
    few = rows[50:]
    alone, none = gate._compare(context, versions[1], versions[0], (answered(few, 0), answered(few, 9)), few)
    assert none is None and alone.look.error == pytest.approx(0.0062)
