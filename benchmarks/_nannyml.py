"""NannyML's CBPE on windows that `accuracy_estimates.py` wrote, run by a Python that has NannyML.

    PYTHON benchmarks/_nannyml.py WINDOWS.npz ESTIMATES.npy

WINDOWS.npz: `probabilities` (n, labels), `truth` (n,), and for each of d draws `references` (d, r) and `windows`
(d, w, size), places of rows. ESTIMATES.npy: (d, w).
"""

from __future__ import annotations

import sys

import nannyml  # type: ignore[import-not-found]  # in a venv of its own
import numpy as np
import pandas as pd


def main() -> None:
    given = np.load(sys.argv[1])
    probabilities, truth = given["probabilities"], given["truth"]
    labels = [str(label) for label in range(probabilities.shape[1])]
    columns = {label: f"p{label}" for label in labels}

    def rows(places: np.ndarray) -> pd.DataFrame:
        frame = pd.DataFrame(probabilities[places], columns=list(columns.values()))
        frame["answer"] = probabilities[places].argmax(axis=1).astype(str)
        frame["truth"] = truth[places].astype(str)
        return frame

    estimates = []
    for reference, windows in zip(given["references"], given["windows"], strict=True):
        estimator = nannyml.CBPE(
            problem_type="classification_multiclass",
            y_pred_proba=columns,
            y_pred="answer",
            y_true="truth",
            metrics=["accuracy"],
            chunk_size=windows.shape[1],
        )
        estimator.fit(rows(reference))
        found = estimator.estimate(rows(windows.ravel())).filter(period="analysis").to_df()
        estimates.append(found["accuracy"]["value"].to_numpy(dtype=float))
    np.save(sys.argv[2], np.array(estimates))


if __name__ == "__main__":
    main()
