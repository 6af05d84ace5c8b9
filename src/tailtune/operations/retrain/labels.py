"""What is new to learn from: right answers that people gave, other rows, another declaration.

Right answers are not marked as taken in here, as `tailtune feedback` does in the checkout that people work in: what a
retrain has learnt from counts for those who take its branch over, and for the next retrain, which reads them again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tailtune.core.errors import UsageError
from tailtune.core.figures import counted
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.feedback import moment, receive, receive_sent
from tailtune.services import versions
from tailtune.services.corrections import Correction, read_corrections
from tailtune.services.mlflow.registry import Version
from tailtune.services.prediction_log.store import PredictionLog

_KINDS = (".csv", ".jsonl", ".parquet")
_LabelOf = tuple[str, str, str]
"""File, row and label."""


@dataclass(frozen=True)
class Gathered:
    """One per retrain: what it may learn from.

    Attributes:
        feedback: All right answers from now on.
        given_us: When each label to learn from was given that no version has learnt from, microseconds since 1970
            (UTC).
        audited: Audited rows that no version was tested on.
        changes: What else is new, as words.
        notes: What was left out, as sentences.
    """

    feedback: tuple[Correction, ...]
    given_us: tuple[int, ...]
    audited: int
    changes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def new_labels(self) -> int:
        """How many labels to learn from are new."""
        return len(self.given_us)

    def since(self, moment_us: int) -> int:
        """How many of them were given from a moment on."""
        return sum(each >= moment_us for each in self.given_us)


def gather(context: Context, log: PredictionLog | None, newest: Version | None, last_pin: str | None) -> Gathered:
    """Collect what people have labelled; nothing is written or marked.

    Args:
        context: Of the retrain.
        log: Where people sent right answers to; None where nothing was ever logged.
        newest: The newest version; None when there is none.
        last_pin: Rows that the last retrain learnt from, as data.dvc pins them; None where there was none.

    Raises:
        UsageError: The declared folder is not there.
        DataError: A file in it holds what is no right answer; all of it at once.
        ServiceError: The prediction log does not answer.
    """
    notes: list[str] = []
    feedback = _feedback(context, log, last_pin, notes)
    version_pin = None if newest is None else newest.tags.get("data_hash")
    known = {label for pin in (version_pin, last_pin) if pin for label in _pinned_labels(context, pin, notes)}
    there = {(context.paths.feedback.name, each.id, each.label): each.at for each in feedback}
    for file in (context.paths.corrections, context.paths.proposed):
        there |= _labels_in(file.name, _content(file))
    given_us = sorted(_moment_us(at) for label, at in there.items() if label not in known)
    audited = _labels_in(context.paths.audits.name, _content(context.paths.audits)).keys() - known
    return Gathered(feedback, tuple(given_us), len(audited), tuple(_changes(context, newest)), tuple(notes))


def _feedback(
    context: Context, log: PredictionLog | None, last_pin: str | None, notes: list[str]
) -> tuple[Correction, ...]:
    case, texts = context.case, partial(_texts, log, context.case.name)
    kept: list[Correction] = _beside_rows(context, context.paths.feedback)
    kept = _merged(kept, _of_last_retrain(context, last_pin, notes))
    for file in _files(context):
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")
        kept, _ = receive(case, file, context.project.shown(file), texts, kept, written)
    sent = [] if log is None else log.feedback(case.name)
    kept, _, refused = receive_sent(case, sent, texts, kept)
    if refused:
        first = next(iter(refused.values()))
        notes.append(f"{counted(len(refused), 'right answer')} cannot be used: {first}")
    return tuple(kept)


def _beside_rows(context: Context, file: Path) -> list[Correction]:
    return read_corrections(file, context.project.shown(file), f"tailtune check {context.case.name}")


def _of_last_retrain(context: Context, pin: str | None, notes: list[str]) -> list[Correction]:
    """Right answers of the last retrain, also where nobody has taken its branch over yet."""
    pinned = None if pin is None else versions.pinned_files(context.project, pin, context.case.name)
    if pin is None or (pinned is not None and context.paths.feedback.name not in pinned):
        return []
    content = None if pinned is None else versions.pinned_bytes(context.project, pinned[context.paths.feedback.name])
    if content is None:
        notes.append(f"DVC's cache does not have the right answers of the last retrain ({pin[:12]}) any more")
        return []
    file = context.paths.retrain / "earlier.jsonl"
    file.write_bytes(content)
    return _beside_rows(context, file)


def _merged(first: Sequence[Correction], second: Iterable[Correction]) -> list[Correction]:
    """Both, and of two about one text the later."""
    merged = {each.id: each for each in first}
    for each in second:
        before = merged.get(each.id)
        if before is None or moment(before.at) < moment(each.at):
            merged[each.id] = each
    return list(merged.values())


def _files(context: Context) -> list[Path]:
    name = context.case.spec.retrain.labels_from
    if name is None:
        return []
    folder = context.project.root / name
    if not folder.is_dir():
        raise UsageError(f"retrain.labels_from: {folder} is no folder", f"mkdir -p {folder}")
    return sorted(file for file in folder.iterdir() if file.suffix in _KINDS and file.is_file())


def _texts(log: PredictionLog | None, name: str, request_id: str) -> Mapping[int, str | None]:
    return {} if log is None else log.request(name, request_id)


def _pinned_labels(context: Context, pin: str, notes: list[str]) -> set[_LabelOf]:
    """Labels of people that a pin holds; none, with a note, where DVC's cache does not have it."""
    pinned = versions.pinned_files(context.project, pin, context.case.name)
    if pinned is None:
        notes.append(f"DVC's cache does not have the rows {pin[:12]}: their labels count as new")
        return set()
    found: set[_LabelOf] = set()
    for name in (file.name for file in context.paths.by_people):
        content = versions.pinned_bytes(context.project, pinned[name]) if name in pinned else None
        found |= _labels_in(name, "" if content is None else content.decode("utf-8", "replace")).keys()
    return found


def _labels_in(name: str, lines: str) -> dict[_LabelOf, str]:
    """Labels of a file, each with the time at which it was given."""
    records = [json.loads(line) for line in lines.split("\n") if line.strip()]
    return {(name, str(record.get("id")), str(record.get("label"))): str(record.get("at")) for record in records}


def _content(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _moment_us(at: str) -> int:
    """A time as people write it; one that cannot be read is long ago."""
    return round(moment(at).timestamp() * 1_000_000)


def _changes(context: Context, newest: Version | None) -> Iterable[str]:
    """What but labels of people differs from what the newest version was made of."""
    if newest is None:
        yield "no version yet"
        return
    project, name = context.project, context.case.name
    before, now = newest.tags.get("data_hash"), versions.data_hash(project)
    if before and now and before != now:
        then = versions.pinned_files(project, before, name)
        here = versions.pinned_files(project, now, name)
        by_people = {file.name for file in context.paths.by_people}
        if then is not None and here is not None and _without(then, by_people) != _without(here, by_people):
            yield "other rows"
    commit = newest.tags.get("git_commit")
    if commit and versions.changed_between(project.root, commit, [context.paths.folder, project.prices]):
        yield "another declaration or price"


def _without(listing: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: digest for name, digest in listing.items() if name not in names}
