"""What training writes: checkpoints that are whole or absent, and the trained model. Safetensors and JSON only.

Both are written beside their place, then renamed into it, so that a kill leaves the old files or the new ones.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tailtune.core.errors import TrainingError
from tailtune.predictors.fine_tuned import TAILTUNE
from tailtune.predictors.reading import ADAPTER, CONFIG, ENCODER_NAME
from tailtune.training.objective import EpochStats, FitJob, FitResult

FORMAT = 3
_TENSORS, _STATE, _PREFIX, _PARTIAL = "tensors.safetensors", "state.json", "step-", ".partial"


@dataclass(frozen=True)
class Position:
    """Where a run stands. One per checkpoint.

    Attributes:
        digest: Of everything that decides the result: rows, labels, hyperparameters, encoder.
        precision: What the encoder computes in, fp32 or bf16: chosen by a short timing, whose outcome load may change.
        epoch: 0 for the first pass.
        batch: Batches of this epoch already learned from.
        step: Optimiser steps taken over all epochs.
        loss_sum: Train loss of this epoch so far, times rows.
        loss_rows: Train rows of this epoch so far.
        epoch_s: Seconds of training in this epoch so far.
        seconds: Seconds spent in all, dev passes included.
        history: Every finished epoch.
    """

    digest: str
    precision: str = ""
    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    loss_rows: int = 0
    epoch_s: float = 0.0
    seconds: float = 0.0
    history: tuple[EpochStats, ...] = ()


def save(folder: Path, position: Position, tensors: Mapping[str, Tensor]) -> Path:
    """Write one checkpoint and drop older ones; a kill at any moment leaves the last good one readable.

    Args:
        folder: Holds one subfolder for each checkpoint.
        position: Where the run stands.
        tensors: Weights, the best epoch's weights, optimiser moments and torch's random state, flat by name.

    Returns:
        The checkpoint's own folder.

    Raises:
        TrainingError: The disk is full or the folder cannot be written.
    """
    final = folder / f"{_PREFIX}{position.step:08d}-{position.epoch:04d}-{position.batch:08d}"
    partial = final.with_name(final.name + _PARTIAL)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial / _TENSORS)
        (partial / _STATE).write_text(json.dumps({"format": FORMAT, **asdict(position)}, indent=1), encoding="utf-8")
        for path in (partial / _TENSORS, partial / _STATE, partial):
            _sync(path)
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
        _sync(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise TrainingError(f"{folder}: a checkpoint could not be written: {error}", hint=f"df -h {folder}") from error
    for older in _all(folder):
        if older != final:
            shutil.rmtree(older, ignore_errors=True)
    return final


def load(folder: Path, digest: str) -> tuple[Position, dict[str, Tensor]] | None:
    """Read the newest whole checkpoint.

    Args:
        folder: As given to `save`; may be absent.
        digest: Of the job about to run.

    Returns:
        Position and tensors, or None when there is nothing of this very job: a checkpoint of other rows or
        hyperparameters is passed over, and so is one that cannot be read.
    """
    for path in reversed(_all(folder)):
        try:
            state: dict[str, Any] = json.loads((path / _STATE).read_text(encoding="utf-8"))
            if state.pop("format", None) != FORMAT or state["digest"] != digest:
                continue
            history = tuple(EpochStats(**epoch) for epoch in state.pop("history"))
            return Position(**state, history=history), load_file(path / _TENSORS)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError):
            continue
    return None


def clear(folder: Path) -> None:
    """Remove every checkpoint, whole or not; called once the result is safe elsewhere."""
    if folder.is_dir():
        for path in folder.glob(f"{_PREFIX}*"):
            shutil.rmtree(path, ignore_errors=True)


def _all(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob(f"{_PREFIX}*") if path.suffix != _PARTIAL)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_NOT_DECISIVE = frozenset({"goal", "encoder", "checkpoint_dir", "checkpoint_s", "should_stop", "patience"})


def job_digest(job: FitJob) -> str:
    """A SHA-256 over all that decides the weights: rows, labels, hyperparameters, the encoder's own weights.

    A checkpoint is resumed only by a job of the same digest.

    Patience, checkpoint interval and stop rule are left out: they may change between a kill and its resume.
    """
    decisive = {f.name: getattr(job, f.name) for f in fields(job) if f.name not in _NOT_DECISIVE}
    hashed = hashlib.sha256(json.dumps(decisive, sort_keys=True, default=list).encode())
    for text in job.goal.parts():
        hashed.update(text.encode(errors="surrogatepass"))
    with (job.encoder / "model.safetensors").open("rb") as weights:
        hashed.update(hashlib.file_digest(weights, "sha256").digest())
    return hashed.hexdigest()


def save_model(result: FitResult, folder: Path) -> None:
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
        _write_model(result, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise TrainingError(f"{folder}: the model could not be written: {error}", f"df -h {folder.parent}") from error


def _write_model(result: FitResult, folder: Path) -> None:
    """Equal training writes equal bytes: peft lists its modules in the order of a set, which differs by process."""
    result.model.peft.save_pretrained(str(folder / ADAPTER), safe_serialization=True)
    config = folder / ADAPTER / CONFIG
    written = json.loads(config.read_text(encoding="utf-8"))
    portable = {name: sorted(value) if isinstance(value, list) else value for name, value in written.items()} | {
        "base_model_name_or_path": ENCODER_NAME,
        "inference_mode": True,
    }
    config.write_text(json.dumps(portable, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / ADAPTER / "README.md").unlink(missing_ok=True)  # peft's empty model card
    notes = {"encoder": ENCODER_NAME, **result.objective.write(folder)}
    (folder / TAILTUNE).write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
