"""Three lives of support-tickets with a prompted model behind a pretended endpoint: stay, fine-tune, not yet.

    python benchmarks/lives.py            (about twelve minutes on two cores, most of them training)
    python benchmarks/lives.py stay

Each runs `tailtune run` in a scratch copy of this checkout, against a server on loopback that speaks the OpenAI
protocol and knows the sample's labels (`tests/doubles/`). What it gets right is set, so the verdict that a careful
person would give is known beforehand. Decision pages are left in `build/lives/`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from doubles.conduct import Conduct  # noqa: E402
from doubles.endpoint import Double  # noqa: E402
from doubles.skill import Skilled  # noqa: E402

NAME = "support-tickets"
PRICES = {
    "small": {"input_usd_per_million": 0.15, "output_usd_per_million": 0.60},
    "large": {"input_usd_per_million": 2.50, "output_usd_per_million": 10.00},
}


@dataclass(frozen=True)
class Life:
    """One per life.

    Attributes:
        expected: The verdict that a careful person would give.
        skill: Shares that the pretended model gets right: base, strong, evidence, invalid.
        spec: Sections of model.yaml that differ.
        latency_s: Of an answer.
    """

    expected: str
    skill: Mapping[str, Any]
    spec: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    latency_s: float = 0.02


VALUE = {"requests_per_day": 6000, "error_usd": 0.5, "change_every_days": 90}
LIVES = {
    # Retrieval shows the evidence and the model uses it: 88 % is wanted, it gives about 96 % of the labels as given.
    "stay": Life(
        "stay",
        {"base": 0.75, "strong": 0.95, "evidence": 0.97, "invalid": 0.01},
        {"targets": {"accuracy": 0.88, "p99_ms": 500}, "value": {**VALUE, "requests_per_day": 200, "error_usd": 0.05}},
    ),
    # No prompt gets near, many labels, many requests, and a mistake costs money.
    "fine-tune": Life("fine-tune", {"base": 0.6, "strong": 0.8, "evidence": 0.82, "invalid": 0.02}, {"value": VALUE}),
    # A quarter of the rows: few labels, and the curve still climbs.
    "not-yet": Life("not-yet", {"base": 0.6, "strong": 0.8, "evidence": 0.8}, {"value": VALUE}),
}


def main() -> int:
    names = sys.argv[1:] or list(LIVES)
    rows = [live(name, LIVES[name]) for name in names]
    print(f"\n{'life':12}{'expected':12}{'verdict':12}{'best before':28}", end="")
    print(f"{'winner':16}{'asked':>8}{'paid':>10}{'minutes':>9}")
    for row in rows:
        print(
            f"{row['life']:12}{row['expected']:12}{row['verdict']:12}{row['best_rung']:28}{row['winner']:16}"
            f"{row['asked']:>8,}{row['paid']:>10}{row['minutes']:>9.1f}"
        )
    return int(any(row["expected"] != row["verdict"] for row in rows))


def live(name: str, life: Life) -> dict[str, Any]:
    """Run one life and say what came of it."""
    root = ROOT / "build" / "lives" / name
    shutil.rmtree(root, ignore_errors=True)
    _copy(root)
    rows = [json.loads(line) for line in (root / "data" / NAME / "tickets.jsonl").read_text("utf-8").splitlines()]
    if name == "not-yet":
        rows = rows[::4]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (root / "data" / NAME / "tickets.jsonl").write_text(text, encoding="utf-8")
    began = time.monotonic()
    truth = {row["text"]: {"label": row["label"]} for row in rows}
    with Double(Skilled(truth, **life.skill), Conduct(latency_s=life.latency_s)) as double:
        _declare(root, double.url, life, few=name == "not-yet")
        environment = {**os.environ, "TAILTUNE_ROOT": str(root), "PYTHONPATH": str(ROOT / "src")}
        tailtune = Path(sys.executable).with_name("tailtune")
        done = subprocess.run([tailtune, "run", NAME], cwd=root, env=environment, check=False)
        if done.returncode:
            raise SystemExit(f"{name}: tailtune run ended with {done.returncode}")
        verdict = subprocess.run(
            [tailtune, "verdict", NAME, "--json"], cwd=root, env=environment, check=True, capture_output=True, text=True
        )
        requests = len(double.seen)
    found = json.loads(verdict.stdout)
    costs = [json.loads(path.read_text("utf-8")).get("usd_spent", 0.0) for path in (root / "reports" / NAME).iterdir()]
    paid = "not known" if None in costs else f"${sum(costs):.3f}"
    print(f"{name}: {found['verdict']}: {found['reason']}", flush=True)
    return {
        **found, "life": name, "expected": life.expected, "winner": found["winner"] or "none", "asked": requests,
        "paid": paid, "minutes": (time.monotonic() - began) / 60,
    }  # fmt: skip


def _copy(root: Path) -> None:
    """The parts of this checkout that a run needs, with a DVC and a store of its own."""
    for part in ("flows", "models", "mlflow", "src"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("store", "__pycache__"))
    for part in ("dvc.yaml", "data.dvc", "prefect.yaml", "pyproject.toml"):
        shutil.copyfile(ROOT / part, root / part)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n", encoding="utf-8")
    source = ROOT / "data" / NAME
    if not source.is_dir():
        raise SystemExit(f"data/{NAME}: no rows; run `tailtune sample {NAME}` first")
    shutil.copytree(source, root / "data" / NAME)
    graph = (root / "dvc.yaml").read_text("utf-8")
    for other in (path.parent for path in (root / "models").glob("*/model.yaml")):
        if other.name != NAME:
            shutil.rmtree(other)
            graph = re.sub(rf"^      {other.name}: .*\n", "", graph, flags=re.MULTILINE)
    (root / "dvc.yaml").write_text(graph, encoding="utf-8")


def _declare(root: Path, url: str, life: Life, few: bool) -> None:
    path = root / "models" / NAME / "model.yaml"
    spec = yaml.safe_load(path.read_text("utf-8"))
    model = {"endpoint": url, "concurrency": 8}
    spec["prompt"] = {
        "max_cost_usd": 10,
        "models": [
            {"name": "small", "role": "base", "price": "small", **model},
            {"name": "strong", "role": "strong", "price": "large", **model},
        ],
    }
    for section, changed in life.spec.items():
        spec[section] = {**spec[section], **changed}
    if few:
        spec["validate"] = {"min_rows": 100, "min_rows_per_class": 2}
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    prices = yaml.safe_load((root / "models" / "prices.yaml").read_text("utf-8")) | {"tokens": PRICES}
    (root / "models" / "prices.yaml").write_text(yaml.safe_dump(prices, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
