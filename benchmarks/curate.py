"""How long curation takes and how much memory it needs, and how its near-duplicate search compares with datasketch.

    python benchmarks/curate.py [--rows 1000000] [--subset 20000] [--validate]

Rows are made up: sentences of a Zipf vocabulary, 3 % exact repeats, 5 % near repeats (a word or two changed), 4 %
with an e-mail address or a phone number. Curation runs in a process of its own, so that its peak memory is its own.
Both searches on the subset get the same texts, 128 permutations and the same exact check of every proposed pair.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import yaml

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings, quiet_environment
from tailtune.core.progress import Silent
from tailtune.core.reports import Report
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.table import BY_NAME
from tailtune.services.mlflow import Tracker
from tailtune.services.near_duplicates import NearDuplicates, jaccard, normal, shingles
from tailtune.tasks.use_case import load_use_case

LABELS = [f"label_{i:02d}" for i in range(50)]
SIMILARITY = 0.85
TRUTH_ROWS = 3000  # measuring every pair takes minutes beyond that


def texts(count: int, seed: int = 3) -> Iterator[str]:
    dice = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(dice.choices(letters, k=dice.randint(2, 9))) for _ in range(20_000)]
    weights = [1 / (rank + 5) for rank in range(len(vocabulary))]
    words = dice.choices(vocabulary, weights, k=2_000_000)
    recent: list[str] = []
    for number in range(count):
        chance = dice.random()
        if recent and chance < 0.03:
            text = dice.choice(recent)
        elif recent and chance < 0.08:
            parts = dice.choice(recent).split(" ")
            parts[dice.randrange(len(parts))] = dice.choice(vocabulary)
            text = " ".join(parts)
        else:
            start = dice.randrange(len(words) - 40)
            text = " ".join(words[start : start + dice.randint(8, 32)])
            if chance > 0.98:
                text += f" write to user{number}@example.com"
            elif chance > 0.96:
                text += f" or call +44 20 79{dice.randint(10, 99)} {dice.randint(1000, 9999)}"
        if len(recent) < 20_000:
            recent.append(text)
        else:
            recent[dice.randrange(20_000)] = text
        yield text


def project(root: Path, count: int) -> None:
    """Write a project whose use case `big` has `count` rows."""
    dice = random.Random(5)
    case = Paths(root).case("big")
    case.folder.mkdir(parents=True)
    case.data.mkdir(parents=True)
    empty = ("curate", "split", "validate", "ladder", "targets", "train", "evaluate", "register")
    spec = {"task": "classification", "data": {"file": "rows.jsonl"}, **{name: {} for name in empty}}
    case.model_yaml.write_text(yaml.safe_dump(spec), encoding="utf-8")
    (case.folder / "labels.yaml").write_text(yaml.safe_dump(dict.fromkeys(LABELS, "")), encoding="utf-8")
    with (case.data / "rows.jsonl").open("w", encoding="utf-8") as out:
        for text in texts(count):
            out.write(json.dumps({"text": text, "label": dice.choice(LABELS)}) + "\n")


def run_stage(root: Path, stage: str) -> None:
    """In a process of its own: run a stage, print its figures as JSON."""
    quiet_environment()
    context = Context(load_use_case(Paths(root), "big"), Settings(), Silent(), cast(Tracker, None), stage)
    began = time.perf_counter()
    report: Report = BY_NAME[stage].load()(context)
    took = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime
    dropped = getattr(report, "dropped", {})
    rows = report.model_dump()["rows_read"]
    figures = {"s": took, "cpu_s": cpu_s, "peak_mib": used.ru_maxrss / 1024, "rows": rows, "dropped": dropped}
    print(json.dumps(figures))


def ours(given: list[str]) -> set[int]:
    index = NearDuplicates(given, SIMILARITY)
    found = set()
    for place in range(len(given)):
        if index.of(place):
            found.add(place)
        else:
            index.enter(place)
    return found


def datasketch(given: list[str]) -> set[int]:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=SIMILARITY, num_perm=128)
    kept: dict[int, frozenset[str]] = {}
    found = set()
    for place, text in enumerate(given):
        grams = shingles(normal(text))
        signature = MinHash(num_perm=128)
        signature.update_batch([gram.encode() for gram in grams])
        if any(jaccard(grams, kept[other]) >= SIMILARITY for other in index.query(signature)):
            found.add(place)
        else:
            index.insert(place, signature)
            kept[place] = grams
    return found


def exhaustive(given: list[str]) -> set[int]:
    """The same greedy rule with every pair that shares a 5-gram measured: what both should find."""
    from collections import Counter, defaultdict

    holders: dict[str, list[int]] = defaultdict(list)
    kept: dict[int, frozenset[str]] = {}
    found = set()
    for place, text in enumerate(given):
        grams = shingles(normal(text))
        shared = Counter(other for gram in grams for other in holders[gram])
        if any(n / (len(grams) + len(kept[other]) - n) >= SIMILARITY for other, n in shared.items()):
            found.add(place)
            continue
        kept[place] = grams
        for gram in grams:
            holders[gram].append(place)
    return found


def compare(count: int) -> None:
    given = list(dict.fromkeys(texts(count, seed=7)))
    truth = exhaustive(given[:TRUTH_ROWS])
    print(f"\nnear-duplicate search, {len(given):,} different rows, one process each way")
    print(f"missed: of the {len(truth):,} that measuring every pair finds in the first {TRUTH_ROWS:,} rows")
    print(f"{'':24}{'s':>8}{'cpu s':>8}{'rows/s':>10}{'found':>8}{'missed':>8}")
    pace: dict[str, float] = {}
    searches: tuple[tuple[str, Callable[[list[str]], set[int]]], ...] = (
        ("datasketch MinHashLSH", datasketch),
        ("tailtune (rensa)", ours),
    )
    for name, search in searches:
        began, cpu = time.perf_counter(), time.process_time()
        found = search(given)
        took, worked = time.perf_counter() - began, time.process_time() - cpu
        pace[name] = len(given) / worked
        print(f"{name:24}{took:8.1f}{worked:8.1f}{len(given) / took:10,.0f}{len(found):8,}{len(truth - found):8,}")
    print(f"rows per CPU second: {pace['tailtune (rensa)'] / pace['datasketch MinHashLSH']:.1f}× datasketch")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--subset", type=int, default=20_000)
    arguments.add_argument("--validate", action="store_true", help="time validate on the same rows, too")
    arguments.add_argument("--stage", nargs=2, metavar=("ROOT", "STAGE"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.stage:
        run_stage(Path(given.stage[0]), given.stage[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        project(Path(folder), given.rows)
        print(f"{'stage':10}{'rows':>12}{'s':>8}{'cpu s':>8}{'rows/s':>10}{'peak MiB':>10}")
        for stage in ("curate", *(["validate"] if given.validate else [])):
            command = [sys.executable, __file__, "--stage", folder, stage]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            figures = json.loads(done.stdout.splitlines()[-1])
            pace = figures["rows"] / figures["s"]
            took = f"{figures['s']:8.1f}{figures['cpu_s']:8.1f}"
            print(f"{stage:10}{figures['rows']:12,}{took}{pace:10,.0f}{figures['peak_mib']:10,.0f}", flush=True)
            if figures["dropped"]:
                print(f"  dropped: {figures['dropped']}")
    compare(given.subset)


if __name__ == "__main__":
    main()
