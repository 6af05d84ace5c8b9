"""A PostgreSQL server that goes away and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds.postgresql import postgresql

from tailtune.core.errors import ServiceError
from tailtune.services.prediction_log import Spool
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import Moved, move_spools

from .rows import row

pytestmark = pytest.mark.servers


def test_a_server_that_dies_costs_no_row(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> None:
    spool = Spool(folder)
    spool.append([row(1)])
    with postgresql(tmp_path_factory.mktemp("dying")) as server:
        log = PredictionLog(server.url)
        assert move_spools(log, folder) == Moved(rows=1)
        server.stop()
        assert spool.append([row(2)])
        with pytest.raises(ServiceError, match=r"the prediction log postgresql://127\.0\.0\.1:") as failed:
            move_spools(log, folder)
        assert "waits in the spool" in str(failed.value.hint)
        with pytest.raises(ServiceError):
            PredictionLog(server.url)
        server.start()
        assert move_spools(log, folder) == Moved(rows=1)
        assert [found["request_id"] for found in log.rows("inbox")] == ["r1", "r2"]
        log.close()
