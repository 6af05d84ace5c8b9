"""How well accuracy is known without labels, and with fifty: error, coverage, and falls that are seen.

    python benchmarks/accuracy_estimates.py [--quick] [--seed 1] [--cache FOLDER]
    python benchmarks/accuracy_estimates.py --banking77 FOLDER --nannyml PYTHON

BANKING77 (Casanueva et al. 2020): a linear model on the embedded encoder's vectors learns from 6,000 rows and is
calibrated on 600 more. Of the other 6,483, each draw deals 2,000 into a labelled reference and the rest into a pool of
windows. What is true is counted from the labels, with numpy alone.

- **Without labels.** Windows of 300 and 1,000 rows, of the reference's mix of labels (`same`) and of another: half of
  the labels nine times as frequent as the others (`half`), shares by a Dirichlet distribution of ½ (`dirichlet`), 80 %
  of rows from ten labels (`few`). Mean absolute error in points of ours, of the mean confidence, and of NannyML's CBPE
  on the same windows where `--nannyml` names a Python that has it; how often our interval has the truth, which is to
  be 93 % at least.
- **Falls.** Windows of 3,000 rows of the reference's mix. The true labels of some intents are exchanged until accuracy
  has fallen by 15 or by 5 points: how often an audit of 50 rows calls a fall by more than two points, how often it does
  where nothing fell, what CBPE says of it, and how often an audit of as many rows does as the first one asked for.
- **Intervals of fifty audited rows.** A thousand rows with simulated confidences: exact, too extreme, without any
  meaning, or exact before a fifth of all right answers turned wrong. Fixed-sample intervals are to have the truth in 93
  to 98 % of draws; beside ours the normal interval of PPI++ (Angelopoulos, Duchi and Zrnic 2024; `ppi_mean_ci` of
  ppi-python has the same) and Clopper and Pearson's. `always` is the share of lives of twelve audits in which the
  interval over time had the truth at every audit, which is to be 95 % at least.

A line outside its range by more than two standard errors is marked.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import beta

from tailtune.core.records import Estimate
from tailtune.judge.audit import audited, drawn, fall, gain, over_time
from tailtune.judge.estimated_accuracy import Labelled, TopLabels, estimated_accuracy
from tailtune.judge.recalibration import fitted, log_odds
from tailtune.predictors.encoder import Encoder
from tailtune.tasks.classification.linear import fit_linear

DATASETS = Path(__file__).resolve().parent.parent.parent / "shared" / "datasets"
TRAIN_ROWS, CALIBRATION_ROWS, REFERENCE_ROWS, STRENGTH = 6_000, 600, 2_000, 20.0
AUDIT_ROWS, AUDITS, WINDOW_ROWS, MARGIN = 50, 12, 3_000, 0.02
FEWEST, MOST = 0.93, 0.98
Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Rows that the model did not learn from.

    Attributes:
        probabilities: Calibrated, shape (n, labels).
        truth: Places of the right labels, (n,).
        names: Of the labels.
        top: The five likeliest labels of each row, as the prediction log has them.
    """

    probabilities: Floats
    truth: Places
    names: NDArray[np.str_]
    top: TopLabels

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the model answers each row right."""
        result: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.truth
        return result

    @property
    def confidence(self) -> Floats:
        """Of each answer."""
        result: Floats = self.probabilities.max(axis=1)
        return result

    def labelled(self, places: Places) -> Labelled:
        """These rows as a reference."""
        return Labelled(self.top.of_rows(places), self.names[self.truth[places]].tolist())


def load(folder: Path, cache: Path) -> Rows:
    """Read, encode and answer; what was encoded before is read from `cache`."""
    rows = []
    for name in ("train.csv", "test.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as lines:
            rows += [(line["text"], line["category"]) for line in csv.DictReader(lines)]
    order = np.random.default_rng(0).permutation(len(rows))
    texts, labels = [rows[place][0] for place in order], [rows[place][1] for place in order]
    vectors = _encoded(texts, cache)
    names = np.unique(labels)
    truth = np.searchsorted(names, labels)
    weights, intercepts = fit_linear(vectors[:TRAIN_ROWS], truth[:TRAIN_ROWS], len(names), STRENGTH)
    scores = vectors @ weights.T + intercepts
    held_out = slice(TRAIN_ROWS, TRAIN_ROWS + CALIBRATION_ROWS)
    by_loss = [(_loss(_softmax(scores[held_out] / each), truth[held_out]), each) for each in np.geomspace(0.2, 5, 101)]
    probabilities = _softmax(scores[held_out.stop :] / min(by_loss)[1])
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    top = TopLabels(
        tuple(map(str, names)), best.astype(np.int32), np.take_along_axis(probabilities, best, 1).astype(np.float32)
    )
    return Rows(probabilities, truth[held_out.stop :], names, top)


def _encoded(texts: list[str], cache: Path) -> NDArray[np.float32]:
    file = cache / f"{hashlib.sha256(chr(31).join(texts).encode()).hexdigest()[:16]}.npy"
    if not file.is_file():
        print(f"encoding {len(texts):,} texts, kept in {file}", flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npy")
        np.save(part, Encoder.load().embed(texts))
        part.replace(file)
    kept: NDArray[np.float32] = np.load(file)
    return kept


def _softmax(scores: Floats) -> Floats:
    shares: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    normalised: Floats = shares / shares.sum(axis=1, keepdims=True)
    return normalised


def _loss(shares: Floats, truth: Places) -> float:
    return float(-np.log(shares[np.arange(truth.size), truth]).mean())


def window(rows: Rows, pool: Places, size: int, mix: str, random: np.random.Generator) -> Places:
    """Rows of the pool, each at most once, with this mix of labels."""
    labels = rows.names.size
    if mix == "same":
        return random.choice(pool, size, replace=False)
    if mix == "half":
        shares = np.where(random.random(labels) < 0.5, 1.8, 0.2)
    elif mix == "dirichlet":
        shares = random.dirichlet(np.full(labels, 0.5))
    else:
        shares = np.full(labels, 0.2 / labels)
        shares[random.choice(labels, 10, replace=False)] += 0.08
    weights = (shares / np.bincount(rows.truth[pool], minlength=labels))[rows.truth[pool]]
    return random.choice(pool, size, replace=False, p=weights / weights.sum())


def without_labels(rows: Rows, draws: int, each: int, seed: int, nannyml: str | None, cache: Path) -> None:
    """Print how far off estimates without labels are, and how often intervals have the truth."""
    print(f"\nwithout labels: {draws} references, {each} windows each; points of mean absolute error")
    print(f"{'mix':<10}{'rows':>6}{'accuracy':>10}{'ours':>7}{'confidence':>12}{'NannyML':>9}{'covered':>9}")
    for mix in ("same", "half", "dirichlet", "few"):
        for size in (300, 1000):
            cell = [_drawn(rows, each, size, mix, [seed, number, size, len(mix)]) for number in range(draws)]
            references, windows = (np.array(part) for part in zip(*cell, strict=True))
            truth = rows.right[windows].mean(axis=2)
            found = [
                estimated_accuracy(rows.labelled(reference), rows.top.of_rows(places)).accuracy
                for reference, places in zip(
                    np.repeat(references, each, axis=0), windows.reshape(-1, size), strict=True
                )
            ]
            ours = [estimate for estimate in found if estimate is not None]
            true = truth.ravel()
            assert len(ours) == true.size
            errors = [
                _points(np.array([estimate.value for estimate in ours]), true),
                _points(rows.confidence[windows].mean(axis=2).ravel(), true),
                "n/a"
                if nannyml is None
                else _points(_nannyml(nannyml, rows, references, windows, cache).ravel(), true),
            ]
            covered = float(np.mean([e.low <= value <= e.high for e, value in zip(ours, true, strict=True)]))
            print(
                f"{mix:<10}{size:>6}{true.mean():>10.1%}{errors[0]:>7}{errors[1]:>12}{errors[2]:>9}{covered:>9.1%}"
                f"{_mark(covered, FEWEST, 1.0, true.size)}",
                flush=True,
            )


def _drawn(rows: Rows, each: int, size: int, mix: str, seed: list[int]) -> tuple[Places, Places]:
    """A reference, and windows from the rest."""
    random = np.random.default_rng(seed)
    reference, pool = np.split(random.permutation(rows.truth.size), [REFERENCE_ROWS])
    return reference, np.array([window(rows, pool, size, mix, random) for _ in range(each)])


def _points(estimates: Floats, truth: Floats) -> str:
    return f"{100 * np.abs(estimates - truth).mean():.2f}"


def _nannyml(python: str, rows: Rows, references: Places, windows: Places, cache: Path) -> Floats:
    given, found = cache / "windows.npz", cache / "estimates.npy"
    cache.mkdir(parents=True, exist_ok=True)
    np.savez(given, probabilities=rows.probabilities, truth=rows.truth, references=references, windows=windows)
    script = Path(__file__).with_name("_nannyml.py")
    subprocess.run([python, "-W", "ignore", str(script), str(given), str(found)], check=True, capture_output=True)
    estimates: Floats = np.load(found)
    return estimates


def _mark(share: float, low: float, high: float, draws: int) -> str:
    """Whether a share lies outside, by more than two standard errors."""
    near = 2 * float(np.sqrt(low * (1 - low) / draws))
    over = 2 * float(np.sqrt(high * (1 - high) / draws))
    return "" if low - near <= share <= high + over else "  <- outside"


def _world(kind: str, quality: float, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Confidences of a thousand rows, and the probability of each of being right; their mean is the quality."""
    odds = random.normal(0, 2.2, 1000)
    before = min(0.99, quality * 1.25) if kind == "turned" else quality
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(odds + middle).mean() < before else (low, middle)
    odds = odds + low
    right = {"exact": expit(odds), "extreme": expit(odds), "blind": np.full(1000, quality)}.get(kind)
    if right is None:
        right = expit(odds) * quality / before
    return expit(1.6 * odds + 1) if kind == "extreme" else expit(odds), right


