"""Files are whole or as they were; rows come back as they went; digests follow what they name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailtune.core.errors import MissingInputError, TailTuneError
from tailtune.core.records import Answer, Row
from tailtune.core.reports import LadderReport, TrainReport
from tailtune.services import store


def row(i: int, **changes: Any) -> Row:
    return replace(Row(f"{i:04x}", f"text {i}", "a", f"rows.csv:{i}", "train", None), **changes)


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "x.txt"
    with store.written_whole(path) as part:
        part.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()])
def test_an_error_midway_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(type(error)), store.written_whole(path) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["x.txt"]


def broken_lines() -> Iterator[dict[str, Any]]:
    yield {"line": 1}
    raise RuntimeError("the second line cannot be made")


def test_jsonl_and_rows_that_break_midway_leave_the_old_file(tmp_path: Path) -> None:
    lines, rows = tmp_path / "x.jsonl", tmp_path / "x.parquet"
    store.write_jsonl(lines, [{"old": True}])
    store.write_rows(rows, [[row(1)]])

    def broken_batches() -> Iterator[list[Row]]:
        yield [row(2)]
        raise RuntimeError("the second batch cannot be made")

    with pytest.raises(RuntimeError):
        store.write_jsonl(lines, broken_lines())
    with pytest.raises(RuntimeError):
        store.write_rows(rows, broken_batches())
    assert json.loads(lines.read_text()) == {"old": True}
    assert store.read_rows(rows, "train", "x") == [row(1)]
    assert hidden(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    "write",
    [
        lambda path: store.write_json(path, {"new": True}),
        lambda path: store.write_jsonl(path, [{"new": True}]),
        lambda path: store.write_rows(path, [[row(1)]]),
        lambda path: store.write_report(path, TrainReport(use_case="x", stage="train", trained=False, reason="no")),
    ],
    ids=["json", "jsonl", "rows", "report"],
)
def test_no_disk_space_is_told_with_the_path_and_what_to_do(tmp_path: Path, write: Callable[[Path], object]) -> None:
    """A really full device: the kernel refuses the bytes when they are flushed."""
    path = tmp_path / "x.json"
    path.write_text("old")
    (tmp_path / f".x.json.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(TailTuneError) as caught:
        write(path)
    assert caught.value.message.startswith(f"{path}: cannot be written: ")
    assert caught.value.message.endswith("No space left on device")
    assert caught.value.hint == "make room, then run again"
    assert path.read_text() == "old"
    assert hidden(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TailTuneError, match="cannot be written: "):
        store.write_json(tmp_path / "file" / "x.json", {})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.builds(Row, TEXT, TEXT, TEXT, TEXT, st.just("dev"), st.none() | TEXT), max_size=8))
def test_rows_come_back_as_they_went(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    path = tmp_path_factory.mktemp("rows") / "dev.parquet"
    assert store.write_rows(path, [rows[:3], rows[3:]]) == len(rows)
    assert store.read_rows(path, "dev", "x") == rows


def test_rows_written_batch_by_batch_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    assert store.write_rows(path, ([row(i)] for i in range(20))) == 20
    assert store.read_rows(path, "train", "x") == [row(i) for i in range(20)]
    assert store.write_rows(path, []) == 0
    assert store.read_rows(path, "train", "x") == []


def test_missing_files_name_the_command_that_writes_them(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no curated rows") as caught:
        store.read_rows(tmp_path / "train.parquet", "train", "tickets")
    assert caught.value.hint == "tailtune curate tickets"
    with pytest.raises(MissingInputError, match="no report of ladder yet") as caught:
        store.read_report(tmp_path / "ladder.json", LadderReport, "tickets")
    assert caught.value.hint == "tailtune run tickets"
    with pytest.raises(MissingInputError, match="training needs it and it is not there") as caught:
        store.read_json(tmp_path / "ticket.json", "training", "tailtune decide tickets")
    assert caught.value.hint == "tailtune decide tickets"


def test_a_report_comes_back_as_it_went_with_what_is_not_a_number(tmp_path: Path) -> None:
    from report.fixtures import evaluate

    report = evaluate()
    path = tmp_path / "reports" / "evaluate.json"
    store.write_report(path, report)
    found = store.read_report(path, type(report), "x")
    assert found.model_dump_json() == report.model_dump_json()
    assert path.read_text().endswith("}\n")


@pytest.mark.parametrize("text", ["{}", '{"trained": true, "future": 1}', "<<<<<<< HEAD\n{}", ""])
def test_a_report_that_cannot_be_read_is_told_and_how_to_renew_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.json"
    path.write_text(text)
    with pytest.raises(MissingInputError, match=r"train\.json: not a report of train that this version can read") as e:
        store.read_report(path, TrainReport, "tickets")
    assert e.value.hint == "tailtune train tickets"


@pytest.mark.parametrize(
    ("text", "what"), [('{"best": 1}', "has no `train`; another version wrote it"), ("[1]", "expected a JSON object")]
)
def test_a_file_of_another_version_names_the_stage_that_writes_it(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "ticket.json"
    path.write_text(text + "\n")
    for read in (lambda *words: store.read_json(*words)["train"], lambda *words: store.read_jsonl(*words)[0]["train"]):
        with pytest.raises(MissingInputError, match=rf"ticket\.json: .*{what}") as caught:
            read(path, "training", "tailtune decide tickets")
        assert caught.value.hint == "tailtune decide tickets"


def test_rows_of_another_version_are_curated_again(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"id": ["a"], "text": ["b"]}), path)
    with pytest.raises(MissingInputError, match="no column label, origin, group") as caught:
        store.read_rows(path, "train", "tickets")
    assert caught.value.hint == "tailtune curate tickets"


def test_half_a_surrogate_pair_is_written_as_json_escapes_it(tmp_path: Path) -> None:
    store.write_json(tmp_path / "a.json", {"a": "é\ud800"})
    store.write_jsonl(tmp_path / "a.jsonl", [{"a": "é\ud800"}])
    assert store.read_json(tmp_path / "a.json", "a test", "") == {"a": "é\ud800"}
    assert store.read_jsonl(tmp_path / "a.jsonl", "a test", "") == [{"a": "é\ud800"}]


@pytest.mark.parametrize("changes", [{"id": "ffff"}, {"text": "other"}, {"label": "b"}, {"split": "dev"}])
def test_a_digest_follows_ids_texts_labels_and_splits(changes: dict[str, Any]) -> None:
    rows = [row(1), row(2)]
    assert store.rows_digest(rows) == store.rows_digest(list(rows))
    assert store.rows_digest(rows) != store.rows_digest([row(1), row(2, **changes)])


def test_a_digest_follows_order_and_count_but_not_origin() -> None:
    rows = [row(1), row(2)]
    assert store.rows_digest(rows) != store.rows_digest(rows[::-1])
    assert store.rows_digest(rows) != store.rows_digest(rows[:1])
    assert store.rows_digest(rows) == store.rows_digest([replace(r, origin="moved.csv:9") for r in rows])
    assert store.rows_digest([], []) != store.rows_digest(rows)


def test_only_exactly_these_rows_have_passed(tmp_path: Path) -> None:
    passed = tmp_path / "passed.json"
    with pytest.raises(MissingInputError, match="the ladder needs it") as caught:
        store.require_passed(passed, "abc", "tickets")
    assert caught.value.hint == "tailtune validate tickets"
    store.write_json(passed, {"rows_digest": "abc"})
    store.require_passed(passed, "abc", "tickets")
    with pytest.raises(MissingInputError, match=r"validation passed other rows \(abc, now abd\)") as caught:
        store.require_passed(passed, "abd", "tickets")
    assert caught.value.hint == "tailtune run tickets"


@given(st.sets(st.integers(0, 5000), max_size=60), st.sets(st.integers(0, 5000), max_size=20), st.integers(1, 40))
def test_a_sample_by_id_stays_when_rows_are_added(old: set[int], more: set[int], most: int) -> None:
    before = store.first_by_id([row(i) for i in sorted(old)], most)
    grown = [row(i) for i in sorted(old | more, reverse=True)]
    after = store.first_by_id(grown, most)
    assert len(after) == min(most, len(grown))
    assert {r.id for r in after} & {row(i).id for i in old} <= {r.id for r in before}, "an old row came in"
    assert [r for r in grown if r in after] == after, "the order of the rows is kept"
    assert {r.id for r in after} == set(sorted(r.id for r in grown)[:most])


def test_a_sample_of_few_rows_is_all_of_them_as_a_new_list() -> None:
    rows = [row(3), row(1)]
    found = store.first_by_id(rows, 2)
    assert found == rows
    assert found is not rows


def test_answers_cost_nothing_by_default() -> None:
    assert Answer("a", 0.5).usd == 0.0


def test_what_was_fitted_on_other_rows_is_not_scored_on_test(tmp_path: Path) -> None:
    """After a changed split and a lone `tailtune evaluate`, test rows could be the adapter's train rows."""
    test = [Row("a", "text", "x", "f:1", "test")]
    passed = tmp_path / "passed.json"
    store.write_json(passed, {"rows_digest": "now", "test_digest": store.rows_digest(test)})
    store.note_rows(tmp_path / "ladder", "now")
    store.require_same_rows("toy", passed, test, decision="now", ladder=tmp_path / "ladder")
    with pytest.raises(MissingInputError, match="decision: made from other rows"):
        store.require_same_rows("toy", passed, test, decision="then", ladder=tmp_path / "ladder")
    store.note_rows(tmp_path / "ladder", "then")
    with pytest.raises(MissingInputError, match="ladder: made from other rows"):
        store.require_same_rows("toy", passed, test, decision="now", ladder=tmp_path / "ladder")
    with pytest.raises(MissingInputError, match="not the ones that validation passed"):
        store.require_same_rows("toy", passed, [*test, Row("b", "t", "x", "f:2", "test")], decision="now")


def test_all_files_below_count_and_a_link_as_what_it_leads_to(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a").write_bytes(b"x" * 100)
    (folder / "deep" / "er" / "b").write_bytes(b"x" * 23)
    (tmp_path / "elsewhere").write_bytes(b"x" * 1000)
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "broken").symlink_to(tmp_path / "gone")
    assert store.folder_bytes(folder) == 1123


def test_no_folder_has_no_bytes(tmp_path: Path) -> None:
    assert store.folder_bytes(tmp_path / "none") == 0


def test_slices_stand_in_columns_of_their_own_and_only_where_they_are_declared(tmp_path: Path) -> None:
    row = Row("1", "text", "a", "r:1", "test", slices=(("channel", "phone"), ("language", "")))
    plain, sliced = tmp_path / "plain.parquet", tmp_path / "sliced.parquet"
    store.write_rows(plain, [[row]])
    store.write_rows(sliced, [[row]], ("channel", "language"))
    assert store.read_rows(sliced, "test", "x") == [row]
    (read,) = store.read_rows(plain, "test", "x")
    assert read == replace(row, slices=())
    assert store.rows_digest([row]) == store.rows_digest([read])
