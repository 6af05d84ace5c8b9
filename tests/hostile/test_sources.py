"""Any bytes and any rows in a file of a known kind end in rows, or in an error that names the file."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tailtune.core.errors import TailTuneError
from tailtune.services import sources
from tailtune.services.sources import Columns, one_label
from tailtune.tasks.extraction.annotate import columns_of, prepare_row, reader
from tailtune.tasks.extraction.config import ExtractionData
from tailtune.tasks.extraction.offsets import resolve
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import propose_schema

DATA = ExtractionData(file="f", text="text", entities="entities", fields="fields", intent="intent")
LABELLED = Columns("text", ("label",), one_label("label"), "group")
EXTRACTED = Columns(DATA.text, columns_of(DATA), reader(DATA))
SCHEMA = schema_from(propose_schema([("by Ann Lee", (), {"name": "Ann Lee"}, None)]) | {"title": "t"})
NAMES = ("text", "label", "group", "entities", "fields", "intent")
same_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["\ud83d", "\x00", "Ann", "[[", "[]", "1e999", "{}", "-0", "🔥"]),
)  # fmt: skip
keys = st.sampled_from([*NAMES, "start", "end", "name", "", "\udc00"])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
offsets = st.integers(-2, 40) | leaves
spans = st.lists(st.fixed_dictionaries({"start": offsets, "end": offsets, "label": leaves}), max_size=3)
rows = st.fixed_dictionaries(dict.fromkeys(NAMES, values) | {"text": st.text(max_size=30) | leaves})
span_rows = st.fixed_dictionaries(
    dict.fromkeys(NAMES, leaves) | {"text": st.text(max_size=30), "entities": spans, "fields": values}
)
cells = st.text(max_size=12) | st.sampled_from(['"', ",", "[{]", '{"a": 1e999}'])


def read_all(file: Path) -> bool:
    """Read a file in every way. Whether it was refused at least once; any other error passes through."""
    refused = False
    for columns in (LABELLED, EXTRACTED):
        try:
            for row in sources.read(file, columns, "f"):
                assert isinstance(row.text, str)
                str(row.label).encode()
        except TailTuneError as error:
            refused = True
            assert str(error) and error.hint
    for look in (sources.peek, sources.sample):
        try:
            look(file)
        except TailTuneError:
            refused = True
    try:
        for raw in resolve(lambda: sources.read(file, EXTRACTED, "f")):
            prepare_row(SCHEMA, raw, (), ())
    except TailTuneError:
        refused = True
    return refused


@pytest.mark.parametrize("kind", sorted(sources.FORMATS))
@same_folder
@given(content=st.binary(max_size=300))
@example(content=b"PAR1" + b"\xff" * 40 + b"PAR1")
@example(content=b"text,label,group\r\n\x00,\x00,\x00")
@example(content=b'{"text":' + b"[" * 100_000)
@example(content=b'{"text": "\\ud83d", "label": "\\udc00", "group": "\\ud83d"}')
def test_any_bytes(tmp_path: Path, kind: str, content: bytes) -> None:
    (tmp_path / f"f{kind}").write_bytes(content)
    read_all(tmp_path / f"f{kind}")


@same_folder
@given(made=st.lists(rows | span_rows | values, max_size=4))
def test_any_json(tmp_path: Path, made: list[Any]) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    read_all(file)


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "shift_jis", "cp037")
written_texts = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1).filter(str.strip)
    | st.sampled_from(["naïve", 'a "b", c', "a\nb", "日本", "😀", "a\u2028b", "a\x85b", "\ufeffa", "=1+1"]),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
@same_folder
@given(texts=written_texts, encoding=st.sampled_from(ENCODINGS))
def test_every_row_is_read_as_it_was_written_or_the_file_is_refused(
    tmp_path: Path, kind: str, texts: list[str], encoding: str
) -> None:
    file = tmp_path / f"f{kind}"
    if kind == ".parquet":
        pq.write_table(pa.table({"text": texts, "label": ["a"] * len(texts), "group": ["g"] * len(texts)}), file)
    else:
        out = io.StringIO()
        if kind == ".csv":
            csv.writer(out).writerows([("text", "label", "group"), *((text, "a", "g") for text in texts)])
        else:
            lines = ({"text": text, "label": "a", "group": "g"} for text in texts)
            out.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        file.write_bytes(out.getvalue().encode(encoding, "replace"))
    try:
        read = [row.text for row in sources.read(file, LABELLED, "f")]
    except TailTuneError:
        assert kind != ".parquet" and not encoding.startswith("utf-8")
        return
    if kind == ".parquet" or encoding.startswith("utf-8"):
        assert read == texts
    else:
        assert len(read) == len(texts)


@same_folder
@given(lines_of_cells=st.lists(st.lists(cells, max_size=7), max_size=4))
def test_any_commas_and_quotes(tmp_path: Path, lines_of_cells: list[list[str]]) -> None:
    file = tmp_path / "f.csv"
    lines = [",".join(NAMES), *(",".join(row) for row in lines_of_cells)]
    file.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    read_all(file)


@same_folder
@given(data=st.data())
def test_any_parquet_columns(tmp_path: Path, data: st.DataObject) -> None:
    kinds = [
        (pa.string(), st.none() | st.text(max_size=9)),
        (pa.binary(), st.none() | st.binary(max_size=9)),
        (pa.int64(), st.none() | st.integers(-(1 << 63), (1 << 63) - 1)),
        (pa.float64(), st.none() | st.floats()),
        (pa.timestamp("ns"), st.none() | st.integers(-(1 << 63), (1 << 63) - 1)),
        (pa.timestamp("us", tz="Nowhere/Else"), st.none() | st.integers(-(1 << 63), (1 << 63) - 1)),
        (pa.duration("ns"), st.none() | st.integers(-(1 << 63), (1 << 63) - 1)),
        (pa.date32(), st.none() | st.integers(-(1 << 31), (1 << 31) - 1)),
        (pa.decimal128(38, 9), st.none() | st.decimals(-9999, 9999, places=9)),
        (pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", pa.string())])), spans_of_arrow()),
        (pa.map_(pa.string(), pa.int64()), st.none() | st.lists(st.tuples(st.text(max_size=4), st.integers(0, 9)))),
        (pa.time64("ns"), st.none() | st.integers(0, 86_399_999_999_999)),
    ]
    rows = data.draw(st.integers(0, 3))
    columns = {}
    for name in NAMES:
        kind, strategy = data.draw(st.sampled_from(kinds))
        columns[name] = pa.array([data.draw(strategy) for _ in range(rows)], kind)
    pq.write_table(pa.table(columns), tmp_path / "f.parquet")
    read_all(tmp_path / "f.parquet")


def spans_of_arrow() -> st.SearchStrategy[Any]:
    span = st.fixed_dictionaries(
        {"start": st.integers(-2, 40), "end": st.integers(-2, 40), "label": st.text(max_size=4)}
    )
    return st.none() | st.lists(span, max_size=3)


@same_folder
@given(place=st.integers(0, 9_999), byte=st.integers(0, 255), cut=st.booleans())
def test_a_parquet_file_with_one_wrong_byte(tmp_path: Path, place: int, byte: int, cut: bool) -> None:
    whole = tmp_path / "whole.parquet"
    if not whole.exists():
        pq.write_table(pa.table({name: [f"{name} {n} Ünï" for n in range(20)] for name in NAMES}), whole)
    content = bytearray(whole.read_bytes())
    place %= len(content)
    content[place] = byte
    (tmp_path / "f.parquet").write_bytes(content[:place] if cut else content)
    read_all(tmp_path / "f.parquet")


def test_a_parquet_file_whose_column_names_are_no_utf8(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"text": ["a"], "zzzz": ["b"]}), whole)
    (tmp_path / "f.parquet").write_bytes(whole.read_bytes().replace(b"zzzz", b"\x80zzz"))
    assert read_all(tmp_path / "f.parquet")
