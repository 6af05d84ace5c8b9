"""How proposed classes come in: what a person accepted becomes labels, and the texts that were read become rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tailtune.config.located import LinedYaml
from tailtune.core.errors import DataError, Fault, SpecError, UsageError
from tailtune.core.figures import counted
from tailtune.lifecycle import proposed_file
from tailtune.lifecycle.corrections import says_more
from tailtune.lifecycle.curate import split_of
from tailtune.lifecycle.new_classes import expect_classes
from tailtune.lifecycle.proposed_file import AcceptedClass
from tailtune.predictors.prepare.clean import clean
from tailtune.services import store
from tailtune.services.corrections import Correction, read_corrections
from tailtune.services.near_duplicates import normal
from tailtune.services.sources import RawRow
from tailtune.tasks.label_check import skeleton
from tailtune.tasks.use_case import UseCase, read_declaration


@dataclass(frozen=True)
class Accepted:
    """One per intake.

    Attributes:
        kept: All rows of accepted classes from now on.
        fresh: Those among them that are new or have a new label.
        new: New class → description.
        refused: Groups that nobody accepted.
        answers: The file of allowed answers with the new classes.
    """

    kept: Sequence[Correction]
    fresh: Sequence[Correction]
    new: Mapping[str, str]
    refused: int
    answers: str

    def rows_of(self, name: str) -> int:
        """New rows of a class."""
        return sum(each.label == name for each in self.fresh)

    @property
    def people(self) -> list[str]:
        """Who accepted."""
        return sorted({each.who for each in self.fresh})


def receive(case: UseCase, file: Path) -> Accepted:
    """Read a file of proposed classes as a person left it; nothing is written.

    Raises:
        UsageError: The use case's own rows stand in the file that such rows are kept in; or the file of allowed answers
            would not be one with the new classes.
        SpecError: The file cannot be read.
        DataError: Something is wrong in it; all of it at once, with lines.
    """
    expect_classes(case)
    kept, shown = case.paths.proposed, case.paths.project.shown(case.paths.proposed)
    if kept.name in (case.spec.data.file, case.spec.data.test_file):
        raise UsageError(f"{shown} holds rows; expected rows of accepted classes there", "rename it")
    edited, lined = proposed_file.read(file)
    reader = _Reader(case, lined)
    if edited.use_case != case.name:
        reader.fault(("use_case",), f"expected {case.name}")
    accepted = [(place, each) for place, each in enumerate(edited.proposed) if each.accept]
    if not accepted:
        reader.fault((), "nobody has accepted any: no group has accept: yes")
    for place, each in accepted:
        reader.read(place, each)
    hint = f"correct {file}, then: tailtune labels {case.name} --from {file}"
    if reader.faults:
        raise DataError(reader.faults, hint)
    before = {each.id: each for each in read_corrections(kept, shown, f"tailtune check {case.name}")}
    fresh = [each for each in reader.rows.values() if says_more(each, before.get(each.id))]
    answers = case.task.with_classes(case.answers_file.read_text(encoding="utf-8"), reader.new)
    now = {**before, **{each.id: each for each in fresh}}
    return Accepted(list(now.values()), fresh, reader.new, len(edited.proposed) - len(accepted), answers)


class _Reader:
    """One per file: takes the accepted groups in, and notes what is wrong."""

    def __init__(self, case: UseCase, lined: LinedYaml) -> None:
        self._case, self._lined = case, lined
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        self.faults: list[Fault] = []
        self._spelt = {skeleton(label): label for label in case.answers.names}
        self.new: dict[str, str] = {}
        self.rows: dict[str, Correction] = {}

    def fault(self, loc: tuple[str | int, ...], what: str) -> None:
        """Note what is wrong at a place."""
        self.faults.append(self._lined.fault(loc, what))

    def read(self, place: int, group: AcceptedClass) -> None:
        """Take in an accepted group."""
        loc: tuple[str | int, ...] = ("proposed", place)
        name, who = clean(group.name)[0], clean(group.who)[0]
        if not name:
            self.fault((*loc, "name"), "expected what the class is to be called")
        if not who:
            self.fault((*loc, "who"), "expected the name of the person who has read the texts")
        if not group.texts:
            self.fault((*loc, "texts"), "expected at least one text")
        try:
            name = self._case.task.correction(name)  # one that there is, in whatever spelling
        except ValueError:
            known = self._spelt.setdefault(skeleton(name), name)
            if known != name:
                self.fault((*loc, "name"), f"{name} looks like {known}; expected that name, or one that is told apart")
            self.new[name] = self.new.get(name) or clean(group.description)[0]
        for number, text in enumerate(group.texts):
            self._row((*loc, "texts", number), text, name, who)

    def _row(self, loc: tuple[str | int, ...], text: str, name: str, who: str) -> None:
        made = self._case.task.prepare_row(RawRow(text, name, ""), clean(text)[0], ())
        if made.reason or not made.text:
            self.fault(loc, made.detail or "no text is left after cleaning")
            return
        id_ = hashlib.sha256(normal(made.text).encode()).hexdigest()[:16]
        other = self.rows.setdefault(id_, Correction(id_, made.text, name, who, self._now))
        if other.label != name:
            self.fault(loc, f"stands under {other.label} too; expected one class a text")


def too_few(case: UseCase, accepted: Accepted) -> list[str]:
    """Sentences about new classes that validation would stop the life for, because they have too few train rows.

    Limit: near-duplicates among them, which curation drops, are counted.
    """
    least = getattr(case.spec.validate_, "min_rows_per_class", 0)
    test_file = case.spec.data.test_file is not None
    train = Counter(
        each.label for each in accepted.kept if split_of(normal(each.text), case.spec.split, test_file) == "train"
    )
    return [
        f"{name}: {counted(train[name], 'train row')} of its texts; validate.min_rows_per_class is {least}"
        for name in accepted.new
        if train[name] < least
    ]


def declare(case: UseCase, accepted: Accepted) -> None:
    """Add the new classes to the file of allowed answers.

    Raises:
        UsageError: It would not be one with them, as where its labels stand in braces.
    """
    file = case.answers_file
    before = file.read_bytes()
    with store.written_whole(file) as made:
        made.write_text(accepted.answers, encoding="utf-8")
    try:
        declared = read_declaration(case.paths).answers.names
    except SpecError:
        declared = ()
    if not set(accepted.new) <= set(declared):
        file.write_bytes(before)
        raise UsageError(
            f"{case.task.files.answers}: new labels cannot be added at its end; expected a line per label, as "
            "`label: description`",
            f"add {', '.join(accepted.new)} there by hand, then run the same command again",
        )
