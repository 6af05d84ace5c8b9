"""From raw rows to tidy ones: cleaned, scrubbed, of a length worth keeping, each with its id and split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tailtune.core.records import Row
from tailtune.predictors.prepare.clean import clean
from tailtune.predictors.prepare.scrub import scrub
from tailtune.services.sources import RawRow
from tailtune.services.twins import normal
from tailtune.spec.model import CurateSpec, ModelSpec
from tailtune.stages.curate.drops import Dropped, Drops
from tailtune.stages.curate.split import split_of


@dataclass(frozen=True, slots=True)
class Tidy:
    """One per row that may be kept.

    Attributes:
        row: With its split.
        form: Digest of the normal form; equal exactly for exact twins.
        changes: What was rewritten in it.
    """

    row: Row
    form: bytes
    changes: tuple[str, ...]


def train_rows(raw: Iterable[RawRow], spec: ModelSpec, drops: Drops) -> Iterator[Tidy]:
    """Tidy the rows of the training file, and deal out their splits; short, long and empty ones are dropped."""
    for given in raw:
        cleaned, changes = clean(given.text)
        reason = _length(cleaned, spec.curate)
        if reason is None:
            scrubbed, kinds = scrub(cleaned, spec.curate.scrub_pii)
            changes += kinds
            reason = _length(scrubbed, spec.curate)  # a token may be shorter or longer than what it stands for
            cleaned = scrubbed
        if reason is not None:
            drops.add(Dropped(given.origin, reason, _detail(reason, cleaned, spec.curate), given.label))
            continue
        form = normal(cleaned)
        split = split_of(form if given.group is None else given.group, spec.split, spec.data.test_file is not None)
        row = Row(row_id(given), cleaned, given.label, given.origin, split, given.group)
        yield Tidy(row, form_digest(form), changes)


def test_rows(raw: Iterable[RawRow], spec: ModelSpec, drops: Drops) -> Iterator[Tidy]:
    """Tidy the rows of the given test file: all of them stay in test, save the empty ones."""
    seen: Counter[str] = Counter()
    for given in raw:
        cleaned, changes = clean(given.text)
        if not cleaned:
            drops.add(Dropped(given.origin, "empty", "", given.label, split="test"))
            continue
        scrubbed, kinds = scrub(cleaned, spec.curate.scrub_pii)
        name = row_id(given)
        seen[name] += 1
        unique = name if seen[name] == 1 else f"{name}-{seen[name]}"
        row = Row(unique, scrubbed, given.label, given.origin, "test", given.group)
        yield Tidy(row, form_digest(normal(scrubbed)), changes + kinds)


def row_id(given: RawRow) -> str:
    """Content hash of raw text and label, 16 hex digits; the same row has it in every run."""
    raw = f"{given.text}\x1f{given.label}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(raw).hexdigest()[:16]


def form_digest(form: str) -> bytes:
    """Digest of a normal form: 16 bytes for a text of any length."""
    return hashlib.sha256(form.encode()).digest()[:16]


def _length(text: str, spec: CurateSpec) -> str | None:
    if not text:
        return "empty"
    if len(text) < spec.min_chars:
        return "too_short"
    return "too_long" if len(text) > spec.max_chars else None


def _detail(reason: str, text: str, spec: CurateSpec) -> str:
    limit = {"too_short": f"at least {spec.min_chars}", "too_long": f"at most {spec.max_chars:,}"}.get(reason)
    return "" if limit is None else f"{len(text):,} characters; expected {limit}"