def _lots(random: np.random.Generator, rows: int) -> NDArray[np.uint64]:
    return random.integers(0, 2**64, rows, dtype=np.uint64)


def _plus(window_: Floats, own: Floats, right: Floats) -> tuple[float, float]:
    """The normal interval of PPI++ for a mean, its power tuned; the window's own mean is known."""
    variance = own.var()
    power = float(np.clip(np.cov(right, own)[0, 1] / variance, 0, 1)) if variance > 0 else 0.0
    value = power * window_.mean() + (right - power * own).mean()
    half = 1.96 * float(np.sqrt((right - power * own).var(ddof=1) / right.size))
    return value - half, value + half


def _exact(right: Floats) -> tuple[float, float]:
    hits, rows = right.sum(), right.size
    low = 0.0 if hits == 0 else beta.ppf(0.025, hits, rows - hits + 1)
    return low, 1.0 if hits == rows else beta.ppf(0.975, hits + 1, rows - hits)


def intervals(draws: int, lives: int, seed: int) -> None:
    """Print how often intervals of fifty audited rows have the truth, and how wide they are."""
    print(f"\nintervals of {AUDIT_ROWS} audited rows: {draws} draws; {lives} lives of {AUDITS} audits")
    print(
        f"{'confidences':<13}{'accuracy':>9}{'ours':>8}{'width':>7}{'PPI++':>8}{'width':>7}{'exact':>8}{'width':>7}",
        end="",
    )
    print(f"{'always':>9}")
    for kind in ("exact", "extreme", "blind", "turned"):
        for quality in (0.7, 0.8, 0.9, 0.95, 0.97):
            random = np.random.default_rng([seed, int(quality * 100), len(kind)])
            inside, width = np.zeros(3), np.zeros(3)
            for number in range(draws):
                if number % 20 == 0:
                    confidence, chances = _world(kind, quality, random)
                places, right = _audit(confidence, chances, random)
                ours = audited(confidence, confidence[places], right)
                ends = ((ours.low, ours.high), _plus(confidence, confidence[places], right), _exact(right))
                inside += [low <= chances.mean() <= high for low, high in ends]
                width += [high - low for low, high in ends]
            always = np.mean([_always(kind, quality, random) for _ in range(lives)])
            shares, widths = inside / draws, 100 * width / draws
            cells = "".join(f"{share:>8.1%}{wide:>7.1f}" for share, wide in zip(shares, widths, strict=True))
            mark = _mark(float(shares[0]), FEWEST, MOST, draws) or _mark(float(always), 0.95, 1.0, lives)
            print(f"{kind:<13}{quality:>9.0%}{cells}{always:>9.1%}{mark}", flush=True)


