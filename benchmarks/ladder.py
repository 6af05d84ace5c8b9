"""The rung table: every rung and the fine-tune on the same test rows, for the sample data and for BANKING77.

    python benchmarks/ladder.py [--only support-tickets|banking77] [--banking77 FOLDER] [--no-training]
    python benchmarks/ladder.py --rows 1000 --no-training  # does it run at all?

Runs the real stages in a temporary project and prints what their reports say. For the sample data it also scores the
answers against the truth file that no stage reads: about 5 % of its labels are wrong on purpose.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
STAGES = ("curate", "validate", "ladder", "prompt", "diagnose", "decide", "train", "export", "evaluate")
BANDS = {
    "support-tickets": {
        "zero_shot": (0.50, 0.70),
        "tfidf": (0.80, 0.91),
        "retrieval": (0.85, 0.93),
        "probe": (0.85, 0.93),
    },
    "banking77": {"retrieval": (0.91, 1.0), "probe": (0.925, 1.0), "lora": (0.938, 1.0)},
}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", choices=tuple(BANDS))
    options.add_argument("--banking77", type=Path, default=REPO.parent / "shared" / "datasets" / "banking77")
    options.add_argument("--no-training", action="store_true", help="measure the rungs only")
    options.add_argument("--rows", type=int, help="of the raw rows, spread over them; the bands are for all")
    given = options.parse_args()
    for use_case in BANDS:
        if given.only in (None, use_case):
            with tempfile.TemporaryDirectory(prefix="tailtune-ladder-") as folder:
                measure(Path(folder), use_case, given.banking77, not given.no_training, given.rows)
    return 0


def measure(root: Path, use_case: str, banking77: Path, training: bool, rows: int | None) -> None:
    (root / "models").mkdir()
    for name in ("dvc.yaml", "models/prices.yaml"):
        shutil.copyfile(REPO / name, root / name)
    if use_case == "support-tickets":
        shutil.copytree(REPO / "models" / use_case, root / "models" / use_case)
        from tailtune.cli.sample import example
        from tailtune.config.paths import Paths

        example(Paths(REPO), "support_tickets").write(root / "data")
    elif not (banking77 / "train.csv").is_file():
        print(f"\n{use_case}: skipped, {banking77} does not hold train.csv and test.csv")
        return
    else:
        declare_banking77(root, banking77)
    model = root / "models" / use_case / "model.yaml"
    if not training:
        model.write_text(model.read_text().replace("train:\n", "train:\n  when: never\n").replace("  when: auto\n", ""))
    if rows is not None:
        for file in (root / "data" / use_case).iterdir():
            thin_out(file, rows)
        declared = re.sub(r"min_rows_per_class: \d+", "min_rows_per_class: 2", model.read_text())
        model.write_text(declared)
    print(f"\n== {use_case}", flush=True)
    began = time.monotonic()
    for stage in STAGES:
        run(root, stage, use_case)
    table(root, use_case, time.monotonic() - began)


def thin_out(file: Path, rows: int) -> None:
    """Keep about so many raw rows, spread over the file; a line of JSON keeps its number."""
    if file.suffix == ".csv":
        with file.open(encoding="utf-8", newline="") as stream:
            head, *records = csv.reader(stream)
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([head, *records[:: max(len(records) // rows, 1)]])
        return
    lines = file.read_text(encoding="utf-8").splitlines()
    every = max(len(lines) // rows, 1)
    kept = (line if number % every == 0 else "" for number, line in enumerate(lines))
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")


def declare_banking77(root: Path, banking77: Path) -> None:
    """As `tailtune new` does, without DVC and git: nothing is pinned for a benchmark."""
    from tailtune.cli import new
    from tailtune.config.paths import Paths
    from tailtune.services import versions
    from tailtune.tasks.declare import NewUseCase

    versions.pin_data = lambda paths, use_case=None: ""
    source, test = banking77 / "train.csv", banking77 / "test.csv"
    new.create(Paths(root), "classification", NewUseCase(name="banking77", source=source, test=test, label="category"))


def run(root: Path, stage: str, use_case: str) -> None:
    environment = os.environ | {"TAILTUNE_ROOT": str(root), "TAILTUNE_PROGRESS": "none"}
    subprocess.run([sys.executable, "-m", "tailtune", stage, use_case], check=True, env=environment, cwd=root)


def table(root: Path, use_case: str, seconds: float) -> None:
    reports = root / "reports" / use_case
    ladder, evaluate, train = (json.loads((reports / f"{n}.json").read_text()) for n in ("ladder", "evaluate", "train"))
    truth = true_labels(root, use_case)
    answers = [json.loads(line) for line in (root / "build" / use_case / "evaluate" / "test_answers.jsonl").open()]
    rungs = {rung["name"]: rung for rung in ladder["rungs"]}
    head = f"{'rung':34}{'test accuracy (95 %)':>24}{'macro-F1':>10}{'p50 ms':>8}{'p99 ms':>8}{'vs truth':>10}  band"
    print(head + "\n" + "-" * len(head))
    for item in sorted(evaluate["candidates"], key=lambda item: item["metrics"]["accuracy"]["value"]):
        name, accuracy = item["name"], item["metrics"]["accuracy"]
        latency = item["latency"] or rungs[name]["latency"]
        against = "" if truth is None else f"{share(answers, name, truth):.1%}"
        interval = f"{accuracy['value']:.1%} ({accuracy['low']:.1%}-{accuracy['high']:.1%})"
        print(
            f"{item['title']:34}{interval:>24}{item['metrics']['macro_f1']['value']:>10.3f}{latency['p50_ms']:>8.1f}"
            f"{latency['p99_ms']:>8.1f}{against:>10}  {band(use_case, name, accuracy['value'])}"
        )
    trained = f"training {train['rows_per_s']:,.0f} rows/s" if train["trained"] else "nothing trained"
    gap = evaluate["comparison"]
    if gap:
        difference = gap["difference"]
        trained += f"; fine-tune - {gap['second']}: {difference['value'] * 100:+.2f} points"
        trained += f" ({difference['low'] * 100:+.2f} to {difference['high'] * 100:+.2f}), p = {gap['p']:.1g}"
    print(f"{evaluate['test_rows']:,} test rows; {trained}; all stages {seconds:.0f} s")


def band(use_case: str, name: str, value: float) -> str:
    limits = BANDS[use_case].get(name)
    if limits is None:
        return ""
    low, high = limits
    return f"{low:.1%}-{high:.1%} {'ok' if low <= value <= high else 'MISSED'}"


def true_labels(root: Path, use_case: str) -> dict[str, str] | None:
    """Origin → true label, where there is a truth file."""
    path = root / "data" / "truth" / f"{use_case}.jsonl"
    if not path.is_file():
        return None
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.open(encoding="utf-8")]
    return {f"tickets.jsonl:{line['line']}": line["label"] for line in lines}


def share(answers: list[dict[str, Any]], name: str, truth: dict[str, str]) -> float:
    return float(sum(answer[name] == truth[answer["origin"]] for answer in answers) / len(answers))


if __name__ == "__main__":
    sys.exit(main())
