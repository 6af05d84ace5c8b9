"""Answers kept beside the output until all are there: a run that was cut off goes on after the last of them."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tailtune.core.errors import BusyError, TailTuneError, UsageError
from tailtune.core.locks import is_taken
from tailtune.core.money import Usd
from tailtune.core.private import private_file

_SYNC_S = 2.0
_ID = "id"


class KeptAnswer(NamedTuple):
    """One per answered row.

    Attributes:
        answer: The label, or the JSON object as text; None when there is no valid answer.
        confidence: Calibrated probability of the answer; None when the model has none.
        confidences: Of an object's fields, as JSON; None for labels.
        reasons: Why fields have no value, as JSON; None for labels.
        usd: Paid to an endpoint; None when not known, 0 for local work.
        problem: Why answering this row failed; empty when it did not.
        seen: What is logged of the answer besides, as JSON values (`log.py`); None where nothing is to be logged.
    """

    answer: str | None
    confidence: float | None
    confidences: str | None = None
    reasons: str | None = None
    usd: Usd | None = 0.0
    problem: str = ""
    seen: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        answer: str | None,
        confidence: float | None,
        columns: Mapping[str, Any],
        usd: Usd | None,
        seen: Mapping[str, Any] | None = None,
    ) -> KeptAnswer:
        """An answer; `columns` are those that a served model gives it."""
        return cls(answer, confidence, columns.get("confidences"), columns.get("reasons"), usd, seen=seen)


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """One per run: what runs over the same rows that were cut off have left.

    Attributes:
        usd: What the answers that they kept cost; None when that is not known of one of them.
        any: Whether there was such a run; it may have paid for answers that it could not keep here any more.
    """

    usd: Usd | None = 0.0
    any: bool = False


class KeptAnswers:
    """One per run; `KeptAnswers.opened` makes it.

    The file's first line says what is answered by what, and each further line is the answer of a row, in order.

    Attributes:
        id: Of the run, also after it was cut off; nobody else's.
        before: What is there of runs that were cut off.
        rows: Answers that are kept.
        usd: What they cost in all; None when that is not known of one of them.
    """

    def __init__(self, file: Path, descriptor: int, id_: str, rows: int, before: EarlierRuns, begin: int) -> None:
        self.file, self.id, self.rows, self.usd, self.before = file, id_, rows, before.usd, before
        self._descriptor, self._begin, self._synced = descriptor, begin, time.monotonic()

    @classmethod
    @contextmanager
    def opened(cls, file: Path, about: Mapping[str, Any], only: Mapping[str, str]) -> Iterator[KeptAnswers]:
        """Open the answers of a run that was cut off, or begin new ones. What was torn by the cut is removed.

        Args:
            file: Where they are kept.
            about: What is answered by what.
            only: Key of `about` → what to run to go on where it differs; without one, only beginning again helps.

        Raises:
            UsageError: They are of other rows, or by something else.
            BusyError: Another process writes them.
            TailTuneError: The file cannot be written, or is something else.
        """
        try:
            private_file(file)
            descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise _unwritable(file, error) from error
        try:
            if is_taken(descriptor):
                raise BusyError(f"{file}: another process is answering these rows", "wait until it has ended")
            yield cls(file, descriptor, *_taken_up(file, descriptor, about, only))
        finally:
            os.close(descriptor)

    def append(self, answers: Sequence[KeptAnswer]) -> None:
        """Keep answers. They survive the end of this process at once, and that of the machine after seconds.

        Raises:
            TailTuneError: They cannot be written; those before are kept.
        """
        lines = "".join(json.dumps(answer, separators=(",", ":")) + "\n" for answer in answers)
        try:
            _write(self._descriptor, lines.encode("ascii"))
            if time.monotonic() - self._synced > _SYNC_S:
                os.fsync(self._descriptor)
                self._synced = time.monotonic()
        except OSError as error:
            raise _unwritable(self.file, error) from error
        self.rows += len(answers)
        self.usd = total(self.usd, answers)

    def read(self) -> Iterator[KeptAnswer]:
        """All of them, in order."""
        with self.file.open("rb") as lines:
            lines.seek(self._begin)
            for line in lines:
                yield KeptAnswer(*json.loads(line))

    def remove(self) -> None:
        """The output is written: nothing need be kept."""
        self.file.unlink(missing_ok=True)


def total(usd: Usd | None, answers: Sequence[KeptAnswer]) -> Usd | None:
    """A sum with what answers cost; None when something of it is not known."""
    costs = [answer.usd for answer in answers]
    return None if usd is None or None in costs else usd + sum(cost for cost in costs if cost)


def _taken_up(
    file: Path, descriptor: int, about: Mapping[str, Any], only: Mapping[str, str]
) -> tuple[str, int, EarlierRuns, int]:
    """The run's id, how many answers a file holds, of whom, where they begin; the first line is written."""
    with file.open("rb") as lines:
        first = lines.readline()
        if not first.endswith(b"\n"):  # new, or cut off before the first line was whole
            os.ftruncate(descriptor, 0)
            run = {**about, _ID: secrets.token_hex(12)}
            first = json.dumps(run).encode("ascii") + b"\n"
            _write(descriptor, first)
            return run[_ID], 0, EarlierRuns(), len(first)
        id_ = str(_same(file, first, about, only).get(_ID, ""))
        rows, usd, end = 0, 0.0, len(first)
        answers: Usd | None = usd
        for line in lines:
            try:
                answer = KeptAnswer(*json.loads(line))
            except (ValueError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            rows, answers, end = rows + 1, total(answers, [answer]), end + len(line)
    os.ftruncate(descriptor, end)
    return id_, rows, EarlierRuns(answers, any=True), len(first)


def _same(file: Path, first: bytes, about: Mapping[str, Any], only: Mapping[str, str]) -> Mapping[str, Any]:
    """What the first line of a file says.

    Raises:
        UsageError: It is about something else.
    """
    again = f"remove {file} to begin again"
    try:
        before = dict(json.loads(first))
        differences = [name for name in about if before.get(name) != about[name]]
    except (ValueError, TypeError):
        raise UsageError(f"{file}: not answers that tailtune predict kept", "name another file with --out") from None
    if not differences:
        return before
    words = "; ".join(f"{name.replace('_', ' ')}: {before.get(name)} then, {about[name]} now" for name in differences)
    ways = [only[name].format(before.get(name)) for name in differences if name in only]
    hint = f"{' '.join(ways)} goes on with it; or {again}" if len(ways) == len(differences) else again
    raise UsageError(f"{file}: an unfinished run with something else ({words})", hint)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _unwritable(file: Path, error: OSError) -> TailTuneError:
    return TailTuneError(
        f"{file}: cannot be written: {error.strerror or error}",
        "make room or the folder writable; the same command then goes on from here",
    )
