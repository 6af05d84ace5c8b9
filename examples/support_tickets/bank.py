"""The phrase bank: reads `phrases/*.yaml` into frozen values."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

AREAS = ("billing", "subscription", "access", "data", "product")


@dataclass(frozen=True, slots=True)
class Category:
    """One per label: what customers say when they mean it, and how often they do."""

    label: str
    near: tuple[str, ...]
    """Labels it is easily confused with."""
    share: int
    """Relative frequency before the launch."""
    share_after_launch: int
    cores: tuple[str, ...]
    """Whole statements of the matter."""
    topics: tuple[str, ...]
    """The matter as a noun phrase, singular."""
    wants: tuple[str, ...]
    """The matter as a verb phrase without 'to'."""


@dataclass(frozen=True, slots=True)
class Bank:
    """All phrases: the categories, and what surrounds them in a ticket."""

    categories: dict[str, Category]
    styles: dict[str, tuple[str, ...]]
    words: dict[str, tuple[str, ...]]
    """Values of the slots that are words."""


def _read(name: str) -> dict[str, Any]:
    """Parses one phrase file as it is packaged."""
    content = files(__package__).joinpath("phrases", f"{name}.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe").load(content))


def _lines(block: str) -> tuple[str, ...]:
    """Splits a block of one phrase a line."""
    return tuple(line.strip() for line in block.splitlines() if line.strip())


@cache
def load() -> Bank:
    """Loads the phrase bank.

    Returns:
        The bank; categories in file order.
    """
    categories = {
        label: Category(
            label=label,
            near=tuple(body["near"]),
            share=body["share"],
            share_after_launch=body["share_after_launch"],
            cores=_lines(body["cores"]),
            topics=_lines(body["topics"]),
            wants=_lines(body["wants"]),
        )
        for area in AREAS
        for label, body in _read(area).items()
    }
    styles = {kind: _lines(block) for kind, block in _read("styles").items()}
    words = {
        slot: tuple(word.strip() for word in " ".join(_lines(block)).split(","))
        for slot, block in _read("slots").items()
    }
    return Bank(categories, styles, words)
