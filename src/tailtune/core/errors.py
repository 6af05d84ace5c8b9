"""One exception tree. Every error says where, what, what was expected and the next command; only `cli` exits."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tailtune.core.printable import printable, shortened
from tailtune.core.secrets import without_passwords

_MOST_FAULTS, _LONGEST_FAULT = 50, 2_000


class TailTuneError(Exception):
    """Base of every error a user can act on.

    Args:
        message: What went wrong, with place and expectation.
        hint: The next command to run or thing to do; shown on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = printable(without_passwords(message))
        self.hint = None if hint is None else printable(without_passwords(hint))
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nNext:  {self.hint}"


def of_system(error: OSError) -> TailTuneError:
    """A file that could not be read or written, as an error a person can act on."""
    where = error.filename if error.filename is not None else "the system"
    if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT):  # a library's write, which names no file
        where = f"the disk of this folder or of TMPDIR ({os.environ.get('TMPDIR') or '/tmp'})"  # noqa: S108
    return TailTuneError(
        f"{where}: {error.strerror or error}", "mend the path, its permissions or the disk, then run again"
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """One per thing that is wrong in a file a user wrote."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}  {self.what}"


class FaultsError(TailTuneError):
    """Several faults, all shown at once: the first 50 in words, the others as a number."""

    def __init__(self, faults: Iterable[Fault], hint: str | None = None) -> None:
        self.faults = tuple(faults)
        lines = [shortened(str(fault), _LONGEST_FAULT) for fault in self.faults[:_MOST_FAULTS]]
        more = len(self.faults) - len(lines)
        super().__init__("\n".join([*lines, *([f"and {more:,} more faults"] if more else [])]), hint)


class SpecError(FaultsError):
    """A model.yaml, labels.yaml or prices.yaml that does not say what it must."""


class DataError(FaultsError):
    """Rows that cannot be read, or not as the spec says."""


class UsageError(TailTuneError):
    """A command that cannot be carried out as given."""

    exit_code = 2


class GateError(TailTuneError):
    """A gate said no; nothing downstream runs.

    Args:
        report: The stage's report, written and tracked before the error goes on, so that the refusal leaves evidence.
    """

    exit_code = 3

    def __init__(self, message: str, hint: str | None = None, report: object | None = None) -> None:
        super().__init__(message, hint)
        self.report = report


class TooLargeError(TailTuneError):
    """Something would take more memory than a run may; the ladder names the rung as unmeasured and goes on."""


class OutOfBoundsError(TailTuneError):
    """A prompt's template makes, or takes, more than any prompt needs; what fills it says where."""


class MissingInputError(TailTuneError):
    """A stage was called before the stage that writes what it reads."""


class UndeclaredInputError(TailTuneError):
    """A stage reads a file that the table of stages does not name: a mistake in TailTune itself."""


class StaleLadderError(GateError):
    """Training was asked for without a ladder result for exactly these data and this spec."""


class BusyError(TailTuneError):
    """Another process works on the same use case or checkout."""


class ServiceError(TailTuneError):
    """A server or library at the rim failed: MLflow, DVC, a remote. Trying again later may end otherwise."""

    exit_code = 4


class EndpointError(ServiceError):
    """A language model's endpoint does not answer, refuses the key, or knows no such model."""


class UndeclaredEndpointError(TailTuneError):
    """A stored version would send texts or a key to an address that is not declared on this side."""


class BudgetReachedError(TailTuneError):
    """The spending limit was reached; everything answered until then is kept.

    Args:
        replies: Place of the request → its reply (core/language.py).
    """

    exit_code = 3

    def __init__(self, message: str, hint: str, replies: Mapping[int, Any]) -> None:
        super().__init__(message, hint)
        self.replies = dict(replies)


class PartlyAnsweredError(BudgetReachedError):
    """The spending limit was reached while a prompted rung answered.

    Args:
        answers: Place of the text → what was answered (predictors/prompted/rung.py).
    """

    def __init__(self, message: str, hint: str, answers: Mapping[int, Any]) -> None:
        super().__init__(message, hint, {place: answer.reply for place, answer in answers.items()})
        self.answers = dict(answers)


class TimeReachedError(TailTuneError):
    """Models on this machine took as many minutes as they may; what was answered until then counts."""


class ContextTooLongError(TailTuneError):
    """A prompt is longer than the language model can take.

    Args:
        place: Of the request.
    """

    def __init__(self, message: str, hint: str, place: int = 0) -> None:
        super().__init__(message, hint)
        self.place = place


class TrainingError(TailTuneError):
    """Training could not go on: a loss that is not a number, no disk space, a checkpoint of other data."""


class StageFailedError(TailTuneError):
    """A stage that ran as its own process ended badly; it has printed its own error already.

    Args:
        target: The stage and use case, `stage@use-case`.
        exit_code: What the stage's process ended with; 128 + n when signal n ended it.
        why: What it has printed, where that is known here.
    """

    def __init__(self, target: str, exit_code: int, why: str = "") -> None:
        stage, _, use_case = target.partition("@")
        super().__init__(f"{target} ended with exit code {exit_code}", f"tailtune {stage} {use_case}")
        self.target = target
        self.exit_code = exit_code
        self.why = printable(without_passwords(why))

    def __reduce__(self) -> tuple[type[StageFailedError], tuple[str, int, str]]:
        """Copies go through pickle in Prefect."""
        return type(self), (self.target, self.exit_code, self.why)


class RefusedError(TailTuneError):
    """A request to a server that is not answered, with what the client has to know.

    Attributes:
        status: HTTP status.
        code: One word for programs.
        retry_s: When to try again, seconds; None where that helps nothing.
        headers: Besides.
    """

    def __init__(
        self, status: int, code: str, message: str, retry_s: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_s = status, code, retry_s
        self.headers = headers or {}


class FullError(TailTuneError):
    """So much waits already that a request would not be answered in time.

    Attributes:
        retry_s: Whole seconds after which it is worth trying again.
    """

    def __init__(self, retry_s: int) -> None:
        super().__init__(f"too much waits; try again in {retry_s} s")
        self.retry_s = retry_s


class LateError(TailTuneError):
    """The deadline of a request has passed while it waited."""

    def __init__(self) -> None:
        super().__init__("no answer in time")


class ClientLeftError(TailTuneError):
    """The client has closed the connection; nothing went wrong."""

    def __init__(self) -> None:
        super().__init__("the client has left")


class SpentError(TailTuneError):
    """The day's limit of money is reached; nothing was sent."""

    def __init__(self) -> None:
        super().__init__("the day's money is spent")


class UpstreamError(ServiceError):
    """The endpoint that requests are passed through to does not answer.

    Attributes:
        late: Whether it took too long.
    """

    def __init__(self, why: str, late: bool = False) -> None:
        super().__init__(why)
        self.late = late
