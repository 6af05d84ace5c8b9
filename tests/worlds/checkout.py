"""A checkout of its own with one tiny use case, brought in by `tailtune new`."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from worlds import servers
from worlds.command import Ended, tailtune
from worlds.once import once

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NAME = "inbox"
CLASSES = {
    "card_lost": ["my card is gone", "i lost my card", "the card is nowhere to be found", "i left my card in a taxi"],
    "refund": ["give me my money back", "refund the order", "i want my payment returned", "reimburse me please"],
    "login": ["i cannot sign in", "the login page rejects me", "my account does not open", "signing in fails"],
    "delivery": ["where is my parcel", "the parcel has not arrived", "the courier never came", "track my shipment"],
    "cancel": ["cancel my subscription", "i want to end the plan", "stop my membership", "close my contract"],
}
WHEN = [
    "since monday",
    "again",
    "this week",
    "after the update",
    "on my phone",
    "at the office",
    "for two days",
    "today",
]
WHO = ["my sister says", "as the manual told", "like last year", "with the blue one", "from the shop", "in a hurry",
       "near the station", "after lunch", "before the trip", "for a friend"]  # fmt: skip


def rows(seed: int = 1, per_class: int = 90) -> list[dict[str, str]]:
    """Distinct sentences, every tenth with another class's label."""
    dice = random.Random(seed)
    made: dict[str, str] = {}
    for label, cores in CLASSES.items():
        while sum(given == label for given in made.values()) < per_class:
            text = f"{dice.choice(cores)} {dice.choice(WHO)} {dice.choice(WHEN)} number {dice.randrange(10_000)}"
            made[text] = label
    labels = list(CLASSES)
    return [
        {"text": text, "label": dice.choice(labels) if dice.random() < 0.1 else label} for text, label in made.items()
    ]


class Checkout:
    """A checkout with one use case at most: commands run in it as a user types them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.reports = root / "reports" / NAME
        self.build = root / "build" / NAME
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "MLFLOW_"))}
        self.env |= {
            "PATH": f"{BIN}:{self.env['PATH']}",
            "PREFECT_HOME": str(root / ".run"),
            "TAILTUNE_PROGRESS": "plain",
        }
        self.env |= {"TAILTUNE_ROOT": str(root), "NO_COLOR": "1", "COLUMNS": "120"}

    @classmethod
    def bare(cls, factory: pytest.TempPathFactory, root: Path) -> Checkout:
        """What a clone holds, without the shipped use cases."""
        return cls(once(factory, "bare", cls._clone)).copy(root)

    def copy(self, root: Path) -> Checkout:
        """A copy that a test may change."""
        shutil.copytree(self.root, root, symlinks=True)
        return Checkout(root)

    def served(self, factory: pytest.TempPathFactory) -> Checkout:
        """Let its runs use the Prefect server of all tests, which is up already."""
        self.env["PREFECT_API_URL"] = servers.prefect(factory)
        return self

    @classmethod
    def _clone(cls, root: Path) -> None:
        root.mkdir(parents=True)
        shutil.copytree(ROOT / "flows", root / "flows", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "models").mkdir()
        for name in ("models/prices.yaml", ".gitignore", ".dvcignore"):
            shutil.copyfile(ROOT / name, root / name)
        own = "use_cases:\n      placeholder: {answers: labels.yaml}\n"
        graph = re.sub(r"use_cases:\n(      [\w-]+: .*\n)+", own, (ROOT / "dvc.yaml").read_text(encoding="utf-8"))
        (root / "dvc.yaml").write_text(graph, encoding="utf-8")
        made = cls(root)
        made.ok("git", "init", "-q")
        made.ok("dvc", "init", "-q")

    def settle(self) -> None:
        """Forget the placeholder and commit what there is."""
        graph = (self.root / "dvc.yaml").read_text(encoding="utf-8")
        graph = graph.replace("      placeholder: {answers: labels.yaml}\n", "")
        (self.root / "dvc.yaml").write_text(graph, encoding="utf-8")
        self.ok("git", "add", "-A")
        self.ok("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "start")

    def bring(self, given: list[dict[str, str]]) -> None:
        """Declare the use case from JSONL rows."""
        file = self.root.parent / f"{self.root.name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
        self.does("new", NAME, "--from", str(file))

    def spec(self, **sections: dict[str, Any]) -> None:
        """Change keys of model.yaml."""
        import yaml

        path = self.root / "models" / NAME / "model.yaml"
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
        for section, keys in sections.items():
            spec[section] = (spec.get(section) or {}) | keys
        path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")

    def run(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command; output is captured."""
        program = str(BIN / words[0]) if (BIN / words[0]).exists() else words[0]
        return subprocess.run(
            [program, *words[1:]],
            cwd=self.root,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ok(self, *words: str) -> str:
        """Run a command that must succeed; returns stdout."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def inside(self, *words: str) -> Ended:
        """Run `tailtune …` in this process, which has imported what it needs."""
        return tailtune(self.root, *words)

    def does(self, *words: str) -> None:
        """Run `tailtune …` in this process; it must succeed."""
        done = self.inside(*words)
        assert done.code == 0, f"{words}: {done.code}\n{done.out[-3000:]}\n{done.err[-3000:]}"

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [str(BIN / words[0]), *words[1:]], cwd=self.root, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def report(self, stage: str) -> dict[str, Any]:
        """A stage's report."""
        value: dict[str, Any] = json.loads((self.reports / f"{stage}.json").read_text(encoding="utf-8"))
        return value

    def stamps(self, stages: Sequence[str]) -> dict[str, str]:
        """When each stage last finished."""
        return {stage: self.report(stage)["finished_at"] for stage in stages}
