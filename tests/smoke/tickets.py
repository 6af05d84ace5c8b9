"""Rows of the shipped use case: months one to four, and the month of the launch, with the truth about each."""

from __future__ import annotations

import json
import random
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tailtune.cli.sample import example
from tailtune.config.paths import Paths

LAUNCH, LAUNCHED = "2026-05-04", "relay"
_LAUNCHED = "relay_"
"""Labels of the product that is launched then begin so."""


@dataclass(frozen=True)
class Ticket:
    """One per row of the sample.

    Attributes:
        at: When it came, ISO 8601.
        label: As it stands in the file; one in twenty is wrong.
        true_label: The right one.
    """

    at: str
    text: str
    label: str
    true_label: str

    @property
    def right(self) -> str:
        """The right answer in the story, where the launched product has one label."""
        return LAUNCHED if self.true_label.startswith(_LAUNCHED) else self.true_label

    @property
    def is_launched(self) -> bool:
        """Whether it is about the launched product."""
        return self.true_label.startswith(_LAUNCHED) or self.label.startswith(_LAUNCHED)


@cache
def _all() -> list[Ticket]:
    with tempfile.TemporaryDirectory() as folder:
        made = example(Paths(Path(__file__).parents[2]), "support_tickets").write(Path(folder))
        given, truth = (
            [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            for file in (made.tickets, made.truth)
        )
    return [
        Ticket(row["created_at"], row["text"], row["label"], known["label"])
        for row, known in zip(given, truth, strict=True)
        if known["kind"] in ("normal", "contrast", "near_duplicate")
    ]


def before_the_launch(every: int) -> list[Ticket]:
    """Tickets of months one to four, in order of time, one of so many; without those of the launched product."""
    return [each for each in _all() if each.at < "2026-05" and not each.is_launched][::every]


def since_the_launch(rows: int) -> list[Ticket]:
    """Tickets of months five and six since the launch; no text twice.

    In an order drawn by chance: however many a slow machine asks about, nothing but the launch has changed.
    """
    there = list({each.text: each for each in _all() if each.at >= LAUNCH}.values())
    random.Random(5).shuffle(there)
    return there[:rows]


def write_rows(file: Path, tickets: list[Ticket]) -> None:
    """As the sample writes them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": each.text, "label": each.label}, ensure_ascii=False) + "\n" for each in tickets]
    file.write_text("".join(lines), encoding="utf-8")


def labels_before(file: Path) -> None:
    """Take the launched product's labels out of labels.yaml."""
    there = yaml.safe_load(file.read_text(encoding="utf-8"))
    kept = {name: about for name, about in there.items() if not name.startswith(_LAUNCHED)}
    file.write_text(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True), encoding="utf-8")