def _audit(confidence: Floats, chances: Floats, random: np.random.Generator) -> tuple[Places, Floats]:
    places = np.array([row.place for row in drawn(confidence, _lots(random, confidence.size), AUDIT_ROWS)])
    return places, (random.random(places.size) < chances[places]).astype(np.float64)


def _always(kind: str, quality: float, random: np.random.Generator) -> bool:
    """Whether the interval over time has the truth at each of twelve audits."""
    looks: list[Floats] = []
    confidence, chances = _world(kind, quality, random)
    for _ in range(AUDITS):
        looks.append(_audit(confidence, chances, random)[1])
        found = over_time(looks)
        if not found.low <= chances.mean() <= found.high:
            return False
    return True


def _exchanged(rows: Rows, points: float, random: np.random.Generator) -> Places:
    """The truth after pairs of intents exchanged their meaning, until accuracy has fallen by so many points."""
    if not points:
        return rows.truth
    names, truth = random.permutation(rows.names.size), rows.truth.copy()
    answers, left = rows.probabilities.argmax(axis=1), points
    for first, second in zip(names[::2], names[1::2], strict=False):
        exchanged = np.where(rows.truth == first, second, np.where(rows.truth == second, first, truth))
        cost = float((answers == truth).mean() - (answers == exchanged).mean())
        # Of the last pair only a part of the rows, so that the fall is the one that is asked for.
        turned = random.random(truth.size) < left / max(cost, 1e-9)
        truth = np.where(turned, exchanged, truth)
        left = points - float(rows.right.mean() - (answers == truth).mean())
        if left < 0.001:
            break
    return truth


