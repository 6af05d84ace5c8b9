"""The store of the prediction log: SQLite or PostgreSQL by URL, read in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from tailtune.core.days import DAY_US, day_of
from tailtune.core.logged import DayCount, LogCounts, ShadowCount
from tailtune.services.database import Room, RoomStore, insert_or_update
from tailtune.services.prediction_log.lines import Batch
from tailtune.services.prediction_log.records import ReceivedFeedback
from tailtune.services.prediction_log.tables import FEEDBACK, MIGRATIONS, PREDICTION, SEGMENT, TALLY

ROOM = Room("the prediction log", "log_version", MIGRATIONS, "what servers answer meanwhile waits in the spool")
_JSON = {"likeliest": list, "metadata": dict, "slices": dict}
COLUMNS: tuple[str, ...] = tuple(column.name for column in PREDICTION.columns if column.name != "id")
"""Fields of a logged prediction, by which the monitor picks what it reads."""


class PredictionLog(RoomStore):
    """One per process and store.

    Args:
        url: As SQLAlchemy writes it: `sqlite:////folder/file`, `postgresql://user@host/name`.

    Raises:
        UsageError: No such kind of database, its driver is not installed, or a newer program made its tables.
        ServiceError: It does not answer.
    """

    room = ROOM

    # What the writer needs.

    def moved_bytes(self, segment: str) -> int:
        """How much of a segment is in the store; 0 for one that is not known."""
        with self._database.reading() as connection:
            query = select(SEGMENT.c.moved_bytes).where(SEGMENT.c.name == segment)
            return int(connection.scalar(query) or 0)

    def take(self, segment: str, start: int, end: int, batch: Batch, today: int) -> bool:
        """Store what the bytes `start` to `end` of a segment hold, together with the note that they are stored.

        Args:
            segment: Name of the segment.
            start: Where the bytes begin.
            end: Where they end.
            batch: What they hold.
            today: Day under which torn lines are counted: they do not say when they were written.

        Returns:
            Whether they were stored; False where another writer has moved the segment meanwhile.
        """
        with self._database.writing() as connection:
            known = select(SEGMENT.c.moved_bytes).where(SEGMENT.c.name == segment).with_for_update()
            moved = connection.scalar(known)
            if (moved or 0) != start:
                return False
            if moved is None:
                connection.execute(insert(SEGMENT).values(name=segment, moved_bytes=end))
            else:
                connection.execute(update(SEGMENT).where(SEGMENT.c.name == segment).values(moved_bytes=end))
            if batch.predictions:
                connection.execute(insert(PREDICTION), batch.predictions)
            if batch.feedback:
                connection.execute(insert(FEEDBACK), batch.feedback)
            _count(connection, batch, today)
        return True

    def forget(self, segment: str) -> None:
        """A segment's file is gone: so may be the note about it."""
        with self._database.writing() as connection:
            connection.execute(delete(SEGMENT).where(SEGMENT.c.name == segment))

    # What readers need.

    def rows(
        self,
        use_case: str,
        *,
        since_us: int = 0,
        until_us: int = 2**62,
        columns: Sequence[str] = COLUMNS,
        version: str | None = None,
        route: str | None = None,
        every: int = 1,
        batch_rows: int = 1000,
    ) -> Iterator[dict[str, Any]]:
        """The logged rows of a use case, oldest first, a batch in memory at a time.

        Each batch is a query of its own, so that a long reader holds up no writer; rows that are stored meanwhile
        with a time already passed are not seen.

        Args:
            use_case: Whose.
            since_us: From this moment on, microseconds since 1970 (UTC).
            until_us: Before this one.
            columns: Names of `COLUMNS`.
            version: Only rows of this version.
            route: Only rows of this route.
            every: Only about one row in so many, chosen by a hash of its number, so that no order of rows matters and
                the same are chosen again; 1 is all.
            batch_rows: Rows in memory.

        Yields:
            Column → value; `likeliest`, `metadata` and `slices` as lists and dicts, `embedding` as bytes.
        """
        own = [PREDICTION.c.use_case == use_case, PREDICTION.c.at_us < until_us]
        own += [] if version is None else [PREDICTION.c.version == version]
        own += [] if route is None else [PREDICTION.c.route == route]
        own += [] if every == 1 else [_lot() % every == 0]
        picked = [PREDICTION.c[name] for name in columns]
        query = select(*picked, PREDICTION.c.at_us.label("_at"), PREDICTION.c.id.label("_id"))
        query = query.order_by(PREDICTION.c.at_us, PREDICTION.c.id).limit(batch_rows)
        at, id_ = since_us, -1
        while True:
            later = or_(PREDICTION.c.at_us > at, and_(PREDICTION.c.at_us == at, PREDICTION.c.id > id_))
            with self._database.reading() as connection:
                found = connection.execute(query.where(*own, PREDICTION.c.at_us >= at, later)).all()
            for values in found:
                yield _plain(columns, values)
            if len(found) < batch_rows:
                return
            at, id_ = found[-1][-2:]

    def last(self, use_case: str, most: int, columns: Sequence[str] = COLUMNS) -> list[dict[str, Any]]:
        """The newest rows, newest first."""
        query = select(*(PREDICTION.c[name] for name in columns)).where(PREDICTION.c.use_case == use_case)
        query = query.order_by(PREDICTION.c.at_us.desc(), PREDICTION.c.id.desc()).limit(most)
        with self._database.reading() as connection:
            return [_plain(columns, values) for values in connection.execute(query)]

    def days(self, use_case: str, since_us: int = 0, until_us: int = 2**62) -> list[DayCount]:
        """Rows per day, version and route, oldest day first."""
        at = PREDICTION.c.at_us
        day = (at // literal_column(str(DAY_US))).label("day")
        query = (
            select(
                day,
                PREDICTION.c.version,
                PREDICTION.c.route,
                func.count(),
                func.count() - func.count(PREDICTION.c.answer),
                func.avg(PREDICTION.c.latency_ms),
                func.coalesce(func.sum(PREDICTION.c.usd), 0.0),
                func.count() - func.count(PREDICTION.c.usd),
            )
            .where(PREDICTION.c.use_case == use_case, at >= since_us, at < until_us)
            .group_by(day, PREDICTION.c.version, PREDICTION.c.route)
        )
        with self._database.reading() as connection:
            counts = [DayCount(int(first), *rest) for first, *rest in connection.execute(query)]
        return sorted(counts, key=lambda count: (count.day, count.route, count.version or ""))

    def counts(self, use_case: str) -> LogCounts:
        """Rows stored, rows not logged and lines torn; what is spooled is the writer's to say (`writer.counts`)."""
        query = select(TALLY.c.what, func.sum(TALLY.c.rows)).where(TALLY.c.use_case.in_((use_case, "")))
        with self._database.reading() as connection:
            found = {what: int(rows) for what, rows in connection.execute(query.group_by(TALLY.c.what))}
        return LogCounts(found.get("stored", 0), 0, found.get("not_logged", 0), found.get("torn", 0))

    def not_logged(self, use_case: str, since_us: int = 0) -> dict[int, int]:
        """Day since 1970 → rows that were answered and could not be logged."""
        query = select(TALLY.c.day, TALLY.c.rows).where(
            TALLY.c.use_case == use_case, TALLY.c.what == "not_logged", TALLY.c.day >= day_of(since_us)
        )
        with self._database.reading() as connection:
            return {int(day): int(rows) for day, rows in connection.execute(query.order_by(TALLY.c.day))}

    def request(self, use_case: str, request_id: str) -> dict[int, str | None]:
        """Row of a request → its text as logged, None where the text was not kept; empty for an unknown request."""
        query = select(PREDICTION.c.row, PREDICTION.c.text).where(
            PREDICTION.c.request_id == request_id, PREDICTION.c.use_case == use_case, PREDICTION.c.route != "shadow"
        )
        with self._database.reading() as connection:
            return {int(row): found for row, found in connection.execute(query.order_by(PREDICTION.c.id))}

    def answered(
        self, use_case: str, request_id: str, row: int, version: str | None, at_us: int | None = None
    ) -> dict[str, Any] | None:
        """What clients heard for one row: text, answer, confidence and likeliest; None for an unknown one.

        Args:
            use_case: Whose.
            request_id: Of the request; where clients name several alike, the last counts.
            row: Its place in the request.
            version: That answered; any when None.
            at_us: When it was answered, microseconds since 1970 (UTC); any time when None.
        """
        names = ("text", "answer", "confidence", "likeliest")
        query = select(*(PREDICTION.c[name] for name in names)).where(
            PREDICTION.c.request_id == request_id,
            PREDICTION.c.use_case == use_case,
            PREDICTION.c.row == row,
            PREDICTION.c.route != "shadow",
            *(() if version is None else (PREDICTION.c.version == version,)),
            *(() if at_us is None else (PREDICTION.c.at_us == at_us,)),
        )
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(PREDICTION.c.at_us.desc(), PREDICTION.c.id.desc())).first()
        return None if found is None else _plain(names, found)

    def shadowed(self, use_case: str, since_us: int = 0) -> list[ShadowCount]:
        """What challengers answered beside the versions that clients heard, by pair of versions.

        Limit: where clients name several requests alike, each answer is compared with each.
        """
        ours, theirs = PREDICTION.alias("ours"), PREDICTION.alias("theirs")
        same = and_(*(ours.c[name] == theirs.c[name] for name in ("use_case", "request_id", "row")))
        both = theirs.join(ours, same)
        of = (
            theirs.c.use_case == use_case,
            theirs.c.at_us >= since_us,
            theirs.c.route == "shadow",
            ours.c.route == "model",
        )
        agreed = case((func.coalesce(ours.c.answer, "") == func.coalesce(theirs.c.answer, ""), 1), else_=0)
        pair = (theirs.c.version, ours.c.version)
        sums = select(*pair, func.count(), func.sum(agreed)).select_from(both).where(*of).group_by(*pair)
        named = and_(*(FEEDBACK.c[name] == ours.c[name] for name in ("use_case", "request_id", "row")))
        judged = select(*pair, ours.c.id, FEEDBACK.c.label, ours.c.answer, theirs.c.answer)
        judged = judged.select_from(both.join(FEEDBACK, named)).where(*of).order_by(FEEDBACK.c.id)
        with self._database.reading() as connection:
            last = {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in connection.execute(judged)}
            counted = connection.execute(sums).all()
        return [
            ShadowCount(
                challenger=str(challenger),
                champion=str(champion),
                rows=int(rows),
                agreed=int(alike),
                judged=tuple(values for key, values in last.items() if key[:2] == (challenger, champion)),
            )
            for challenger, champion, rows, alike in sorted(counted, key=lambda found: (str(found[1]), str(found[0])))
        ]

    def judged(self, use_case: str, version: str, since_us: int, until_us: int) -> list[tuple[str, str | None, str]]:
        """Rows of a version whose right answer people sent: that answer, the version's, the row's text.

        Of several right answers to a row the last counts; where the text was not kept it is empty.
        """
        named = and_(*(FEEDBACK.c[name] == PREDICTION.c[name] for name in ("use_case", "request_id", "row")))
        columns = (PREDICTION.c.id, FEEDBACK.c.label, PREDICTION.c.answer, func.coalesce(PREDICTION.c.text, ""))
        query = select(*columns).select_from(PREDICTION.join(FEEDBACK, named))
        query = query.where(
            PREDICTION.c.use_case == use_case,
            PREDICTION.c.version == version,
            PREDICTION.c.route == "model",
            PREDICTION.c.at_us >= since_us,
            PREDICTION.c.at_us < until_us,
        )
        with self._database.reading() as connection:
            last = {row[0]: (row[1], row[2], row[3]) for row in connection.execute(query.order_by(FEEDBACK.c.id))}
        return list(last.values())

    def feedback(self, use_case: str) -> list[ReceivedFeedback]:
        """Right answers that people sent and nobody has taken in yet, oldest first."""
        names = ("id", "at_us", "request_id", "row", "text", "label", "who")
        query = select(*(FEEDBACK.c[name] for name in names)).where(
            FEEDBACK.c.use_case == use_case, FEEDBACK.c.taken.is_(False)
        )
        with self._database.reading() as connection:
            return [
                ReceivedFeedback(*values)
                for values in connection.execute(query.order_by(FEEDBACK.c.at_us, FEEDBACK.c.id))
            ]

    def feedback_taken(self, ids: Sequence[int]) -> None:
        """Note that right answers stand among the labelled rows from now on."""
        with self._database.writing() as connection:
            for start in range(0, len(ids), 500):
                some = FEEDBACK.c.id.in_(ids[start : start + 500])
                connection.execute(update(FEEDBACK).where(some).values(taken=True))

    # Room.

    def delete_before(self, use_case: str, at_us: int, batch_rows: int = 5000) -> int:
        """Delete what is older: predictions, and feedback, taken in or not. Returns the predictions deleted."""
        old = select(PREDICTION.c.id).where(PREDICTION.c.use_case == use_case, PREDICTION.c.at_us < at_us)
        deleted = 0
        while True:
            with self._database.writing() as connection:
                gone = connection.execute(delete(PREDICTION).where(PREDICTION.c.id.in_(old.limit(batch_rows)))).rowcount
            deleted += gone
            if gone < batch_rows:
                break
        with self._database.writing() as connection:
            connection.execute(delete(FEEDBACK).where(FEEDBACK.c.use_case == use_case, FEEDBACK.c.at_us < at_us))
        if deleted:
            self._database.shrink()
        return deleted

    def size_bytes(self) -> int:
        """Room that the store takes on its disk."""
        return self._database.size_bytes((PREDICTION, FEEDBACK, SEGMENT, TALLY))

    def bytes_of(self, use_case: str) -> int:
        """Room that a use case's rows take: its share of all rows."""
        with self._database.reading() as connection:
            query = select(PREDICTION.c.use_case, func.count()).group_by(PREDICTION.c.use_case)
            rows = {name: int(number) for name, number in connection.execute(query)}
        return round(self.size_bytes() * rows.get(use_case, 0) / max(1, sum(rows.values())))


