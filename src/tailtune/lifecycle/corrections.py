"""How the labels that people corrected or confirmed come in, and how curation finds the rows that they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from tailtune.core.days import time_fault
from tailtune.core.errors import DataError, Fault, UsageError
from tailtune.core.records import SPLITS, Review, Row
from tailtune.predictors.prepare.clean import clean
from tailtune.services import sources, store
from tailtune.services.corrections import Correction, read_corrections
from tailtune.services.near_duplicates import normal
from tailtune.services.sources import RawRow
from tailtune.services.sources.faults import Faults
from tailtune.tasks.base import PreparedRow
from tailtune.tasks.use_case import UseCase

T = TypeVar("T")
CORRECTED = "label_corrected"
"""The change of a kept row whose label a person corrected."""
_NEEDED, _OPTIONAL = ("label", "who"), ("id", "text", "at")


@dataclass(frozen=True)
class Corrections:
    """One per curation: the labels that people gave.

    Attributes:
        by_id: Row's id → label.
        by_form: Normal form of a text → label.
        forms: Row's id → normal form of its text.
        at: Normal form of a text → when its label was given, ISO 8601.
    """

    by_id: Mapping[str, Any] = field(default_factory=dict)
    by_form: Mapping[str, Any] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    at: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, case: UseCase, file: Path) -> Corrections:
        """The corrections beside a use case's rows.

        Args:
            case: The use case.
            file: Where they are kept; it may be missing.

        Raises:
            DataError: A line that is no correction, or a label that the use case does not declare; all at once.
        """
        hint = f"tailtune labels {case.name} --from FILE, with new labels of these rows"
        kept = with_labels(case, file, case.task.correction, hint)
        forms = {correction.id: normal(correction.text) for correction, _ in kept}
        return cls(
            by_id={correction.id: label for correction, label in kept},
            by_form={forms[correction.id]: label for correction, label in kept},
            forms=forms,
            at={forms[correction.id]: correction.at for correction, _ in kept},
        )

    def apply(self, row_id: str, form: str, made: PreparedRow) -> tuple[PreparedRow, Review]:
        """A row with the label that a person gave it, and what the person made of the file's label."""
        label = self.by_id.get(row_id, self.by_form.get(form))
        if label is None:
            return made, ""
        if label == made.label:
            return made, "confirmed"
        return replace(made, label=label, changes=(*made.changes, CORRECTED)), "corrected"

    def unused(self, rows: Iterable[Row]) -> int:
        """How many are about none of the rows that were kept."""
        if not self.by_id:
            return 0
        kept = list(rows)
        ids, forms = {row.id for row in kept}, {normal(row.text) for row in kept}
        return sum(id_ not in ids and form not in forms for id_, form in self.forms.items())


def with_labels(case: UseCase, file: Path, read: Callable[[str], T], hint: str) -> list[tuple[Correction, T]]:
    """What people said about a use case's labels, each with its label.

    Args:
        case: The use case.
        file: Where it is kept; it may be missing.
        read: Reads a label; raises ValueError for one that the use case does not allow.
        hint: What to do about such labels.

    Raises:
        DataError: A line that cannot be read, or such labels; all at once.
    """
    shown = case.paths.project.shown(file)
    if file.name in (case.spec.data.file, case.spec.data.test_file):
        return []  # rows that happen to be called so
    kept: list[tuple[Correction, T]] = []
    faults: list[Fault] = []
    for correction in read_corrections(file, shown, f"tailtune check {case.name}"):
        try:
            kept.append((correction, read(correction.label)))
        except ValueError as error:
            faults.append(Fault(f"{shown}:{correction.line}", str(error)))
    if faults:
        raise DataError(faults, hint)
    return kept


def labelled_rows(case: UseCase, file: Path, hint: str) -> list[RawRow]:
    """What people labelled beside a use case's rows, as rows of a file, in the order in which it is kept.

    Raises:
        DataError: As `with_labels`.
    """
    kept = with_labels(case, file, case.task.raw_label, hint)
    return [RawRow(each.text, label, f"{file.name}:{each.line}") for each, label in kept]


