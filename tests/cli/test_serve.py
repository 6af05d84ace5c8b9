"""What serving costs, in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from services.mlflow import examples
from services.mlflow.conftest import THIRD_PARTY
from worlds import stores

from tailtune.cli.serve import _note
from tailtune.config.settings import Settings
from tailtune.services.mlflow import connect, ledger
from tailtune.serving.costs import ServingUse

pytestmark = THIRD_PARTY


def test_cores_and_what_endpoints_were_paid_are_in_the_ledger(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = examples.make_case(tmp_path / "project")
    paths = case.paths.project
    monkeypatch.setenv("TAILTUNE_ROOT", str(paths.root))
    stores.give(tmp_path_factory, paths.mlflow_store)
    _note(paths, case, Settings(), ServingUse(1800.0, 1.5, 0, 0.25))
    _note(paths, case, Settings(), ServingUse(0.0, 1.0, 2, 0.0))
    tracker = connect(Settings().resolved_tracking_uri(paths), case)
    known, unknown = sorted(ledger.facts(tracker, case.name, "accuracy").entries, key=lambda entry: entry.usd is None)
    assert (known.category, known.usd) == ("serving", pytest.approx(0.5 * 0.04 + 1.75))
    assert known.what == "0.5 core hours; passed through $1.50, prompted version $0.25"
    assert unknown.usd is None and "2 requests at a price that is not known" in unknown.what
