"""A use case's files in a temporary folder, for tests of the spec."""

from __future__ import annotations

from pathlib import Path

from tailtune.config.paths import Paths

MODEL_YAML = """\
task: classification
data:
  file: rows.csv
curate: {}
split: {}
validate: {}
ladder: {}
targets: {}
train:
  max_cost_usd: 4.00
evaluate: {}
register: {}
prompt: {}
value: {}
"""
LABELS_YAML = "billing: money\nlogin: access\n"


def project(root: Path, model: str = MODEL_YAML, labels: str | bytes = LABELS_YAML, name: str = "tickets") -> Paths:
    """A checkout with one use case."""
    folder = root / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.yaml").write_text(model, encoding="utf-8")
    (folder / "labels.yaml").write_bytes(labels if isinstance(labels, bytes) else labels.encode())
    (root / "models" / "prices.yaml").write_text("as_of: 2026-11-01\n", encoding="utf-8")
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    return Paths(root)
