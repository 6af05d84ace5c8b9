"""Write dvc.yaml from the table of stages, for every use case of models/: `python infra/graph.py`."""

from __future__ import annotations

from pathlib import Path

from tailtune.config.paths import Paths
from tailtune.lifecycle import graph
from tailtune.tasks.use_case import load_use_case

PATHS = Paths(Path(__file__).resolve().parents[1])


def main() -> None:
    """Renew the file and say so."""
    use_cases = {name: load_use_case(PATHS, name).spec.ANSWERS for name in PATHS.use_cases()}
    graph.write(PATHS, use_cases)
    print(f"dvc.yaml  written, {len(use_cases)} use cases")


if __name__ == "__main__":
    main()
