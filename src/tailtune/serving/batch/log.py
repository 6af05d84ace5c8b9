"""A batch in the prediction log: each answered row once, however often the run was cut off."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tailtune.config.model import Pii
from tailtune.config.serving import LogSpec
from tailtune.core.days import DAY_US, day_of
from tailtune.core.errors import BusyError
from tailtune.predictors.prepare import prepared
from tailtune.services.prediction_log import kept_slices, kept_text
from tailtune.services.prediction_log.lines import Batch, encode, prediction
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.serving.batch.kept import KeptAnswer, KeptAnswers
from tailtune.serving.batch.seen import logged
from tailtune.serving.batch.source import BLOCK_ROWS, Source, SourceRow

_CLIENT = "tailtune predict"


@dataclass(frozen=True)
class BatchLog:
    """One per run whose rows are logged.

    Rows go straight into the store, in its transactions a note how many they are; a server's spool is for those who
    cannot wait.

    Attributes:
        url: The store's address.
        use_case: Whose rows.
        version: Who answers.
        scrub_pii: Kinds of personal data that are taken out of a text.
        slices: Columns that the monitor looks at apart.
        spec: What is kept, and for how long.
    """

    url: str
    use_case: str
    version: str
    scrub_pii: tuple[Pii, ...]
    slices: tuple[str, ...]
    spec: LogSpec

    def write(self, source: Source, kept: KeptAnswers) -> int:
        """Store all answered rows that are not stored yet. Rows whose answering failed have no answer to log.

        Returns:
            How many rows of the run are stored.

        Raises:
            ServiceError: The store does not answer; called again, it goes on.
            BusyError: Somebody else logs the same rows.
        """
        log, rows = PredictionLog(self.url), 0
        try:
            at = log.moved_bytes(_segment(kept))
            both = enumerate(zip(source.rows(), kept.read(), strict=True))
            rows = sum(not answer.problem for _, (_, answer) in islice(both, at))
            while block := list(islice(both, BLOCK_ROWS)):
                batch, end = self._batch(kept, block), at + len(block)
                if not log.take(_segment(kept), at, end, batch, day_of(_now_us())):
                    raise BusyError(f"{kept.file}: another process logs these rows", "wait until it has ended")
                rows, at = rows + len(batch.predictions), end
            log.delete_before(self.use_case, _now_us() - self.spec.keep_days * DAY_US)
            return rows
        finally:
            log.close()

    def forget(self, kept: KeptAnswers) -> None:
        """The run has ended: how many of its rows are stored need not be known any more."""
        log = PredictionLog(self.url)
        try:
            log.forget(_segment(kept))
        finally:
            log.close()

    def _batch(self, kept: KeptAnswers, block: list[tuple[int, tuple[SourceRow, KeptAnswer]]]) -> Batch:
        batch = Batch()
        for number, (row, answer) in block:
            if not answer.problem:
                batch.add(encode(1, [self._record(kept, number, row, answer)]))
        return batch

    def _record(self, kept: KeptAnswers, number: int, row: SourceRow, answer: KeptAnswer) -> dict[str, Any]:
        text, text_hash = kept_text(prepared(row.text, self.scrub_pii), self.spec.text)
        return prediction(
            logged(
                answer,
                self.spec.embeddings,
                use_case=self.use_case,
                version=self.version,
                request_id=kept.id,
                row=number,
                client=_CLIENT,
                text=text,
                text_hash=text_hash,
                slices=kept_slices(row.values, self.slices),
            )
        )


def _segment(kept: KeptAnswers) -> str:
    return f"predict-{kept.id}"


def _now_us() -> int:
    return time.time_ns() // 1000
