"""Versions in a store without MLflow's slow way of logging a model: the registry's rows, and files at their places."""

from __future__ import annotations

import shutil
from pathlib import Path

from tailtune.core.digests import folder_digest
from tailtune.services.mlflow import Tracker, registry
from tailtune.services.mlflow.lookup import FILES, PREDICTOR_FILES, local_folder
from tailtune.services.mlflow.presence import files_of
from tailtune.services.mlflow.registry import Logged

MODEL = "stored-tickets"  # nobody else registers it on the server that a session of tests shares


def register(
    tracker: Tracker, predictor: Path, alias: str | None = None, before: bool = False, model: str = MODEL
) -> tuple[str, Path]:
    """Put a version there as registering leaves it; returns its number, and the folder of its model's files.

    Args:
        tracker: Of the store.
        predictor: The folder of its predictor.
        alias: What it is called.
        model: Its name.
        before: Whether it is one of before: with a package `tailtune`, and without a digest of its predictor.
    """
    client = tracker.client
    run_id = tracker.open_run("register", model)
    logged = client.create_logged_model(tracker.experiment_id, model, source_run_id=run_id)
    folder = local_folder(logged.artifact_location)
    is_local = folder is not None
    folder = folder or predictor.with_name(f"{logged.model_id}-to-upload")
    shutil.copytree(predictor, folder / "artifacts" / predictor.name)
    (folder / "MLmodel").write_text("flavors: {}\n")
    if before:
        package = folder / "code" / "tailtune"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise AssertionError('code of a store was run')\n")
    tags = {FILES: files_of(str(folder)) or ""} if is_local else {}
    if not is_local:
        client.log_model_artifacts(logged.model_id, str(folder))
    tags |= {} if before else {PREDICTOR_FILES: folder_digest(predictor)}
    made = registry.create(tracker, model, Logged(run_id, logged.model_id, tags), {}, "")
    if alias:
        client.set_registered_model_alias(model, alias, made.version)
    return made.version, folder