def _count(connection: Connection, batch: Batch, today: int) -> None:
    """Add to the tally what a batch holds."""
    tally: dict[tuple[str, int, str], int] = {}
    for row in batch.predictions:
        key = (row["use_case"], day_of(row["at_us"]), "stored")
        tally[key] = tally.get(key, 0) + 1
    tally |= {(use_case, day, "not_logged"): rows for (use_case, day), rows in batch.not_logged.items()}
    if batch.torn:
        tally["", today, "torn"] = batch.torn
    for (use_case, day, what), rows in sorted(tally.items()):
        new = insert_or_update(connection, TALLY).values(use_case=use_case, day=day, what=what, rows=rows)
        added = {"rows": TALLY.c.rows + new.excluded.rows}
        connection.execute(new.on_conflict_do_update(index_elements=[*TALLY.primary_key.columns], set_=added))


def _plain(columns: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    row = dict(zip(columns, values, strict=False))
    for name in _JSON.keys() & row.keys():
        row[name] = json.loads(row[name]) or _JSON[name]()
    if row.get("embedding") is not None:
        row["embedding"] = bytes(row["embedding"])
    return row


def _lot() -> ColumnElement[int]:
    """A number below 2¹⁶ for each row, as if by chance: the upper half of a multiplicative hash of its number.

    Source: Knuth, The Art of Computer Programming 3, 6.4.
    """
    number = PREDICTION.c.id % _whole(2**31)  # so that no product passes 2⁶³
    lot: ColumnElement[int] = number * _whole(2_654_435_761) % _whole(2**32) // _whole(2**16)
    return lot


def _whole(number: int) -> ColumnElement[int]:
    """A number as both kinds of database take it: of 64 bits, so that dividing by it leaves no fraction."""
    return literal_column(str(number), BigInteger)
