"""Rows that people labelled for an audit: kept as fresh test rows, and how curation uses them.

They were drawn at random from what the model was asked, so they say how often it is right: they go to test, never to
train or dev. A text that stands among the other rows already, exactly or nearly, stays where it is, and the audited row
is left out of the splits: it still counts in its audit. What was feedback before it was audited stays feedback, since a
version may have learnt it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tailtune.core.errors import UsageError
from tailtune.lifecycle.corrections import labelled_rows, says_more
from tailtune.services.corrections import Correction, read_corrections
from tailtune.services.near_duplicates import NearDuplicates, normal
from tailtune.services.sources import RawRow
from tailtune.tasks.use_case import UseCase


def audited_rows(case: UseCase, file: Path) -> list[RawRow]:
    """The audited rows beside a use case's rows, as rows of a file, in the order in which they were first labelled.

    Raises:
        DataError: A line that is none, or a label that the use case does not allow; all at once.
    """
    hint = f"tailtune audit {case.name} --from FILE, with new labels of these rows"
    return labelled_rows(case, file, hint)


@dataclass(frozen=True)
class Received:
    """One per intake.

    Attributes:
        kept: All audited rows from now on.
        fresh: Those among them that are new or have a new label.
        feedback: Rows that are left out, because feedback has (nearly) their text already.
    """

    kept: Sequence[Correction]
    fresh: Sequence[Correction]
    feedback: int


def receive(case: UseCase, labelled: Sequence[Correction]) -> Received:
    """Take in labelled rows of an audit; a row that was audited before gets its new label.

    Raises:
        UsageError: The use case's own rows stand in the file that audited rows are kept in.
        DataError: What was kept before cannot be read.
    """
    file, shown = case.paths.audits, case.paths.project.shown
    if file.name in (case.spec.data.file, case.spec.data.test_file):
        raise UsageError(f"{shown(file)} holds rows; expected audited rows there", "rename it")
    hint = f"tailtune check {case.name}"
    before = {each.id: each for each in read_corrections(file, shown(file), hint)}
    sent = read_corrections(case.paths.feedback, shown(case.paths.feedback), hint)
    near = _near(case, sent, labelled)
    new = [each for each, is_near in zip(labelled, near, strict=True) if each.id in before or not is_near]
    fresh = [each for each in new if says_more(each, before.get(each.id))]
    now = {**before, **{each.id: each for each in fresh}}
    return Received(list(now.values()), fresh, len(labelled) - len(new))


def _near(case: UseCase, sent: Sequence[Correction], labelled: Sequence[Correction]) -> list[bool]:
    """Whether feedback has (nearly) the text of each row."""
    texts = [each.text for each in (*sent, *labelled)]
    index = NearDuplicates(texts, case.spec.curate.near_duplicate_similarity)
    for place in range(len(sent)):
        index.enter(place)
    forms = {normal(each.text) for each in sent}
    places = range(len(sent), len(texts))
    return [normal(texts[place]) in forms or bool(index.of(place)) for place in places]
