"""The reference's embeddings: regions that are watched, and directions in which a window may have moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.monitored import Floats

EMBEDDING = "embedding"
CLUSTERS = 32
LEVELS = (0.6, 0.9, 0.98)
"""Shares of the reference that lie below the bounds on a learned direction."""
_ROWS_A_CLUSTER = 25
_STEPS = 20
_RIDGE = 0.5
_BLOCK = 65_536


@dataclass(frozen=True)
class Space:
    """One per reference that has embeddings.

    Attributes:
        centre: Mean of the third of the rows that directions are learnt from, (width,).
        whitening: Inverse of their covariance, regularised, (width, width).
        testing: The other vectors, (m, width).
        centres: Of the clusters, (clusters, width).
        cluster_rows: Rows of the others in each, (clusters,).
    """

    centre: Floats
    whitening: Floats
    testing: Floats
    centres: Floats
    cluster_rows: NDArray[np.int64]

    @classmethod
    def of(cls, embeddings: Floats, least_rows: int) -> Space | None:
        """Measure the reference's vectors; None where too few rows have one."""
        vectors = np.asarray(embeddings, dtype=np.float32)
        vectors = vectors[np.isfinite(vectors).all(axis=1)]
        if len(vectors) < least_rows:
            return None
        is_learnt_from = np.arange(len(vectors)) % 3 == 0
        learning, testing = vectors[is_learnt_from], vectors[~is_learnt_from]
        centre = learning.mean(axis=0)
        off = (learning - centre).astype(np.float64)
        covariance = off.T @ off / len(off)
        ridge = _RIDGE * max(float(np.trace(covariance)) / len(centre), 1e-12)
        whitening = np.linalg.inv(covariance + ridge * np.eye(len(centre))).astype(np.float32)
        centres = _clusters(learning)
        space = cls(centre, whitening, testing, centres, np.zeros(len(centres), dtype=np.int64))
        return cls(centre, whitening, testing, centres, space.in_clusters(testing))

    def in_clusters(self, vectors: Floats) -> NDArray[np.int64]:
        """Rows whose nearest centre each is, (clusters,)."""
        counts = np.zeros(len(self.centres), dtype=np.int64)
        for start in range(0, len(vectors), _BLOCK):
            nearest = _nearest(vectors[start : start + _BLOCK], self.centres)
            counts += np.bincount(nearest, minlength=len(self.centres))
        return counts

    def direction(self, total: Floats, rows: float) -> Floats:
        """From the reference towards rows with this sum: the linear discriminant (Fisher 1936), (width,)."""
        away: Floats = self.whitening @ (np.asarray(total, dtype=np.float32) / np.float32(rows) - self.centre)
        return away

    def cluster_key(self, place: int) -> str:
        """Of the statistic of one cluster."""
        return f"{EMBEDDING}\tcluster {place}"


def _nearest(vectors: Floats, centres: Floats) -> NDArray[np.intp]:
    nearest: NDArray[np.intp] = np.argmax(vectors @ centres.T - (centres**2).sum(axis=1) / 2, axis=1)
    return nearest


def _clusters(vectors: Floats) -> Floats:
    """Centres of k-means that begins at rows spread over the reference, without chance (Lloyd 1982)."""
    count = max(1, min(CLUSTERS, len(vectors) // _ROWS_A_CLUSTER))
    centres = vectors[np.linspace(0, len(vectors) - 1, count).astype(np.intp)]
    for _ in range(_STEPS):
        belongs = (_nearest(vectors, centres)[None, :] == np.arange(count)[:, None]).astype(np.float32)
        rows = belongs.sum(axis=1, keepdims=True)
        centres = np.where(rows > 0, belongs @ vectors / np.maximum(rows, 1), centres)
    return centres.astype(np.float32)
