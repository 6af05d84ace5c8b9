"""Evidently's default choice of drift tests, written again as its documentation and code say, for `drift.py`.

Each column of a night has a *factor*: 1 is where the published rule says that the column drifted.

- **large** (more than 1,000 reference rows): numbers by Wasserstein's distance over the reference's standard deviation,
  from 0.1; numbers with up to five values and categories by Jensen–Shannon's distance, from 0.1; texts by a classifier
  that tells the window from the reference, from an area under the ROC curve of 0.55.
- **small** (at most 1,000): numbers by Kolmogorov–Smirnov's test (its asymptotic form), categories by χ², or z where
  there are two, below p = 0.05; texts by the same classifier, above the 95 % point of a random one's area.

The data set drifts when at least half its columns do. `half` and `single` are the factors from which that is so and
from which any column does; for the latter columns are put on one scale.

Source: docs.evidentlyai.com, "Data drift algorithm"; evidently 0.7, `legacy/calculations/stattests/` and
`legacy/utils/data_drift_utils.py`.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats
from scipy.spatial.distance import jensenshannon
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import SGDClassifier

F = NDArray[np.float64]
I = NDArray[np.int64]  # noqa: E741
COLUMNS = ("confidence", "novelty", "length", "tokens", "answer", "text")
SMALL_ROWS = 1000
_DISTANCE, _AREA, _P, _Z = 0.1, 0.55, 0.05, 1.645
_FEW_VALUES = 5


@dataclass(frozen=True)
class Columns:
    """All rows of all pools, as Evidently would be handed them.

    Attributes:
        numbers: Measure → values, (n,).
        answers: As numbers of categories, (n,).
        words: Counts of words of each text, English stop words left out, (n, words).
    """

    numbers: dict[str, F]
    answers: I
    words: Any

    @classmethod
    def of(cls, numbers: dict[str, F], answers: NDArray[np.object_], texts: NDArray[np.object_]) -> Columns:
        """Count words once."""
        words = sparse.csr_matrix(CountVectorizer(stop_words="english").fit_transform(texts), dtype=np.float64)
        return cls(numbers, np.unique(answers.astype(str), return_inverse=True)[1], words)

    def factors(self, reference: I, window: I) -> F:
        """Of each column of one night, (columns,): by the rules for as many reference rows as there are."""
        small = reference.size <= SMALL_ROWS
        found = []
        for name in COLUMNS[:-2]:
            then, now = self.numbers[name][reference], self.numbers[name][window]
            found.append(_number_small(then, now) if small else _number_large(then, now))
        most = int(self.answers.max()) + 1
        before, after = (np.bincount(self.answers[rows], minlength=most) for rows in (reference, window))
        found.append(_category_small(before, after) if small else float(jensenshannon(before, after)) / _DISTANCE)
        area, spread = self._area(reference, window)
        found.append((area - 0.5) / spread / _Z if small else (area - 0.5) / (_AREA - 0.5))
        return np.array(found)

    def _area(self, reference: I, window: I) -> tuple[float, float]:
        """Area under the domain classifier's ROC curve on the half it did not learn from, and a random one's spread."""
        rows = np.concatenate([reference, window])
        is_window = np.repeat([0, 1], [reference.size, window.size])
        order = np.random.RandomState(42).permutation(rows.size)
        test, train = np.split(order, [rows.size // 2])
        learnt = self.words[rows[train]]
        frequency = np.bincount(learnt.indices, minlength=learnt.shape[1])
        kept = np.flatnonzero((frequency > 0) & (frequency <= 0.5 * train.size))
        weight = np.log((1 + train.size) / (1 + frequency[kept])) + 1
        model = SGDClassifier(alpha=0.0001, max_iter=50, penalty="l1", loss="modified_huber", random_state=42)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 50 rounds, as published
            model.fit(_weighted(learnt[:, kept], weight), is_window[train])
        scores = model.decision_function(_weighted(self.words[rows[test]][:, kept], weight))
        positive = is_window[test] == 1
        ones, zeros = int(positive.sum()), int((~positive).sum())
        ranks = stats.rankdata(np.clip(scores, -1, 1))  # beyond ±1 its probability is 0 or 1
        area = (ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros)
        return float(area), math.sqrt((ones + zeros + 1) / (12 * ones * zeros))


def _weighted(counts: Any, weight: F) -> Any:
    """Words as `TfidfVectorizer(sublinear_tf=True)` weighs them."""
    weighted = counts.copy()
    weighted.data = (1 + np.log(weighted.data)) * weight[weighted.indices]
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return sparse.diags(1 / np.maximum(norms, 1e-12)) @ weighted


def _number_large(then: F, now: F) -> float:
    values = np.unique(np.concatenate([then, now]))
    if values.size <= _FEW_VALUES:
        shares = [np.bincount(np.searchsorted(values, each), minlength=values.size) for each in (then, now)]
        return float(np.nan_to_num(jensenshannon(*shares))) / _DISTANCE
    return float(stats.wasserstein_distance(then, now)) / max(float(then.std()), 0.001) / _DISTANCE


def _number_small(then: F, now: F) -> float:
    values = np.unique(np.concatenate([then, now]))
    if values.size <= _FEW_VALUES:
        counts = [np.bincount(np.searchsorted(values, each), minlength=values.size) for each in (then, now)]
        return _category_small(*counts)
    return _by_p(float(stats.ks_2samp(then, now, method="asymp").pvalue))


def _category_small(then: I, now: I) -> float:
    there = (then + now) > 0
    then, now = then[there], now[there]
    if then.size < 2:
        return 0.0
    if then.size == 2:
        share, pooled = now[1] / now.sum() - then[1] / then.sum(), (now[1] + then[1]) / (now.sum() + then.sum())
        spread = math.sqrt(pooled * (1 - pooled) * (1 / now.sum() + 1 / then.sum()))
        return _by_p(float(2 * stats.norm.sf(abs(share) / spread)))
    expected = then * (now.sum() / then.sum())
    with np.errstate(divide="ignore"):
        return _by_p(float(stats.chi2.sf(((now - expected) ** 2 / expected).sum(), then.size - 1)))


def _by_p(p: float) -> float:
    return math.log(max(p, 1e-300)) / math.log(_P)


def half(factors: F) -> F:
    """Factor from which at least half of the columns drift, night by night, (..., nights).

    Args:
        factors: (..., nights, columns).
    """
    needed = math.ceil(factors.shape[-1] / 2)
    result: F = np.sort(factors, axis=-1)[..., -needed]
    return result


def single(factors: F, quiet: F) -> F:
    """Factor of the column that drifts most, each in units of what quiet months reach in one month of twenty."""
    usual = np.quantile(quiet.max(axis=1), 0.95, axis=0)
    result: F = (factors / np.maximum(usual, 1e-12)).max(axis=-1)
    return result


def tuned(quiet: F, share: float) -> float:
    """The threshold that this share of quiet months reaches on any night.

    Args:
        quiet: Of each month and night, (months, nights).
        share: Of months that may alarm.
    """
    return float(np.nextafter(np.quantile(quiet.max(axis=1), 1 - share, method="higher"), np.inf))
