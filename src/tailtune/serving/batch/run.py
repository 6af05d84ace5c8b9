"""A run over a file: read through, answered block by block, written."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tailtune.core.digests import file_digest
from tailtune.core.errors import DataError, Fault, UsageError
from tailtune.core.money import Usd
from tailtune.core.progress import Progress
from tailtune.services import store
from tailtune.serving.batch.answering import Blocks
from tailtune.serving.batch.kept import EarlierRuns, KeptAnswer, KeptAnswers
from tailtune.serving.batch.log import BatchLog
from tailtune.serving.batch.output import Output
from tailtune.serving.batch.source import Source, Survey, blocks, suffix_of

Answering = Callable[[Blocks, EarlierRuns], Generator[list[KeptAnswer]]]
"""Given blocks of texts, and what earlier runs left: the answers of each block, in order."""


@dataclass(frozen=True)
class BatchRequest:
    """One per run.

    Attributes:
        source: The input.
        out: The file to write.
        text_column: Holds what is answered.
        task: `classification` or `extraction`.
        answered_by: What the answers depend on beside the text, for people: key → value.
        go_on: Key of that → what to add to the command to go on with another value (`--version {}`).
        prefix: Before the names of the added columns.
        spreadsheet: Whether CSV is for a spreadsheet.
    """

    source: Path
    out: Path
    text_column: str
    task: str
    answered_by: Mapping[str, Any]
    go_on: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    spreadsheet: bool = False

    @property
    def unfinished(self) -> Path:
        """Where answers are kept until all are there."""
        return self.out.with_name(f"{self.out.name}.unfinished")

    @property
    def dropped(self) -> Path:
        """Where rows that cannot be read are listed."""
        return self.out.with_name(f"{self.out.name}.dropped.jsonl")


@dataclass
class Summary:
    """One per finished run. `rows = answered + invalid`; with `unreadable` it is the rows of the file.

    Attributes:
        rows: That can be read.
        answered: That have a valid answer.
        invalid: That have none.
        unreadable: That cannot be read.
        before: Answers that an earlier run had kept.
        answering_s: What this run took to answer the others.
        usd: Paid to an endpoint in all; None when not known.
        problems: Rows that could not be answered because something failed.
        problem: What failed first.
        unread: The first row that cannot be read, with its reason.
        logged: Rows in the prediction log; None where they were not to be logged.
    """

    rows: int
    unreadable: int
    answered: int = 0
    invalid: int = 0
    before: int = 0
    answering_s: float = 0.0
    usd: Usd | None = 0.0
    problems: int = 0
    problem: str = ""
    unread: str = ""
    logged: int | None = None

    @property
    def first(self) -> str:
        """Why the first row without an answer has none; empty where all have one."""
        return self.unread or self.problem

    @property
    def rows_per_s(self) -> float | None:
        """Rows that this run answered in a second; None when it answered none."""
        fresh = self.rows - self.before
        return fresh / self.answering_s if fresh and self.answering_s else None

    def count(self, answers: Iterator[KeptAnswer]) -> Iterator[KeptAnswer]:
        """Pass answers on, and count them."""
        for answer in answers:
            self.answered += answer.answer is not None
            self.invalid += answer.answer is None
            if answer.problem:
                self.problems += 1
                self.problem = self.problem or f"row {self.answered + self.invalid:,}: {answer.problem}"
            yield answer


def predict_file(
    request: BatchRequest, answering: Answering, progress: Progress, log: BatchLog | None = None
) -> Summary:
    """Answer the texts of a file, and write its rows with their answers.

    Args:
        request: What to answer.
        answering: Who answers.
        progress: Is shown how far it is.
        log: Takes the answers into the prediction log, before they are written; None logs none.

    Raises:
        DataError: The input cannot be read, or has changed meanwhile.
        UsageError: The output is there already, a column is called like one that is added, or an unfinished run was
            of other rows or by another version.
        TailTuneError: Nothing can be written, or whoever answers has ended.
    """
    kind = suffix_of(request.out, "--out")
    source = Source(request.source, request.text_column)
    if request.out.exists():
        raise UsageError(f"{request.out} is there already", "name another file with --out, or remove it")
    survey = _surveyed(request, source, progress)
    output = Output(source, survey.columns, request.task, request.prefix, request.spreadsheet)
    summary = Summary(survey.rows, survey.unreadable, unread=survey.first)
    progress.at(0, 0, f"{request.source.name}: checking whether these rows were begun before")
    about = {
        **request.answered_by,
        "text_column": request.text_column,
        "input": file_digest(request.source),
        "rows": survey.rows,
        **({} if log is None else {"prediction_log": "yes"}),  # what it needs is kept with each answer
    }
    with KeptAnswers.opened(request.unfinished, about, request.go_on) as kept:
        _answer(source, kept, summary, answering, progress)
        if log is not None:
            progress.at(survey.rows, survey.rows, "into the prediction log")
            summary.logged = log.write(source, kept)
        progress.at(survey.rows, survey.rows, f"writing {request.out.name}")
        with store.written_whole(request.out) as part:
            part.touch(request.source.stat().st_mode & 0o777)  # whoever may read the input may read this
            try:
                output.write(part, kind, summary.count(kept.read()))
            except ValueError as error:
                fault = Fault(str(request.source), f"has changed while it was answered ({error})")
                raise DataError([fault], f"remove {request.unfinished}, then run the same command again") from error
        summary.usd = kept.usd
        kept.remove()
        if log is not None:
            log.forget(kept)
    return summary


def _surveyed(request: BatchRequest, source: Source, progress: Progress) -> Survey:
    """Read the input through, and list the rows that cannot be read."""
    survey = Survey(0, 0, {})
    with (
        store.written_whole(request.dropped) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace") as out,
    ):
        for survey in source.survey(source.faults(out)):
            progress.at(0, 0, f"{request.source.name}: {survey.rows:,} rows read")
    if not survey.unreadable:
        request.dropped.unlink()
    return survey


def _answer(source: Source, kept: KeptAnswers, summary: Summary, answering: Answering, progress: Progress) -> None:
    """Answer the rows that have no answer yet."""
    summary.before = kept.rows
    if kept.rows:
        progress.say(f"{kept.rows:,} of {summary.rows:,} rows were answered before; going on with the others")
    if kept.rows == summary.rows:
        return
    began = time.perf_counter()
    texts = blocks(islice(source.rows(only_text=True), kept.rows, None))
    with closing(answering(texts, kept.before)) as answered:
        for answers in answered:
            kept.append(answers)
            summary.answering_s = time.perf_counter() - began
            rate = (kept.rows - summary.before) / summary.answering_s
            progress.at(kept.rows, summary.rows, f"{kept.rows:,} of {summary.rows:,} rows, {rate:,.0f} rows/s")
