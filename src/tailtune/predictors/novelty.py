"""How far a text lies from the texts that a model learnt from, in the model's own space of vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tailtune.predictors.base import Floats

FILE = "novelty.safetensors"
CENTRES = 512
"""At most: of BANKING77's unseen intents 39 % lie further away than 95 % of known ones do; with 64 it was 16 %."""
_ROWS_A_CENTRE = 4
_QUANTILES = 101
_KEPT_OUT = 5
_SEED = 17


@dataclass(frozen=True)
class Novelty:
    """One per served model.

    Attributes:
        centres: Unit vectors in the midst of the train texts, (centres, width).
        usual: Scores of texts that no centre was found from at 0, 1, …, 100 %, ascending, (101,).
    """

    centres: Floats
    usual: Floats

    @classmethod
    def fit(cls, vectors: Floats) -> Novelty:
        """Find centres among the vectors of known texts; one in five is kept out, to see what is usual.

        Args:
            vectors: Unit vectors, (n, width), at least one.

        Source: k-means on unit vectors (spherical k-means, Dhillon and Modha 2001).
        """
        from sklearn.cluster import MiniBatchKMeans

        kept_out = np.arange(len(vectors)) % _KEPT_OUT == 0
        learnt = vectors if kept_out.all() else vectors[~kept_out]
        count = max(1, min(CENTRES, len(learnt) // _ROWS_A_CENTRE))
        found = MiniBatchKMeans(count, random_state=_SEED, n_init=1, batch_size=1024).fit(learnt).cluster_centers_
        centres = (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)).astype(np.float32)
        usual = np.quantile(_scores(vectors[kept_out], centres), np.linspace(0, 1, _QUANTILES)).astype(np.float32)
        return cls(centres, usual)

    def score(self, vector: Floats) -> float:
        """1 − cosine to the nearest centre, 0 to 2: of a unit vector (width,)."""
        return float(_scores(vector[None, :], self.centres)[0])

    def save(self, folder: Path) -> None:
        """Write into a predictor's folder."""
        from safetensors.numpy import save_file

        save_file({"centres": self.centres, "usual": self.usual}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Novelty | None:
        """Read what `save` wrote; None where a predictor has none."""
        from safetensors.numpy import load_file

        file = folder / FILE
        return cls(**load_file(file)) if file.is_file() else None


def _scores(vectors: Floats, centres: Floats) -> Floats:
    scores: Floats = 1 - (vectors @ centres.T).max(axis=1)
    return scores
