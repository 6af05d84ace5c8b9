"""Where the time of an answer goes: the network, the model, or the text around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tailtune.core.records import Latency
from tailtune.report.measured import called
from tailtune.report.numbers import ms, share, words
from tailtune.report.story import Story
from tailtune.report.ways import Way, ways

Family = Literal["network", "model", "either", "text"]
FAMILIES: dict[Family, str] = {
    "network": "network",
    "either": "network and model, not told apart",
    "model": "the model",
    "text": "reading and writing text",
}
_KNOWN: dict[str, tuple[str, Family]] = {
    "connect": ("connecting", "network"),
    "tls": ("TLS handshake", "network"),
    "network": ("waiting on the network", "network"),
    "wait": ("waiting for the first byte", "either"),
    "server": ("the server's own work", "model"),
    "body": ("receiving the answer", "network"),
    "tokenise": ("tokenising", "text"),
    "infer": ("inference", "model"),
    "decode": ("decoding", "text"),
    "rest": ("everything else", "text"),
}
_SEEN = 0.01  # a rest below this share of the whole is rounding


@dataclass(frozen=True, slots=True)
class Part:
    """One per part of a way's mean time.

    Attributes:
        name: In reports; network is what is left of wait when the server's part is taken out.
        title: For people.
        family: Whose time it is.
        mean_ms: Milliseconds.
    """

    name: str
    title: str
    family: Family
    mean_ms: float


def split(latency: Latency) -> tuple[Part, ...]:
    """A way's mean time in parts, in the order in which they happen; empty without parts.

    Where a server tells how long it worked, the rest of the wait is the network's; where it does not, nobody can tell
    network and model apart, and the wait is shown as both.
    """
    given = {name: value for name, value in latency.parts.items() if value > 0}
    if not given:
        return ()
    if "server" in given and "wait" in given:
        given["network"] = max(given.pop("wait") - given["server"], 0.0)
    rest = latency.mean_ms - sum(given.values())
    if rest > _SEEN * latency.mean_ms:
        given["rest"] = rest
    order = [*(name for name in _KNOWN if name in given), *(name for name in given if name not in _KNOWN)]
    return tuple(Part(name, *_KNOWN.get(name, (words(name), "text")), given[name]) for name in order if given[name] > 0)


def families(latency: Latency) -> frozenset[Family]:
    """Whose time a way's answer takes; a time without parts is anybody's."""
    return frozenset(part.family for part in split(latency)) or frozenset({"either"})


def of_family(parts: Sequence[Part], family: Family) -> float:
    """Milliseconds of one family."""
    return math.fsum(part.mean_ms for part in parts if part.family == family)


def shown(story: Story) -> tuple[Way, ...]:
    """Ways whose time is worth comparing: every prompted rung, the best local rung, and the fine-tune."""
    return tuple(way for way in (*_prompted(story), _local(story), _tuned(story)) if way is not None and _timed(way))


def told(story: Story) -> tuple[str, ...]:
    """Whether network or model is slow, and what a model of one's own would save, as sentences."""
    prompted = _best_prompted(story)
    here = _tuned(story) or _local(story)
    if prompted is None or prompted.latency is None:
        return ()
    found = [_whose(prompted, prompted.latency)]
    if here is not None and here.latency is not None and here.latency.p50_ms > 0:
        saved = prompted.latency.mean_ms - here.latency.mean_ms
        what = f"{saved_text(saved)} an answer" if abs(saved) >= 1 else "as long"
        found.append(f"{here.title}, a model on your own machine, takes {ms(here.latency.mean_ms)}: {what}.")
    return tuple(found)


def saved_text(saved: float) -> str:
    """`806 ms less`, `12 ms more`."""
    return f"{ms(abs(saved))} {'less' if saved >= 0 else 'more'}"


def _whose(way: Way, latency: Latency) -> str:
    parts, whole, name = split(latency), latency.mean_ms, called(way.title)
    opening = f"An answer of {name} takes {ms(whole)} on average"
    if not parts or whole <= 0:
        return f"{opening}; where that time goes was not measured."
    network, model, either = of_family(parts, "network"), of_family(parts, "model"), of_family(parts, "either")
    if either > max(network, model):
        return (
            f"{opening}: {ms(network)} are connecting and receiving, {ms(either)} are network and model together, "
            "because the server does not say how long it works itself."
        )
    slow, what = (model, "the model") if model >= network else (network, "the network")
    return f"{opening}: {ms(model)} the model, {ms(network)} the network. {what.capitalize()} is the slow part" + (
        f", {share(slow / whole)} of the time."
    )


def _timed(way: Way) -> bool:
    return way.latency is not None and way.latency.mean_ms > 0


def _prompted(story: Story) -> tuple[Way, ...]:
    return tuple(way for way in ways(story) if way.kind == "prompted")


def _best_prompted(story: Story) -> Way | None:
    best = story.prompt.best if story.prompt else None
    return next((way for way in _prompted(story) if way.name == best), None)


def _local(story: Story) -> Way | None:
    found = [way for way in ways(story) if way.kind == "local" and not math.isnan(way.quality.value)]
    return max(found, key=lambda way: way.quality.value, default=None)


def _tuned(story: Story) -> Way | None:
    return next((way for way in ways(story) if way.kind == "tuned" and way.latency is not None), None)
