"""The reference of a registered version: fetched from beside its model, or made now for a version of before.

What it answered to held-out rows says how right it is. What moves is seen against the same rows, or against what was
asked in the week before it answered (`traffic.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tailtune.core.digests import file_digest
from tailtune.core.errors import MissingInputError
from tailtune.core.monitored import Sample
from tailtune.core.records import Row, Split
from tailtune.judge.words import WordCounts
from tailtune.lifecycle import reference
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.reference import ReferenceRow
from tailtune.operations.sample import sample_of, without_answers
from tailtune.services import store
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.lookup import require
from tailtune.services.mlflow.registry import Version

_HELD_OUT: Final[tuple[Split, ...]] = ("dev", "test")


@dataclass(frozen=True)
class KnownReference:
    """One per version.

    Attributes:
        rows: Held-out rows with the version's answers.
        held_out: The same as columns.
        traffic: Rows that were asked in the week before the version answered; empty where what moves is seen against
            the held-out rows.
        sample: What moves is seen against: traffic, else held-out rows, as columns.
        words: In how many texts of the sample each word stands.
        digest: Of the files that `sample` is made of.
    """

    rows: tuple[ReferenceRow, ...]
    held_out: Sample
    traffic: tuple[ReferenceRow, ...]
    sample: Sample
    words: WordCounts
    digest: str


def reference_of(context: Context, version: Version) -> KnownReference:
    """A version's reference.

    Args:
        context: Of the look.
        version: The version.

    Raises:
        MissingInputError: It has none, and this checkout has no curated rows to make one from.
        ServiceError: The tracking store does not answer, or what it has is not what was noted.
    """
    file = context.project.fetched_references / version.model / version.version / reference.FILE
    if not registry.fetch_reference(context.tracker, version, file):
        _make(context, version, file)
    rows = tuple(reference.read(file))
    held_out = _sample(context, rows)
    of_week = traffic_file(context, version)
    if registry.fetch_reference(context.tracker, version, of_week, registry.TRAFFIC):
        traffic, digest = tuple(reference.read(of_week)), version.tags[registry.TRAFFIC]
        words = WordCounts(len(traffic), reference.read_words(of_week))
        return KnownReference(rows, held_out, traffic, _sample(context, traffic), words, digest)
    words = WordCounts.in_texts(row.logged["text"] for row in rows if row.logged["text"])
    return KnownReference(rows, held_out, (), held_out, words, file_digest(file))


def traffic_file(context: Context, version: Version) -> Path:
    """Where what was asked in the week before a version answered is, as it answers it."""
    return context.project.fetched_references / version.model / version.version / "traffic.parquet"


def _sample(context: Context, rows: Sequence[ReferenceRow]) -> Sample:
    sample = sample_of([row.logged for row in rows], context.case.task)
    return sample if _is_answered(rows) else without_answers(sample)


def _is_answered(rows: Sequence[ReferenceRow]) -> bool:
    return any(row.logged["answer"] is not None for row in rows)


def folder_of(context: Context, version: Version) -> Path:
    """A version's predictor, fetched here and checked.

    Raises:
        ServiceError: The store does not answer, or its files are not those that were registered.
    """
    uri = context.tracker.uri
    return fetch(uri, require(uri, version.model, version.version), context.project.fetched_versions)


def _make(context: Context, version: Version, file: Path) -> None:
    """Make the reference of a version that was registered before there were any, and keep it beside its model."""
    name = context.case.name
    try:
        rows = [row for split in _HELD_OUT for row in _rows(context, split)]
    except MissingInputError as error:
        raise MissingInputError(
            f"{version.uri} has no reference, and this checkout no curated rows to make one from: {error.message}",
            f"tailtune run {name}   (or move the alias to a version that was registered since)",
        ) from error
    context.progress.say(f"{version.uri} has no reference yet: answering {min(len(rows), reference.MOST_ROWS):,} rows")
    reference.write(file, reference.of_version(context, folder_of(context, version), version.version, rows))
    registry.keep_reference(context.tracker, version, file)


def _rows(context: Context, split: Split) -> list[Row]:
    return store.read_rows(context.paths.rows(split), split, context.case.name, context.case.task.parse_label)
