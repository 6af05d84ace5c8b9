"""MLflow's room: runs, figures, tables, datasets and the model registry. Only here (and in serving/pyfunc.py)."""

from tailtune.services.mlflow.home import check_writable
from tailtune.services.mlflow.tracker import Charge, Tracker, connect

__all__ = ["Charge", "Tracker", "check_writable", "connect"]
