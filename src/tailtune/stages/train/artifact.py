"""The trained model as a folder: peft's own adapter, a head, labels and how to use them. safetensors and JSON only."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from tailtune.core.errors import TrainingError
from tailtune.predictors.encoder import ENCODER_NAME
from tailtune.predictors.lora import ADAPTER, CONFIG, HEAD, LABELS, POOLING, TAILTUNE
from tailtune.stages.train import checkpoint
from tailtune.stages.train.job import FitResult


def save(result: FitResult, labels: Sequence[str], folder: Path, *, max_tokens: int) -> None:
    """Write the model, replacing what was there; a kill leaves the old folder or the new one.

    Args:
        result: What `fit` returned.
        labels: Class names; number j of the job is labels[j].
        folder: Becomes `adapter/`, `head.safetensors`, `labels.json`, `tailtune.json`: what `LoraPredictor` reads.
        max_tokens: Where longer texts are cut, as in the job.

    Raises:
        ValueError: There are not as many labels as classes.
        TrainingError: The disk is full or the folder cannot be written.
    """
    if len(labels) != result.model.n_classes:
        raise ValueError(f"{len(labels)} labels for {result.model.n_classes} classes")
    partial = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write(result, labels, partial, max_tokens)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise TrainingError(f"{folder}: the model could not be written: {error}", f"df -h {folder.parent}") from error


def forget_checkpoints(folder: Path) -> None:
    """Remove a finished run's checkpoints, once its model is saved."""
    checkpoint.clear(folder)


def _write(result: FitResult, labels: Sequence[str], folder: Path, max_tokens: int) -> None:
    result.model.peft.save_pretrained(str(folder / ADAPTER), safe_serialization=True)
    config = folder / ADAPTER / CONFIG
    portable = json.loads(config.read_text()) | {
        "base_model_name_or_path": ENCODER_NAME,
        "inference_mode": True,
    }
    config.write_text(json.dumps(portable, indent=2, sort_keys=True) + "\n")
    (folder / ADAPTER / "README.md").unlink(missing_ok=True)  # peft's empty model card
    weight, bias = (tensor.detach().cpu().contiguous() for tensor in result.model.head)
    save_file({"weight": weight, "bias": bias}, folder / HEAD)
    (folder / LABELS).write_text(json.dumps(list(labels), indent=1, ensure_ascii=False) + "\n")
    notes = {
        "encoder": ENCODER_NAME,
        "max_tokens": max_tokens,
        "pooling": POOLING,
        "temperature": result.temperature,
    }
    (folder / TAILTUNE).write_text(json.dumps(notes, indent=1) + "\n")
