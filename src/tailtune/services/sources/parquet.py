"""Parquet: the wanted columns, batch by batch; numbers are rows, counted from 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tailtune.services.sources.faults import Faults

PLACE = "row "
EXPECTED = "at least one row"
_BATCH_ROWS = 8192


def columns(file: Path, faults: Faults) -> tuple[str, ...]:
    """The column names of the schema."""
    opened = _open(file, faults)
    return () if opened is None else tuple(opened.schema_arrow.names)


def records(
    file: Path, names: Sequence[str], faults: Faults, optional: Sequence[str] = ()
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The wanted values of every row, with its number; None for an optional one that is not there."""
    import pyarrow as pa

    opened = _open(file, faults)
    if opened is None or faults.missing_columns(names, opened.schema_arrow.names, number=0):
        return
    there = set(opened.schema_arrow.names)
    read = list(dict.fromkeys((*names, *(name for name in optional if name in there))))
    number = 0
    try:
        for batch in opened.iter_batches(_BATCH_ROWS, columns=read):
            columns = {name: batch.column(name).to_pylist() for name in read}
            absent = [None] * len(batch)
            for record in zip(*(columns.get(name, absent) for name in (*names, *optional)), strict=True):
                number += 1
                yield number, record
    except (pa.ArrowException, OSError, ValueError, LookupError, ArithmeticError) as error:
        # Also dates beyond what Python has, and time zones that nobody knows.
        faults.end(number + 1, f"unreadable Parquet from here on: {_first_line(error)}")


def _open(file: Path, faults: Faults) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(file, pre_buffer=False)
        _ = opened.schema_arrow.names  # read here, so that names which are no UTF-8 are a fault too
    except (pa.ArrowException, OSError, ValueError, LookupError, ArithmeticError) as error:
        faults.end(0, f"unreadable Parquet: {_first_line(error)}; expected a whole .parquet file")
        return None
    return opened


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
