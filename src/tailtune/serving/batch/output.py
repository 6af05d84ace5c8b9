"""The file that rows are written to with their answers: CSV, JSONL or Parquet."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any

from tailtune.core.errors import DataError, Fault, UsageError
from tailtune.core.spreadsheet import BYTE_ORDER_MARK, harmless
from tailtune.serving.batch.kept import KeptAnswer
from tailtune.serving.batch.source import Source
from tailtune.tasks.table import answers_objects

_GROUP_ROWS = 8192
_ARROW = {frozenset({"bool"}): "bool", frozenset({"int"}): "int64", frozenset({"float"}): "float64"}
_ARROW |= {frozenset({"int", "float"}): "float64", frozenset({"long"}): "int64", frozenset({"int", "long"}): "int64"}


class Output:
    """One per run: writes every row of the input with its answer, in order.

    Args:
        source: The input.
        columns: Of the input → kinds of their values.
        task: `classification` or `extraction`.
        prefix: Stands before the names of the added columns.
        spreadsheet: Whether CSV is for a spreadsheet: with a byte order mark, and nothing in it that it would compute.

    Raises:
        UsageError: A column of the input is called like one that is added.
    """

    def __init__(
        self, source: Source, columns: Mapping[str, Collection[str]], task: str, prefix: str, spreadsheet: bool
    ) -> None:
        self._source, self._columns, self._spreadsheet = source, columns, spreadsheet
        fields = ("confidences", "reasons") if answers_objects(task) else ()
        self._is_json = bool(fields)
        self._added = {name: prefix + name for name in ("answer", "confidence", *fields)}
        both = [f"`{name}`" for name in columns if name in self._added.values()]
        if both:
            raise UsageError(
                f"{source.file}: has a column {', '.join(both)} already; answers would be written there",
                "put something before the names of the columns that are added: --prefix new_",
            )

    def write(self, file: Path, suffix: str, answers: Iterator[KeptAnswer]) -> None:
        """Write the file.

        Args:
            file: Where to.
            suffix: Which kind.
            answers: One for each row.

        Raises:
            ValueError: There are more or fewer.
            DataError: A Parquet file's columns cannot be read.
        """
        if suffix == ".csv":
            self._write_csv(file, answers)
        elif suffix == ".jsonl":
            self._write_jsonl(file, answers)
        elif self._source.suffix == ".parquet":
            self._extend_parquet(file, answers)
        else:
            self._write_parquet(file, answers)

    def _rows(self, answers: Iterator[KeptAnswer]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        for row, answer in zip(self._source.rows(), answers, strict=True):
            yield row.values, self._of(answer)

    def _of(self, answer: KeptAnswer) -> dict[str, Any]:
        """Added column → value."""
        return {column: getattr(answer, name) for name, column in self._added.items()}

    def _write_csv(self, file: Path, answers: Iterator[KeptAnswer]) -> None:
        names = tuple(self._columns)
        # Half a surrogate pair, which JSON may hold, is no UTF-8.
        with file.open("w", encoding="utf-8", errors="replace", newline="") as out:
            if self._spreadsheet:
                out.write(BYTE_ORDER_MARK)
            writer = csv.writer(out)
            writer.writerow([self._cell(name) for name in (*names, *self._added.values())])
            for values, added in self._rows(answers):
                cells = [*(values.get(name) for name in names), *added.values()]
                writer.writerow([self._cell(value) for value in cells])

    def _cell(self, value: Any) -> str:
        text = _text(value)
        return harmless(text) if self._spreadsheet and isinstance(value, str) else text

    def _write_jsonl(self, file: Path, answers: Iterator[KeptAnswer]) -> None:
        objects = [name for name in self._added if self._is_json and name != "confidence"]
        # An escape of JSON is what Python writes for half a surrogate pair here.
        with file.open("w", encoding="utf-8", errors="backslashreplace") as out:
            for values, added in self._rows(answers):
                for name in objects:
                    column = self._added[name]
                    added = {**added, column: None if added[column] is None else json.loads(added[column])}
                out.write(_json({**values, **added}) + "\n")

    def _extend_parquet(self, file: Path, answers: Iterator[KeptAnswer]) -> None:
        """The input's own columns, with the types that they have, and the added ones."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            source = pq.ParquetFile(self._source.file, pre_buffer=False)
            own, more = source.schema_arrow, self._schema()
            schema = pa.schema([*own, *more], metadata=own.metadata)
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for batch in source.iter_batches(_GROUP_ROWS):
                    added = self._table(map(self._of, islice(answers, len(batch))), more)
                    columns = [*batch.columns, *(column.combine_chunks() for column in added.columns)]
                    writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        except (pa.ArrowException, LookupError) as error:
            raise DataError(
                [Fault(str(self._source.file), f"unreadable Parquet: {error}")], self._source.hint
            ) from error
        if next(answers, None) is not None:
            raise ValueError("more answers than rows")

    def _write_parquet(self, file: Path, answers: Iterator[KeptAnswer]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        own = [(name, _ARROW.get(frozenset(kinds), "string")) for name, kinds in self._columns.items()]
        schema = pa.schema([*own, *self._schema()])
        rows = ({**values, **added} for values, added in self._rows(answers))
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            while group := list(islice(rows, _GROUP_ROWS)):
                writer.write_table(self._table(group, schema))

    def _schema(self) -> Any:
        import pyarrow as pa

        kinds = {"confidence": pa.float64()}
        return pa.schema([(column, kinds.get(name, pa.string())) for name, column in self._added.items()])

    @staticmethod
    def _table(rows: Iterable[Mapping[str, Any]], schema: Any) -> Any:
        import pyarrow as pa

        kept = list(rows)
        columns = {}
        for field in schema:
            values = [row.get(field.name) for row in kept]
            if pa.types.is_string(field.type):
                values = _texts(values)
            elif pa.types.is_float64(field.type):
                values = [None if value is None else float(value) for value in values]
            columns[field.name] = values
        return pa.table(columns, schema=schema)


def _texts(values: Sequence[Any]) -> list[str | None]:
    """Values of a column of texts, all valid Unicode."""
    texts = [None if value is None else _text(value) for value in values]
    return [text if text is None or text.isascii() else text.encode("utf-8", "replace").decode() for text in texts]


def _text(value: Any) -> str:
    """A value as text: empty for none, numbers as Python writes them, what has parts as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list | tuple | bool):
        return _json(value)
    return repr(value) if isinstance(value, int | float) else _plain(value)


def _json(value: Any) -> str:
    """A value as JSON; what is not a number is null there."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        numbers = json.loads(json.dumps(value, default=_plain), parse_constant=lambda _: None)
        return json.dumps(numbers, ensure_ascii=False)


def _plain(value: Any) -> str:
    """What a Parquet file may hold and JSON cannot, as text."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