@dataclass(frozen=True)
class Seen:
    """One per audit of a window: what was called, and what CBPE and the truth were."""

    called: bool
    needed: int | None
    accuracy: float
    expected: Estimate
    own: float


def _falls(rows: Rows, points: float, audit_rows: int, random: np.random.Generator) -> Seen:
    truth = _exchanged(rows, points, random)
    reference, pool = np.split(random.permutation(rows.truth.size), [REFERENCE_ROWS])
    places = random.choice(pool, WINDOW_ROWS, replace=False)
    right = (rows.probabilities.argmax(axis=1) == truth)[places]
    sure, known = rows.confidence[places], rows.right[reference].astype(np.float64)
    own = _share(known)
    chosen = [row.place for row in drawn(sure, _lots(random, places.size), audit_rows)]
    found = audited(sure, sure[chosen], right[chosen].astype(np.float64))
    curve = fitted(log_odds(rows.confidence[reference]), known)
    seen = fall(found, own, MARGIN, gain(curve, sure, own.value - MARGIN))
    expected = estimated_accuracy(rows.labelled(reference), rows.top.of_rows(places)).accuracy
    assert expected is not None
    return Seen(seen.decision.yes, seen.rows_for.get(0.05), float(right.mean()), expected, own.value)


def _share(right: Floats) -> Estimate:
    low, high = _exact(right)
    return Estimate(value=float(right.mean()), low=low, high=high, rows=right.size, worth_rows=right.size)


def falls(rows: Rows, runs: int, seed: int) -> None:
    """Print how often an audit calls a fall, and what probabilities say of it."""
    print(f"\nfalls: {runs} runs; windows of {WINDOW_ROWS:,} rows; called where more than {MARGIN:.0%} is shown")
    print(f"{'fall':<12}{'audited':>8}{'accuracy':>10}{'CBPE':>8}{'CBPE sees':>11}{'called':>8}   rows for 5 points")
    for points, audit_rows in _questions(rows, seed):
        random = np.random.default_rng([seed, int(points * 100), audit_rows])
        seen = [_falls(rows, points, audit_rows, random) for _ in range(runs)]
        blind = np.mean([each.expected.high < each.own - MARGIN for each in seen])
        needed = [each.needed for each in seen if each.needed is not None]
        shown = f"{np.median(needed):,.0f} ({min(needed):,} to {max(needed):,})" if needed else "n/a"
        print(
            f"{points * 100:>4.0f} points {audit_rows:>8,}{np.mean([each.accuracy for each in seen]):>10.1%}"
            f"{np.mean([each.expected.value for each in seen]):>8.1%}{blind:>11.1%}"
            f"{np.mean([each.called for each in seen]):>8.1%}   {shown}",
            flush=True,
        )


def _questions(rows: Rows, seed: int) -> Iterator[tuple[float, int]]:
    """Falls and audited rows; the last as many as a first audit of fifty asked for."""
    yield from ((0.0, AUDIT_ROWS), (0.15, AUDIT_ROWS), (0.05, AUDIT_ROWS))
    needs = [_falls(rows, 0.0, AUDIT_ROWS, np.random.default_rng([seed, 99, number])).needed for number in range(20)]
    needed = int(np.median([rows_ for rows_ in needs if rows_ is not None]))
    yield 0.05, needed
    yield 0.0, needed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the draws")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--banking77", type=Path, default=DATASETS / "banking77")
    parser.add_argument("--nannyml", help="a Python that has NannyML, to run its CBPE beside ours")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "tailtune-accuracy")
    given = parser.parse_args()
    began, part = time.monotonic(), 10 if given.quick else 1
    if (given.banking77 / "train.csv").is_file():
        rows = load(given.banking77, given.cache)
        print(f"BANKING77: {rows.truth.size:,} rows held out, {rows.right.mean():.1%} answered right")
        without_labels(
            rows, max(2, 10 // part), 200 // max(2, 10 // part) // part, given.seed, given.nannyml, given.cache
        )
        falls(rows, 400 // part, given.seed)
    else:
        print(f"BANKING77: skipped, {given.banking77} does not hold train.csv and test.csv")
    intervals(2000 // part, 200 // part, given.seed)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