def receive(case: UseCase, file: Path, shown: str) -> tuple[list[Correction], list[Correction]]:
    """Read a file of corrected labels: row id or text, label, who, and when if that is known.

    A row's later correction supersedes its earlier one. A line that has neither label nor who was not looked at.

    Args:
        case: The use case; curation has run.
        file: CSV, JSONL or Parquet with the columns label and who, and id or text; `at` may be there.
        shown: How faults name it.

    Returns:
        All corrections of the use case from now on, and those among them that are new or say something new.

    Raises:
        MissingInputError: Curation has not run, so that no row has an id yet.
        UsageError: The use case's own rows stand in the file that corrections are kept in.
        DataError: No such row or label, nobody named, or two labels for a row; all of it at once, with lines.
    """
    kept = case.paths.corrections
    if kept.name in (case.spec.data.file, case.spec.data.test_file):
        raise UsageError(f"{case.paths.project.shown(kept)} holds rows; expected corrections there", "rename it")
    hint = f"correct the file, then: tailtune labels {case.name} --from {shown}"
    before = {each.id: each for each in read_corrections(kept, case.paths.project.shown(kept), hint)}
    lines, faults = sources.records(file, _NEEDED, _OPTIONAL, shown, hint)
    reader = _Reader(case, before, faults)
    received: dict[str, Correction] = {}
    filled = [(line, values) for line, values in lines if _filled(values)]
    if lines and not filled:
        faults.add(lines[0][0], "no line has a label and a name in `who`: nobody has filled it in")
    for line, values in filled:
        made = reader.read(line, values)
        if made is None:
            continue
        other = received.setdefault(made.id, made)
        if other.label != made.label:
            faults.add(line, f"the row of line {other.line}, there labelled {other.label}; expected one label a row")
    faults.raise_any()
    fresh = [each for each in received.values() if says_more(each, before.get(each.id))]
    return list({**before, **{each.id: each for each in fresh}}.values()), fresh


def already_reviewed(case: UseCase) -> frozenset[str]:
    """Ids of the rows whose labels people have corrected or confirmed."""
    kept = case.paths.corrections
    if kept.name in (case.spec.data.file, case.spec.data.test_file):
        return frozenset()
    shown = case.paths.project.shown(kept)
    return frozenset(each.id for each in read_corrections(kept, shown, f"tailtune check {case.name}"))


def _filled(values: Mapping[str, Any]) -> bool:
    return any(sources.as_written(values[name]) for name in _NEEDED)


def says_more(now: Correction, before: Correction | None) -> bool:
    """Whether a label is new, another one, or somebody else's."""
    return before is None or (now.label, now.who) != (before.label, before.who)


class _Reader:
    """One per file of corrected labels: finds the row that a line is about, and says what is wrong with the line.

    Args:
        case: The use case.
        before: Row's id → what is known of it from earlier corrections.
        faults: Takes what is wrong.
    """

    def __init__(self, case: UseCase, before: Mapping[str, Correction], faults: Faults) -> None:
        self._task, self._faults = case.task, faults
        rows = [row for split in SPLITS for row in store.read_rows(case.paths.rows(split), split, case.name)]
        self._texts = {**{id_: each.text for id_, each in before.items()}, **{row.id: row.text for row in rows}}
        self._ids = {normal(text): id_ for id_, text in self._texts.items()}
        self._now = datetime.now(UTC).isoformat(timespec="seconds")

    def read(self, line: int, values: Mapping[str, Any]) -> Correction | None:
        """A line as a correction; None where something is wrong with it."""
        before, label = self._faults.count, sources.as_written(values["label"])
        try:
            label = str(self._task.correction(label))
        except ValueError as error:
            self._faults.add(line, str(error))
            return None
        who = sources.as_written(values["who"])
        if not who:
            self._faults.add(line, "`who` is empty; expected the name of the person who looked at the label")
        at = sources.as_written(values["at"]) or self._now
        if fault := time_fault(at):
            self._faults.add(line, f"`at` {fault}")
        id_ = self._id(line, values, label)
        if self._faults.count > before or id_ is None:
            return None
        return Correction(id_, self._texts[id_], label, who, at, line)

    def _id(self, line: int, values: Mapping[str, Any], label: str) -> str | None:
        id_, text = sources.as_written(values["id"]), sources.as_written(values["text"])
        if id_:
            known = self._ids.get(normal(text)) if text else None
            if id_ in self._texts:
                if known is not None and normal(text) != normal(self._texts[id_]):
                    self._faults.add(line, f"the text is not that of the row {id_} but of {known}; expected one row")
                return id_
            if known is not None:
                return known  # a spreadsheet takes an id of digits alone for a number
            self._faults.add(line, f"no row has the id {id_}; expected one of suspect_labels.jsonl")
            return None
        if not text:
            self._faults.add(line, "neither id nor text; expected one of them, to know the row by")
            return None
        made = self._task.prepare_row(RawRow(text, label, ""), clean(text)[0], ())
        known = self._ids.get(normal(made.text))
        if known is None:
            self._faults.add(line, "no row has this text; expected one that curation keeps")
        return known
