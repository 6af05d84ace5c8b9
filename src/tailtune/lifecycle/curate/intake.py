"""From raw rows to tidy ones: cleaned, scrubbed, of a length worth keeping, each with its id and split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tailtune.config.model import CurateSpec
from tailtune.core.records import Row
from tailtune.lifecycle.curate.drops import Dropped, Drops
from tailtune.lifecycle.curate.split import split_of
from tailtune.predictors.prepare.clean import clean
from tailtune.services.near_duplicates import normal
from tailtune.services.sources import RawRow
from tailtune.tasks.base import PreparedRow
from tailtune.tasks.use_case import UseCase


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


def train_rows(raw: Iterable[RawRow], case: UseCase, drops: Drops) -> Iterator[Tidy]:
    """Tidy the rows of the training file, and deal out their splits; short, long and unusable ones are dropped."""
    spec, task = case.spec, case.task
    for given in raw:
        cleaned, changes = clean(given.text)
        reason = _length(cleaned, spec.curate)
        if reason is not None:
            drops.add(Dropped(given.origin, reason, _detail(reason, cleaned, spec.curate), given.label))
            continue
        made = task.prepare_row(given, cleaned, changes)
        # A token may be shorter or longer than what it stands for.
        reason = _length(made.text, spec.curate) or made.reason
        if reason:
            detail = made.detail or _detail(reason, made.text, spec.curate)
            drops.add(Dropped(given.origin, reason, detail, given.label))
            continue
        form = normal(made.text)
        split = split_of(form if given.group is None else given.group, spec.split, spec.data.test_file is not None)
        row = Row(row_id(given), made.text, made.label, given.origin, split, given.group)
        yield Tidy(row, form_digest(form), made.changes)


def test_rows(raw: Iterable[RawRow], case: UseCase, drops: Drops) -> Iterator[Tidy]:
    """Tidy the rows of the given test file: all of them stay in test, save empty and unusable ones."""
    task = case.task
    seen: Counter[str] = Counter()
    for given in raw:
        cleaned, changes = clean(given.text)
        made = task.prepare_row(given, cleaned, changes) if cleaned else PreparedRow("", given.label, reason="empty")
        if made.reason:
            drops.add(Dropped(given.origin, made.reason, made.detail, given.label, split="test"))
            continue
        name = row_id(given)
        seen[name] += 1
        unique = name if seen[name] == 1 else f"{name}-{seen[name]}"
        row = Row(unique, made.text, made.label, given.origin, "test", given.group)
        yield Tidy(row, form_digest(normal(made.text)), made.changes)


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
