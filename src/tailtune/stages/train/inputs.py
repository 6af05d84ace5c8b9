"""A job's rows, checked and tokenised once, and the digest that tells whether a checkpoint is of the same job."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

from tailtune.core.errors import TrainingError
from tailtune.predictors.tokens import Tokens
from tailtune.stages.train.job import FitJob

_DATA = ("texts", "labels", "dev_texts", "dev_labels")
_NOT_DECISIVE = frozenset({*_DATA, "encoder", "checkpoint_dir", "checkpoint_s", "should_stop", "patience"})


@dataclass(frozen=True)
class Inputs:
    """One per run: token ids and class numbers of the train and dev rows."""

    ids: list[list[int]]
    labels: list[int]
    lengths: list[int]
    dev_ids: list[list[int]]
    dev_labels: list[int]


def read_inputs(job: FitJob, max_positions: int) -> Inputs:
    """Check the job's rows and tokenise them.

    Raises:
        TrainingError: No rows, texts and labels of unequal number, or a class number out of range; all at once.
    """
    faults = [
        *_faults("train", job.texts, job.labels, job.n_classes),
        *_faults("dev", job.dev_texts, job.dev_labels, job.n_classes),
    ]
    if faults:
        raise TrainingError("\n".join(faults))
    tokens = Tokens(job.encoder, min(job.max_tokens, max_positions))
    ids = tokens(job.texts)
    return Inputs(ids, list(job.labels), [len(row) for row in ids], tokens(job.dev_texts), list(job.dev_labels))


def digest(job: FitJob) -> str:
    """A SHA-256 over all that decides the weights: rows, labels, hyperparameters, the encoder's own weights.

    Patience, checkpoint interval and stop rule are left out: they may change between a kill and its resume.
    """
    decisive = {f.name: getattr(job, f.name) for f in fields(job) if f.name not in _NOT_DECISIVE}
    hashed = hashlib.sha256(json.dumps(decisive, sort_keys=True, default=list).encode())
    for name in _DATA:
        for value in getattr(job, name):
            hashed.update(f"{value}\0".encode(errors="surrogatepass"))
        hashed.update(b"\1")
    with (job.encoder / "model.safetensors").open("rb") as weights:
        hashed.update(hashlib.file_digest(weights, "sha256").digest())
    return hashed.hexdigest()


def _faults(split: str, texts: Sequence[str], labels: Sequence[int], n_classes: int) -> list[str]:
    faults = []
    if not texts:
        faults.append(f"{split}: no rows, expected at least one")
    if len(texts) != len(labels):
        faults.append(f"{split}: {len(texts)} texts but {len(labels)} labels")
    strange = sorted({label for label in labels if not 0 <= label < n_classes})
    if strange:
        faults.append(f"{split}: class numbers {strange[:5]} are outside 0 to {n_classes - 1}")
    return faults
