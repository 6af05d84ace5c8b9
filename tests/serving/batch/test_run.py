"""A run over a file: what comes in is counted and comes out, also when it is cut off in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from lifecycle.helpers import Heard

from tailtune.core.errors import DataError, TailTuneError, UsageError
from tailtune.core.progress import Silent
from tailtune.serving.batch.answering import Blocks
from tailtune.serving.batch.kept import EarlierRuns, KeptAnswer
from tailtune.serving.batch.run import BatchRequest, Summary, predict_file
from tailtune.serving.batch.source import BLOCK_ROWS

Answering = Callable[[Blocks, EarlierRuns], Generator[list[KeptAnswer]]]


def by_length(most_blocks: int | None = None, seen: list[str] | None = None) -> Answering:
    """Answers the length of a text, or nothing where there is none; is cut off after so many blocks."""

    def answering(blocks: Blocks, before: EarlierRuns) -> Generator[list[KeptAnswer]]:
        for number, block in enumerate(blocks):
            if number == most_blocks:
                raise KeyboardInterrupt
            if seen is not None:
                seen.extend(block)
            yield [KeptAnswer(str(len(text)) if text else None, 0.5 if text else None) for text in block]

    return answering


@pytest.fixture
def request_(tmp_path: Path) -> BatchRequest:
    source = tmp_path / "in.csv"
    source.write_text("id,text\n" + "".join(f"{n},{'x' * (n % 3)}\n" for n in range(BLOCK_ROWS * 3)))
    return asking(source, tmp_path / "out.csv")


def asking(source: Path, out: Path, version: str = "1") -> BatchRequest:
    return BatchRequest(source, out, "text", "classification", {"version": version}, {"version": "--version {}"})


def test_rows_in_are_rows_out(request_: BatchRequest) -> None:
    summary = predict_file(request_, by_length(), Silent())
    rows = BLOCK_ROWS * 3
    assert (summary.rows, summary.answered, summary.invalid, summary.unreadable) == (rows, rows * 2 // 3, rows // 3, 0)
    assert request_.out.read_text().splitlines()[:4] == ["id,text,answer,confidence", "0,,,", "1,x,1,0.5", "2,xx,2,0.5"]
    assert sorted(path.name for path in request_.out.parent.iterdir()) == ["in.csv", "out.csv"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_run_that_was_cut_off_goes_on_to_the_same_bytes(kind: str, request_: BatchRequest, tmp_path: Path) -> None:
    whole, cut = asking(request_.source, tmp_path / f"whole.{kind}"), asking(request_.source, tmp_path / f"cut.{kind}")
    predict_file(whole, by_length(), Silent())
    with pytest.raises(KeyboardInterrupt):
        predict_file(cut, by_length(most_blocks=2), Silent())
    assert not cut.out.exists()
    seen, heard = list[str](), Heard()
    summary = predict_file(cut, by_length(seen=seen), heard)
    assert (len(seen), summary.before) == (BLOCK_ROWS, BLOCK_ROWS * 2)
    assert any("512 of 768 rows were answered before" in line for line in heard.lines)
    assert cut.out.read_bytes() == whole.out.read_bytes()
    assert not cut.unfinished.exists()


def test_a_run_that_was_cut_off_while_it_wrote_writes_again(request_: BatchRequest) -> None:
    predict_file(request_, by_length(), Silent())
    whole = request_.out.read_bytes()
    request_.out.unlink()
    with pytest.raises(KeyboardInterrupt):
        predict_file(request_, by_length(most_blocks=0), Silent())
    with request_.unfinished.open("a") as out:
        for line in whole.decode().splitlines()[1:]:
            answer = line.split(",")[2]
            out.write(json.dumps([answer or None, 0.5 if answer else None]) + "\n")
    summary = predict_file(request_, by_length(most_blocks=0), Silent())
    assert summary.rows_per_s is None
    assert request_.out.read_bytes() == whole


def test_it_does_not_go_on_with_other_rows(request_: BatchRequest) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict_file(request_, by_length(most_blocks=1), Silent())
    with request_.source.open("a") as out:
        out.write("9,more\n")
    with pytest.raises(UsageError, match=r"unfinished run with something else \(input: .*; rows: 768 then, 769 now\)"):
        predict_file(request_, by_length(), Silent())


def test_it_does_not_go_on_with_another_version(request_: BatchRequest) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict_file(request_, by_length(most_blocks=1), Silent())
    with pytest.raises(UsageError, match="version: 1 then, 2 now") as raised:
        predict_file(asking(request_.source, request_.out, "2"), by_length(), Silent())
    assert str(raised.value.hint).startswith("--version 1 goes on with it")


@pytest.mark.parametrize(("source", "content"), [("none.csv", "id,text\n"), ("none.jsonl", "")])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_no_rows_are_no_error(source: str, content: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / source).write_text(content)
    summary = predict_file(asking(tmp_path / source, tmp_path / f"out.{kind}"), by_length(most_blocks=0), Silent())
    assert summary == Summary(0, 0)
    if kind == "csv":
        assert (tmp_path / "out.csv").read_text().strip().endswith("answer,confidence")
    if kind == "parquet":
        import pyarrow.parquet as pq

        assert pq.read_table(tmp_path / "out.parquet").schema.names[-2:] == ["answer", "confidence"]


def test_rows_that_cannot_be_read_are_listed_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\nno JSON\n{"text": "abc"}\n')
    request = asking(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    summary = predict_file(request, by_length(), Silent())
    assert (summary.rows, summary.unreadable) == (2, 1)
    assert [json.loads(line)["answer"] for line in request.out.read_text().splitlines()] == ["1", "3"]
    (dropped,) = map(json.loads, request.dropped.read_text().splitlines())
    assert dropped["origin"].endswith("in.jsonl:2") and "not JSON" in dropped["reason"]


def test_an_output_that_is_there_stays(request_: BatchRequest) -> None:
    request_.out.write_text("dear")
    with pytest.raises(UsageError, match="is there already"):
        predict_file(request_, by_length(), Silent())
    assert request_.out.read_text() == "dear"


def test_a_file_that_changes_meanwhile_is_noticed(request_: BatchRequest) -> None:
    def changing(blocks: Blocks, before: EarlierRuns) -> Generator[list[KeptAnswer]]:
        yield from by_length()(blocks, before)
        request_.source.write_text("id,text\n1,a\n")

    with pytest.raises(DataError, match="has changed while it was answered"):
        predict_file(request_, changing, Silent())
    assert not request_.out.exists()


def test_a_folder_that_cannot_be_written_is_named(request_: BatchRequest, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TailTuneError, match="cannot be written"):
        predict_file(asking(request_.source, tmp_path / "file" / "out.csv"), by_length(), Silent())


def test_a_row_that_fails_is_counted_and_named(tmp_path: Path) -> None:
    def failing(blocks: Blocks, before: EarlierRuns) -> Generator[list[KeptAnswer]]:
        for block in blocks:
            yield [KeptAnswer(None, None, problem=f"ValueError: {text}") for text in block]

    (tmp_path / "in.csv").write_text("text\nb\nc\n")
    summary = predict_file(asking(tmp_path / "in.csv", tmp_path / "out.csv"), failing, Silent())
    assert (summary.invalid, summary.problems, summary.problem) == (2, 2, "row 1: ValueError: b")
