"""The one way into MLflow: imported late, quiet, its failures told as ours."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tailtune.config.settings import without_password
from tailtune.core.errors import ServiceError
from tailtune.services.mlflow.home import prepare

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_QUIET = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
_GLOBALS = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


def open_client(uri: str) -> MlflowClient:
    """A client of a tracking store and the registry beside it; makes the embedded store if need be."""
    for key, value in _QUIET.items():
        os.environ.setdefault(key, value)
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    prepare(uri)
    return MlflowClient(uri, uri)


@contextmanager
def told(uri: str, doing: str) -> Iterator[None]:
    """Turn what MLflow, its database and its transport raise into one ServiceError.

    Raises:
        ServiceError: Says which store, what was being done, and what to do.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, OSError) as error:
        first = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        remedy = (
            "check that the server runs (make up), then run the same command again"
            if uri.startswith("http")
            else "check disk space and rights of mlflow/store, then run the same command again"
        )
        raise ServiceError(f"{without_password(uri)}: {doing} failed: {first}", remedy) from error


@contextmanager
def fluent(uri: str) -> Iterator[Any]:
    """MLflow's module with its globals set to a store, for the few calls that have no client form.

    Restored after, with the variables that MLflow puts into the environment: child processes would inherit them.
    """
    import mlflow

    before = {name: os.environ.get(name) for name in _GLOBALS}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield mlflow
    finally:
        mlflow.set_tracking_uri(before["MLFLOW_TRACKING_URI"])
        mlflow.set_registry_uri(None)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
