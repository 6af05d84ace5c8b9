"""MLflow's room: runs, figures, tables, datasets and the model registry. Only here (and in serve/pyfunc.py)."""

from tailtune.services.tracking.charge import Charge
from tailtune.services.tracking.tracker import Tracker, connect

__all__ = ["Charge", "Tracker", "connect"]
