"""How often a test set has been looked at: what the registry's versions say of the test rows they were compared on.

A look is a version and a champion whose answers to the same test rows were compared. It counts for every test set of
which more than half had been among those rows: a file to which a few rows are added is no fresh test set.

Limits: versions that were deleted are forgotten, and two checkouts that compare at one moment count the same look.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from tailtune.core.records import Look, Row
from tailtune.core.reports import Paired
from tailtune.judge.looks import LEAST_NEWEST, NEWEST, look
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.registry import Version

TEST_ROWS, LOOKS = "tailtune.test_rows", "tailtune.looks"
_LOWEST, _DIGITS = 200, 10
_SHARED = 0.5
_YEAR_MS = 365 * 86_400_000


@dataclass(frozen=True)
class Sketch:
    """One per test set: enough of it to say what share of it stands in another, and to fit a tag.

    Attributes:
        rows: Different texts.
        lowest: The lowest digests of texts, at most 200, in order.

    Source: the bottom-k sketch of Broder (1997).
    """

    rows: int
    lowest: tuple[str, ...]

    @classmethod
    def of(cls, test: Sequence[Row]) -> Sketch:
        """Of the texts; a label that is corrected makes no fresh row."""
        digests = {hashlib.sha256(row.text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS] for row in test}
        return cls(len(digests), tuple(sorted(digests)[:_LOWEST]))

    @property
    def tag(self) -> str:
        """As a tag of a version."""
        return f"{self.rows} {''.join(self.lowest)}"

    @classmethod
    def read(cls, tag: str) -> Sketch | None:
        """From a tag; None where it is not one of these."""
        rows, _, lowest = tag.partition(" ")
        if not rows.isdecimal() or len(lowest) % _DIGITS:
            return None
        return cls(int(rows), tuple(lowest[at : at + _DIGITS] for at in range(0, len(lowest), _DIGITS)))

    def share_in(self, other: Sketch) -> float:
        """Share of these texts that stand in another test set, within about 4 points; all, where it cannot be said."""
        ends = [sketch.lowest[-1] for sketch in (self, other) if sketch.rows > len(sketch.lowest)]
        known = [digest for digest in self.lowest if not ends or digest <= min(ends)]
        there = set(other.lowest)
        return sum(digest in there for digest in known) / len(known) if known else 1.0


def looks_of(version: Version) -> dict[str, int]:
    """Champion's version → which look at the test set it was to compare this version with it."""
    try:
        noted = json.loads(version.tags.get(LOOKS, "{}"))
    except ValueError:
        return {}
    return {str(champion): int(number) for champion, number in noted.items()} if isinstance(noted, dict) else {}


def look_at(
    there: Sequence[Version],
    version: Version,
    champion: Version,
    test: Sequence[Row],
    alike: Callable[[Mapping[str, str]], bool | None],
) -> Look:
    """The look that a comparison is; the one that it was, when both were compared before.

    Args:
        there: All versions of the model.
        version: At the gate.
        champion: That it is compared with.
        test: The test rows of both.
        alike: Whether a version with these tags split rows as they are split now.
    """
    noted = looks_of(version)
    if champion.version in noted:
        return look(noted[champion.version])
    sketch = Sketch.of(test)
    others = [other for other in there if other.version != version.version]
    return look(1 + len(noted) + sum(_looked(other, sketch, alike) for other in others))


def noting(version: Version, champion: Version, at: Look) -> dict[str, str]:
    """The tag that notes a look."""
    return {LOOKS: json.dumps(looks_of(version) | {champion.version: at.number})}


def last_look(version: Version) -> Look | None:
    """The last one that a version was compared at; None when it never was, or nobody noted it."""
    return max((look(number) for number in looks_of(version).values()), key=lambda at: at.number, default=None)


def looks_in_year(there: Sequence[Version], version: Version, champion: Version) -> int:
    """Looks of the year before a version was made, its own at this champion included, whatever the test rows were.

    Args:
        there: All versions of the model; those that were made later do not count.
        version: At the gate.
        champion: That it is compared with.
    """
    own = sum(name != champion.version for name in looks_of(version))
    before = [other for other in there if other.version != version.version]
    return 1 + own + sum(len(looks_of(each)) for each in before if 0 <= version.made_ms - each.made_ms < _YEAR_MS)


def newest_audited(test: Sequence[Row], file: str) -> list[int]:
    """Places of the newest audited rows, at most `NEWEST`; none where there are fewer than `LEAST_NEWEST`.

    Args:
        test: The test rows.
        file: That audited rows are kept in, in the order in which they were first labelled.
    """
    lines = {place: int(row.origin.removeprefix(f"{file}:")) for place, row in enumerate(test) if _is_in(row, file)}
    newest = sorted(lines, key=lambda place: -lines[place])[:NEWEST]
    return sorted(newest) if len(newest) >= LEAST_NEWEST else []


def _is_in(row: Row, file: str) -> bool:
    return row.origin.startswith(f"{file}:") and row.origin.removeprefix(f"{file}:").isdecimal()


def _looked(version: Version, sketch: Sketch, alike: Callable[[Mapping[str, str]], bool | None]) -> int:
    """How many looks at this test set a version was."""
    seen = Sketch.read(version.tags.get(TEST_ROWS, ""))
    if seen is not None:
        return len(looks_of(version)) if sketch.share_in(seen) > _SHARED else 0
    # Of before looks were noted: rows that are split alike only become more, so their number says how many are shared.
    try:
        compared = Paired.model_validate_json(version.tags.get(registry.COMPARISON, "null"))
    except ValidationError:
        return 0
    return int(bool(alike(version.tags)) and compared.difference.rows > _SHARED * sketch.rows)
