"""Right answers that people gave after the model had answered: how they come in, and how curation uses them.

Rows are picked for feedback because somebody was not content, so they say nothing about how often the model is right:
they go to train, never to dev or test. The same text in dev or test stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from tailtune.core.days import time_fault
from tailtune.core.errors import UsageError
from tailtune.core.records import Review
from tailtune.lifecycle.corrections import CORRECTED, says_more, with_labels
from tailtune.predictors.prepare.clean import clean
from tailtune.services import sources
from tailtune.services.corrections import Correction, read_corrections
from tailtune.services.near_duplicates import normal
from tailtune.services.prediction_log import ReceivedFeedback
from tailtune.services.sources import RawRow
from tailtune.tasks.base import PreparedRow, Task
from tailtune.tasks.use_case import UseCase

_NEEDED, _OPTIONAL = ("label", "who"), ("request_id", "row", "text", "at")
Texts = Callable[[str], Mapping[int, str | None]]
"""Request id → the texts of its rows, by place; None where the log keeps no text, empty for an unknown request."""


@dataclass(frozen=True)
class Feedback:
    """One per curation: the texts that people labelled after the model had answered them.

    Attributes:
        rows: As rows of a file, in the order in which their texts first came.
        by_form: Normal form of a text → the row, and when its label was given.
        task: Of the use case; None where there is no feedback.
    """

    rows: Sequence[RawRow] = ()
    by_form: Mapping[str, tuple[RawRow, str]] = field(default_factory=dict)
    task: Task | None = None

    @classmethod
    def of(cls, case: UseCase, file: Path) -> Feedback:
        """The feedback beside a use case's rows.

        Args:
            case: The use case.
            file: Where it is kept; it may be missing.

        Raises:
            DataError: A line that is none, or a label that the use case does not allow; all at once.
        """
        hint = f"tailtune feedback {case.name} --from FILE, with new labels of these texts"
        rows = {
            normal(sent.text): (RawRow(sent.text, label, f"{file.name}:{sent.line}"), sent.at)
            for sent, label in with_labels(case, file, case.task.raw_label, hint)
        }
        return cls([row for row, _ in rows.values()], rows, case.task)

    def apply(
        self, form: str, given: RawRow, made: PreparedRow, review: Review, corrected_at: str
    ) -> tuple[PreparedRow, Review]:
        """A train row with the label that feedback on its text gave, and what a person made of the file's label.

        Args:
            form: Normal form of its text.
            given: As it stands in the file.
            made: As curation writes it, corrected already where a person corrected it.
            review: What that person made of it.
            corrected_at: When; empty where nobody has looked at it.
        """
        sent, _ = self.by_form.get(form, (None, ""))
        if sent is None or self.task is None or (review and self.is_older(form, corrected_at)):
            return made, review
        cleaned, changes = clean(given.text)
        relabelled = self.task.prepare_row(replace(given, label=sent.label), cleaned, changes)
        if relabelled.reason:
            return made, review
        if relabelled.label == made.label:
            return made, review or "confirmed"
        return replace(relabelled, changes=(*relabelled.changes, CORRECTED)), "corrected"

    def is_older(self, form: str, corrected_at: str) -> bool:
        """Whether a person corrected the label of a text after feedback on it had come: the later word counts.

        Args:
            form: Normal form of the text.
            corrected_at: When; empty where nobody has looked at it.
        """
        _, at = self.by_form.get(form, (None, ""))
        return moment(corrected_at) > moment(at)


NO_FEEDBACK = Feedback()


def moment(at: str) -> datetime:
    """When an ISO 8601 stamp was; long ago for one that is none."""
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def receive(
    case: UseCase,
    file: Path,
    shown: str,
    texts: Texts,
    before: Sequence[Correction] | None = None,
    stamp: str | None = None,
) -> tuple[list[Correction], list[Correction]]:
    """Read a file of right answers: request id (and row) or text, label, who, and when if that is known.

    Args:
        case: The use case.
        file: CSV, JSONL or Parquet with the columns label and who, and request_id or text; row and at may be there.
        shown: How faults name it.
        texts: Looks up the texts of a request in the prediction log.
        before: What is kept already; what stands beside the use case's rows when None.
        stamp: When right answers were given that do not say it, ISO 8601; now when None.

    Returns:
        All feedback of the use case from now on, and what of it is new or says something new.

    Raises:
        UsageError: The use case's own rows stand in the file that feedback is kept in.
        DataError: No such request or label, no text, nobody named; all of it at once, with lines.
    """
    reader = _Reader(case, texts, before, stamp)
    lines, faults = sources.records(
        file, _NEEDED, _OPTIONAL, shown, f"correct the file, then: tailtune feedback {case.name} --from {shown}"
    )
    for line, values in lines:
        words = {name: sources.as_written(value) for name, value in values.items()}
        try:
            place = int(words["row"].removesuffix(".0") or 0)  # data frames write 1.0 where other rows have none
        except ValueError:
            faults.add(line, f"`row` is {words['row']}; expected the place of the text in its request, from 0")
            continue
        try:
            reader.read(words["request_id"], place, words["text"], words["label"], words["who"], words["at"])
        except ValueError as error:
            faults.add(line, str(error))
    faults.raise_any()
    return reader.result()


def receive_sent(
    case: UseCase, sent: Sequence[ReceivedFeedback], texts: Texts, before: Sequence[Correction] | None = None
) -> tuple[list[Correction], list[Correction], dict[int, str]]:
    """Read what people sent to the server, on top of what is kept; that beside the use case's rows when None.

    Of two about a text that of the higher number counts, whatever the server's clock dated them.

    Returns:
        All feedback from now on, what of it is new, and number of a right answer → why it cannot be used.

    Raises:
        UsageError: The use case's own rows stand in the file that feedback is kept in.
    """
    reader, refused = _Reader(case, texts, before), dict[int, str]()
    for each in sent:
        at = datetime.fromtimestamp(each.at_us / 1e6, UTC).isoformat(timespec="seconds")
        try:
            reader.read(each.request_id or "", each.row, each.text or "", each.label, each.who, at, in_order=True)
        except ValueError as error:
            refused[each.id] = str(error)
    return *reader.result(), refused


def right_answer(
    task: Task, find_text: Callable[[], str], label: str, who: str, at: str
) -> tuple[Correction, PreparedRow]:
    """What a person says about a text, as it is kept, and the row that curation makes of it.

    Args:
        task: Of the use case.
        find_text: Gives the text; called once the label is known to be one.
        label: As the person wrote it.
        who: The person.
        at: When, ISO 8601.

    Raises:
        ValueError: Why it cannot be used, in words.
    """
    if not who:
        raise ValueError("`who` is empty; expected the name of the person who knows the right answer")
    if fault := time_fault(at):
        raise ValueError(f"`at` {fault}")
    raw = task.raw_label(label)
    text = find_text()
    made = task.prepare_row(RawRow(text, raw, ""), clean(text)[0], ())
    if made.reason:
        raise ValueError(f"{made.reason.replace('_', ' ')}: {made.detail}")
    if not made.text:
        raise ValueError("no text is left after cleaning")
    id_ = hashlib.sha256(normal(made.text).encode()).hexdigest()[:16]
    spelt = str(made.label) if isinstance(made.label, str) else label
    return Correction(id_, made.text, spelt, who, at), made


class _Reader:
    """One per intake: finds the text that each right answer is about; a text's latest answer counts.

    Raises:
        UsageError: The use case's own rows stand in the file that feedback is kept in.
        DataError: What was kept before cannot be read.
    """

    def __init__(
        self, case: UseCase, texts: Texts, before: Sequence[Correction] | None = None, stamp: str | None = None
    ) -> None:
        kept, self._case, self._texts = case.paths.feedback, case, texts
        shown = case.paths.project.shown(kept)
        if kept.name in (case.spec.data.file, case.spec.data.test_file):
            raise UsageError(f"{shown} holds rows; expected feedback there", "rename it")
        if before is None:
            before = read_corrections(kept, shown, f"tailtune check {case.name}")
        self._before = {each.id: each for each in before}
        self._now = dict(self._before)
        self._stamp, self._today = stamp, datetime.now(UTC).isoformat(timespec="seconds")

    def read(self, request_id: str, row: int, text: str, label: str, who: str, at: str, in_order: bool = False) -> None:
        """Take in a right answer; of two that come in the order in which they were given, the second counts.

        Raises:
            ValueError: Why it cannot be used, in words.
        """
        is_dated = bool(at) or self._stamp is not None
        find_text: Callable[[], str] = (lambda: text) if text else (lambda: self._logged(request_id, row))
        answer, _ = right_answer(self._case.task, find_text, label, who, at or self._stamp or self._today)
        before = self._now.get(answer.id)
        # Without a date it comes now, also where a clock that was wrong has dated the one before into the future.
        is_next = in_order and before is not self._before.get(answer.id)
        if before is None or not is_dated or is_next or moment(before.at) <= moment(answer.at):
            self._now[answer.id] = answer

    def _logged(self, request_id: str, row: int) -> str:
        if not request_id:
            raise ValueError("neither request_id nor text; expected one of them, to know what the answer is about")
        rows, log = self._texts(request_id), self._case.spec.serve.log
        if not rows:
            raise ValueError(
                f"the prediction log has no request {request_id}; rows are deleted after {log.keep_days} days "
                "(serve.log.keep_days); expected the text itself"
            )
        if row not in rows:
            raise ValueError(f"request {request_id} has no row {row}; expected one of {', '.join(map(str, rows))}")
        text = rows[row]
        if text is None:
            raise ValueError(
                f"request {request_id}: its text was not kept (serve.log.text is {log.text}), and a hash cannot be "
                "turned back; expected the text itself"
            )
        return text

    def result(self) -> tuple[list[Correction], list[Correction]]:
        """All feedback, and what of it is new or says something new."""
        fresh = [each for id_, each in self._now.items() if says_more(each, self._before.get(id_))]
        return list(self._now.values()), fresh
