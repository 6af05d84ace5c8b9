"""What servers answered, kept for whoever watches the model: a spool that workers append to, a writer, a store.

    server worker ── Spool.append ──▶ spool folder ── writer.move_spools ──▶ store.PredictionLog (SQLite, PostgreSQL)

This package itself imports no database: a worker that answers needs `Spool` and the records only. `writer` and `store`
import SQLAlchemy.
"""

from tailtune.services.prediction_log.records import (
    ROUTES,
    LoggedFeedback,
    LoggedPrediction,
    ReceivedFeedback,
    Route,
    kept_slices,
    kept_text,
)
from tailtune.services.prediction_log.spool import Spool

__all__ = [
    "ROUTES",
    "LoggedFeedback",
    "LoggedPrediction",
    "ReceivedFeedback",
    "Route",
    "Spool",
    "kept_slices",
    "kept_text",
]
