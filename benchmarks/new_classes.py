"""How pure proposed classes are, how many of the new ones are proposed, and how many groups are none.

    python benchmarks/new_classes.py [--quick] [--seed 100] [--cache FOLDER] [--banking77 FOLDER]

BANKING77 (Casanueva et al. 2020): intents drawn at random are held out. Of the others, 3,000 rows are the reference,
and a window is drawn from the rest, with some rows of the held-out ones. The embedded encoder's vectors stand for a
version's own. What a group is about is its most frequent intent in the data set, which no rule sees.

- **proposed**: groups whose most frequent intent is a held-out one, by how many intents these are.
- **pure**: share of proposed texts that have their group's most frequent intent.
- **found**: share of the held-out intents' rows that stand in a group.
- **none**: groups a look that are about a known intent.
- **by novelty**: what was decided against, for comparison: rows further from the centres of 3,000 train rows than
  95 % of the reference (predictors/novelty.py), grouped by HDBSCAN.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN

from tailtune.predictors.encoder import Encoder
from tailtune.predictors.novelty import Novelty
from tailtune.predictors.unseen import FEWEST, unlike_groups

DATASETS = Path(__file__).resolve().parent.parent.parent / "shared" / "datasets"
REFERENCE_ROWS, LOOKS, QUICK_LOOKS = 3_000, 20, 3
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """One per kind of window: rows, how many intents are held out, and their share of the rows."""

    name: str
    rows: int
    held_out: int
    share: float


SETTINGS = (
    Setting("ten intents, 10 % of 3,000 rows", 3_000, 10, 0.10),
    Setting("ten intents, 6 % of 5,000 rows", 5_000, 10, 0.06),
    Setting("three intents, 3 % of 5,000 rows", 5_000, 3, 0.03),
    Setting("three intents, 10 % of 1,000 rows", 1_000, 3, 0.10),
    Setting("nothing new, 5,000 rows", 5_000, 0, 0.0),
)


@dataclass(frozen=True)
class World:
    """One per look: vectors and intents of all rows, and which rows are train, reference and window."""

    vectors: NDArray[np.float32]
    intents: NDArray[np.object_]
    held_out: NDArray[np.object_]
    train: Places
    reference: Places
    window: Places


Find = Callable[[World], list[Places]]


def neighbours(world: World) -> list[Places]:
    """The product's rule."""
    known = world.vectors[world.reference]
    return unlike_groups(known, world.intents[world.reference].tolist(), world.vectors[world.window])


def by_novelty(world: World) -> list[Places]:
    """Far rows, grouped by density."""
    novelty = Novelty.fit(world.vectors[world.train])
    usual = np.quantile([novelty.score(vector) for vector in world.vectors[world.reference]], 0.95)
    scores = np.array([novelty.score(vector) for vector in world.vectors[world.window]])
    far = np.flatnonzero(scores > usual)
    group = HDBSCAN(min_cluster_size=FEWEST, min_samples=3, copy=True).fit_predict(world.vectors[world.window[far]])
    return [far[group == number] for number in range(group.max() + 1)]


def world_of(
    vectors: NDArray[np.float32], intents: NDArray[np.object_], setting: Setting, random: np.random.Generator
) -> World:
    """Draw intents to hold out, and rows."""
    held_out = random.choice(np.unique(intents), setting.held_out, replace=False)
    known = random.permutation(np.flatnonzero(~np.isin(intents, held_out)))
    train, reference, pool = np.split(known, [REFERENCE_ROWS, 2 * REFERENCE_ROWS])
    new = np.flatnonzero(np.isin(intents, held_out))
    count = min(round(setting.rows * setting.share), new.size)
    few = random.permutation(pool)[: setting.rows - count]
    window = random.permutation(np.concatenate([few, random.choice(new, count, replace=False)]))
    return World(vectors, intents, held_out, train, reference, window)


def figures(world: World, groups: Sequence[Places]) -> tuple[float, float, float, float, int]:
    """Held-out intents with a group, its share of pure texts, share of rows found, groups of known intents, texts."""
    pure, found, none, texts = 0, 0, 0, 0
    proposed: set[str] = set()
    for group in groups:
        intents = Counter(world.intents[world.window[group]].tolist())
        intent, rows = intents.most_common(1)[0]
        pure, texts = pure + rows, texts + group.size
        found += sum(count for name, count in intents.items() if name in world.held_out)
        if intent in world.held_out:
            proposed.add(intent)
        else:
            none += 1
    new = int(np.isin(world.intents[world.window], world.held_out).sum())
    return len(proposed), pure, found / max(new, 1), none, texts


def load(folder: Path, cache: Path) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
    """Vectors and intents of both files' different rows; vectors are kept in `cache`."""
    rows: dict[tuple[str, str], None] = {}
    for name in ("train.csv", "test.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as stream:
            rows |= {(row["text"], row["category"]): None for row in csv.DictReader(stream)}
    file = cache / "banking77.npy"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(file, Encoder.load().embed([text for text, _ in rows]))
    return np.load(file), np.array([intent for _, intent in rows], dtype=object)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--seed", type=int, default=100)
    options.add_argument("--banking77", type=Path, default=DATASETS / "banking77")
    options.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "tailtune-new-classes")
    given = options.parse_args()
    vectors, intents = load(given.banking77, given.cache)
    looks = QUICK_LOOKS if given.quick else LOOKS
    print(f"{'window':<36}{'rule':<14}{'proposed':>10}{'pure':>8}{'found':>8}{'none':>7}")
    for setting in SETTINGS:
        for name, find in (("neighbours", neighbours), ("by novelty", by_novelty)):
            random = np.random.default_rng(given.seed)
            worlds = [world_of(vectors, intents, setting, random) for _ in range(looks)]
            made = np.array([figures(world, find(world)) for world in worlds])
            proposed, _, found, none, texts = made.mean(axis=0)
            pure = f"{made[:, 1].sum() / made[:, 4].sum():.1%}" if texts else "n/a"
            share = f"{proposed:.1f}/{setting.held_out}"
            print(f"{setting.name:<36}{name:<14}{share:>10}{pure:>8}{found:>8.1%}{none:>7.2f}", flush=True)


if __name__ == "__main__":
    main()
