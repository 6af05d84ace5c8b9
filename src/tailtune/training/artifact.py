"""The trained model as a folder: peft's own adapter, and the objective's own files. safetensors and JSON only."""

import json
import shutil
from pathlib import Path

from safetensors import SafetensorError

from tailtune.core.errors import TrainingError
from tailtune.predictors.adapter import ADAPTER, CONFIG, TAILTUNE
from tailtune.predictors.encoder import ENCODER_NAME
from tailtune.training import checkpoint
from tailtune.training.job import FitResult


def save(result: FitResult, folder: Path) -> None:
    """Write the model, replacing what was there; a kill leaves the old folder or the new one.

    Args:
        result: What `fit` returned.
        folder: Becomes `adapter/`, `tailtune.json` and what the objective writes: what the task's predictor reads.

    Raises:
        TrainingError: The disk is full or the folder cannot be written.
    """
    partial = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write(result, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise TrainingError(f"{folder}: the model could not be written: {error}", f"df -h {folder.parent}") from error


def forget_checkpoints(folder: Path) -> None:
    """Remove a finished run's checkpoints, once its model is saved."""
    checkpoint.clear(folder)


def _write(result: FitResult, folder: Path) -> None:
    result.model.peft.save_pretrained(str(folder / ADAPTER), safe_serialization=True)
    config = folder / ADAPTER / CONFIG
    portable = json.loads(config.read_text()) | {
        "base_model_name_or_path": ENCODER_NAME,
        "inference_mode": True,
    }
    config.write_text(json.dumps(portable, indent=2, sort_keys=True) + "\n")
    (folder / ADAPTER / "README.md").unlink(missing_ok=True)  # peft's empty model card
    notes = {"encoder": ENCODER_NAME, **result.objective.write(folder)}
    (folder / TAILTUNE).write_text(json.dumps(notes, indent=1) + "\n")
