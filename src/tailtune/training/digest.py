"""The digest that tells whether a checkpoint is of the same job."""

import hashlib
import json
from dataclasses import fields

from tailtune.training.job import FitJob

_NOT_DECISIVE = frozenset({"goal", "encoder", "checkpoint_dir", "checkpoint_s", "should_stop", "patience"})


def digest(job: FitJob) -> str:
    """A SHA-256 over all that decides the weights: rows, labels, hyperparameters, the encoder's own weights.

    Patience, checkpoint interval and stop rule are left out: they may change between a kill and its resume.
    """
    decisive = {f.name: getattr(job, f.name) for f in fields(job) if f.name not in _NOT_DECISIVE}
    hashed = hashlib.sha256(json.dumps(decisive, sort_keys=True, default=list).encode())
    for part in job.goal.parts():
        hashed.update(part.encode(errors="surrogatepass"))
    with (job.encoder / "model.safetensors").open("rb") as weights:
        hashed.update(hashlib.file_digest(weights, "sha256").digest())
    return hashed.hexdigest()
