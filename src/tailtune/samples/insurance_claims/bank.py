"""The phrase bank: reads `phrases/*.yaml` into frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

PROSE = ("email", "call", "report")


@dataclass(frozen=True, slots=True)
class Event:
    """One per way a loss comes about: clauses that tell it, and what they say about the classified fields."""

    name: str
    insured: str
    """`motor` or `property`: what has to be insured."""
    share: int
    """Relative frequency."""
    items: str
    """Word list that damaged items are drawn from."""
    says: Mapping[str, Any]
    """Field → value that every clause makes clear."""
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bank:
    """All phrases of the use case."""

    words: Mapping[str, tuple[str, ...]]
    events: tuple[Event, ...]
    statements: Mapping[str, Mapping[Any, Mapping[str, tuple[str, ...]]]]
    """Classified field → value → `any` or a channel → sentences that say it, or for `form` what stands in the box."""
    prose: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Channel → topic → sentences with slots."""
    voices: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Channel → slot → how the writer calls it."""
    labels: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Form layout (`old`, `new`) → field → words printed on the form."""
    extras: Mapping[str, tuple[str, ...]]
    """What belongs to no field: form rows, boiler-plate, remarks."""


def _read(name: str) -> dict[str, Any]:
    """Parses one phrase file as it is packaged."""
    content = files(__package__).joinpath("phrases", f"{name}.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe").load(content))


def _lines(block: str) -> tuple[str, ...]:
    """Splits a block of one phrase a line."""
    return tuple(line.strip() for line in block.splitlines() if line.strip())


def _blocks(body: Mapping[Any, str]) -> dict[Any, tuple[str, ...]]:
    return {key: _lines(block) for key, block in body.items()}


def _words(block: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in " ".join(_lines(block)).split(",") if word.strip())


@cache
def load() -> Bank:
    """Loads the phrase bank, everything in file order."""
    events = tuple(
        Event(name, body["for"], body["share"], body["items"], body["says"], _lines(body["clauses"]))
        for name, body in _read("events").items()
    )
    statements = {
        field: {value: _blocks(body) for value, body in values.items()} for field, values in _read("said").items()
    }
    return Bank(
        words={slot: _words(block) for slot, block in _read("words").items()},
        events=events,
        statements=statements,
        prose={channel: _blocks(_read(channel)) for channel in PROSE},
        voices={channel: _blocks(body) for channel, body in _read("voices").items()},
        labels={layout: _blocks(body) for layout, body in _read("forms").items()},
        extras=_blocks(_read("extras")),
    )
