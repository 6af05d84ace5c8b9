from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailtune.core.errors import DataError
from tailtune.core.records import SPLITS
from tailtune.lifecycle import curate
from tailtune.lifecycle.context import Context
from tailtune.services import store

from ..helpers import LABELS, Heard, dropped, jsonl, perform, project, rows

WORDS = ["card", "pay", "refund", "charged", "twice", "why", "top", "login", "fails", "cash", "late", "please"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join) | st.text(max_size=6)
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from(LABELS)), min_size=1, max_size=30)


def kept(context: Context) -> dict[str, str]:
    """Origin → split of the rows that were written."""
    return {
        row.origin: split
        for split in SPLITS
        for row in store.read_rows(context.paths.rows(split), split, context.case.name)
    }


def curated(root: Path, given_rows: list[tuple[str, str]], **keys: Any) -> Context:
    context = project(root, {"r.jsonl": rows(*given_rows)}, **keys)
    perform("curate", context)
    return context


def test_every_row_is_kept_or_dropped_with_a_reason_and_the_files_say_the_same(tmp_path: Path) -> None:
    content = [
        ("Why was I charged twice?", "billing"),
        ("why was i charged TWICE", "billing"),
        ("why was i charged twice", "refund"),
        ("", "login"),
        ("no", "login"),
        ("x" * 2001, "login"),
        ("I can not log in with my password since this morning, please help me", "login"),
        ("I can not log in with my password since this morning, please help us", "login"),
        ("write to  me@example.com", "refund"),
    ]
    context = project(tmp_path, {"r.jsonl": rows(*content)})
    report = perform("curate", context)
    assert report.dropped == {
        "empty": 1, "too_short": 1, "too_long": 1, "duplicate": 1, "duplicate_other_label": 1, "near_duplicate": 1,
    }  # fmt: skip
    assert (report.rows_read, report.rows_kept) == (9, 3)
    assert report.changed == {"email": 1, "whitespace": 1}
    assert report.labels == {"billing": 1, "login": 1, "refund": 1}
    assert (report.test_file, report.test_rows_read, report.leaked_test_rows) == (False, 0, 0)
    lines = dropped(context)
    assert {line["origin"]: line["reason"] for line in lines} == {
        "r.jsonl:2": "duplicate",
        "r.jsonl:3": "duplicate_other_label",
        "r.jsonl:4": "empty",
        "r.jsonl:5": "too_short",
        "r.jsonl:6": "too_long",
        "r.jsonl:8": "near_duplicate",
    }
    assert lines[-1]["detail"] == "of r.jsonl:7"
    assert len(report.dropped_examples) == 6
    assert set(kept(context)) == {"r.jsonl:1", "r.jsonl:7", "r.jsonl:9"}
    digest = store.rows_digest(*(store.read_rows(context.paths.rows(s), s, "x") for s in ("train", "dev")))
    assert report.rows_digest == digest


def test_a_second_run_writes_the_same_bytes(tmp_path: Path) -> None:
    context = curated(tmp_path, [(f"text number {i} is here", LABELS[i % 3]) for i in range(60)])
    files = [*(context.paths.rows(split) for split in SPLITS), context.paths.dropped]
    before = [file.read_bytes() for file in files]
    perform("curate", context)
    assert [file.read_bytes() for file in files] == before


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, ROWS)
def test_growth_moves_no_row(tmp_path: Path, first: list[tuple[str, str]], more: list[tuple[str, str]]) -> None:
    before = kept(curated(tmp_path, first))
    after = kept(curated(tmp_path, first + more))
    assert {origin: after.get(origin) for origin in before} == before
    assert {origin for origin in after if int(origin.split(":")[1]) <= len(first)} == set(before)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(20)))
def test_another_order_moves_no_row(tmp_path: Path, order: list[int]) -> None:
    texts = [f"{WORDS[i % 12]} question {i} about {WORDS[(i * 7) % 12]} {i * i}" for i in range(20)]
    context = curated(tmp_path, [(texts[i], "billing") for i in order])
    by_text = {order[int(origin.split(":")[1]) - 1]: split for origin, split in kept(context).items()}
    context = curated(tmp_path, [(text, "billing") for text in texts])
    assert by_text == {int(origin.split(":")[1]) - 1: split for origin, split in kept(context).items()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, ROWS)
def test_counts_add_up_with_a_test_file(
    tmp_path: Path, train: list[tuple[str, str]], test: list[tuple[str, str]]
) -> None:
    files = {"r.jsonl": rows(*train), "t.jsonl": rows(*test)}
    context = project(tmp_path, files, data={"test_file": "t.jsonl"})
    report = perform("curate", context)
    assert report.rows_read == len(train) + len(test) == report.rows_kept + len(dropped(context))
    assert report.test_rows_read == len(test)
    empty_tests = sum(line["split"] == "test" for line in dropped(context))
    assert report.splits["test"] == len(test) - empty_tests
    assert sum(report.labels.values()) == report.rows_kept
    assert all(line["reason"] == "empty" for line in dropped(context) if line["split"] == "test")
    assert all((split == "test") == origin.startswith("t.") for origin, split in kept(context).items())


def test_train_rows_that_stand_in_the_test_file_go_and_the_leaks_are_counted(tmp_path: Path) -> None:
    long = "why does my transfer to another bank take more than three days"
    train = [("Charged twice!", "billing"), (long + " now", "refund"), ("a text of its own", "login")]
    test = [("charged twice", "billing"), ("CHARGED TWICE", "billing"), (long, "refund"), ("only in test", "login")]
    files = {"r.jsonl": rows(*train), "t.jsonl": rows(*test)}
    context = project(tmp_path, files, data={"test_file": "t.jsonl"})
    report = perform("curate", context)
    assert report.dropped == {"in_test_file": 1, "near_test_file": 1}
    assert report.leaked_test_rows == 3
    assert [line["of"] for line in dropped(context)] == [["t.jsonl:1", "t.jsonl:2"], ["t.jsonl:3"]]
    assert "1 test rows repeat another test row; they stay, the file is yours" in context.progress.lines  # type: ignore[attr-defined]


def test_rows_of_a_group_stay_together(tmp_path: Path) -> None:
    content = jsonl(
        {"text": f"question {i} about {WORDS[i % 12]} number {i * 37}", "label": "billing", "who": f"c{i % 15}"}
        for i in range(150)
    )
    context = project(tmp_path, {"r.jsonl": content}, data={"group": "who"})
    report = perform("curate", context)
    assert min(report.splits.values()) > 0
    groups: dict[str | None, set[str]] = {}
    for split in SPLITS:
        for row in store.read_rows(context.paths.rows(split), split, "x"):
            groups.setdefault(row.group, set()).add(split)
    assert len(groups) == 15
    assert all(len(splits) == 1 for splits in groups.values())


def test_unknown_labels_and_faults_of_both_files_are_told_at_once(tmp_path: Path) -> None:
    files = {"r.csv": b"text,label\nfine,biling\nother,biling\n", "t.csv": b"text,label\na,b,c\n"}
    context = project(tmp_path, files, data={"test_file": "t.csv"})
    with pytest.raises(DataError) as caught:
        perform("curate", context)
    assert [str(fault) for fault in caught.value.faults] == [
        "data/tickets/t.csv:2  3 fields; expected 2, as in the header",
        "data/tickets/r.csv:2  label `biling` is not in models/tickets/labels.yaml; did you mean billing? "
        "(2 rows: r.csv:2, r.csv:3)",
    ]
    assert caught.value.hint == "tailtune check tickets"
    assert not context.paths.dropped.exists()


def test_a_missing_file_is_told_with_its_place(tmp_path: Path) -> None:
    context = project(tmp_path, {}, data={"file": "gone.csv"})
    with pytest.raises(DataError, match=r"data/tickets/gone\.csv  no such file"):
        perform("curate", context)


def test_failing_run_writes_nothing_and_a_killed_one_no_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = curated(tmp_path, [(f"text number {i}", "billing") for i in range(20)])
    (context.paths.data / "r.jsonl").write_bytes(b"broken\n")
    with pytest.raises(DataError):
        perform("curate", context)
    assert not context.paths.rows("train").exists()

    (context.paths.data / "r.jsonl").write_bytes(rows(*((f"other text {i}", "login") for i in range(20))))
    write = store.write_rows

    def killed(path: Path, *rest: Any) -> int:
        if path == context.paths.rows("dev"):
            raise KeyboardInterrupt
        return write(path, *rest)

    monkeypatch.setattr(store, "write_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        perform("curate", context)
    assert not context.paths.rows("dev").exists()
    assert not context.paths.rows("test").exists()


@pytest.mark.parametrize(
    ("thief", "train", "test"),
    [
        ("tidy_train_rows", ("charged twice", "where is my refund", "no"), ("another text",)),
        ("tidy_test_rows", ("charged twice", "no"), ("another text", "where is my refund")),
    ],
)
def test_lost_row_is_noticed_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thief: str, train: tuple[str, ...], test: tuple[str, ...]
) -> None:
    honest = getattr(curate, thief)

    def swallows(*words: Any) -> Any:
        return (tidy for tidy in honest(*words) if tidy.row.text != "where is my refund")

    files = {
        name: rows(*((text, "login") for text in texts)) for name, texts in (("r.jsonl", train), ("t.jsonl", test))
    }
    context = project(tmp_path, files, data={"test_file": "t.jsonl"})
    report = perform("curate", context)
    assert (report.rows_read, report.test_rows_read) == (4, len(test))
    monkeypatch.setattr(curate, thief, swallows)
    with pytest.raises(ValueError, match="4 rows read, but 2 kept"):
        perform("curate", context)
    assert not context.paths.dropped.exists()


def test_row_lost_by_de_duplication_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = project(tmp_path, {"r.jsonl": rows(("charged twice", "billing"), ("where is my refund", "refund"))})
    monkeypatch.setattr(curate, "drop_near", lambda tests, unique, *_: unique[1:])
    with pytest.raises(ValueError, match="2 rows read, but 1 kept"):
        perform("curate", context)


def test_everything_dropped_is_a_report_with_nothing_kept(tmp_path: Path) -> None:
    report = perform("curate", project(tmp_path, {"r.jsonl": rows(("", "billing"), ("", "login"))}))
    assert (report.rows_kept, report.splits) == (0, {"train": 0, "dev": 0, "test": 0})


MEASURE = """
import resource, sys
from pathlib import Path
from tailtune.core.progress import Silent
from tailtune.tasks.use_case import load_use_case
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.lifecycle import curate
from tailtune.lifecycle.context import Context
report = curate.run(Context(load_use_case(Paths(Path(sys.argv[1])), "tickets"), Settings(), Silent(), None, "curate"))
print(report.rows_kept, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_grows_by_little_more_than_the_rows(tmp_path: Path) -> None:
    """100,000 rows of some 100 characters: 1,000,000 then stay below 3 GiB (benchmarks/curate.py measures them)."""

    def peak_kib(count: int) -> int:
        root = tmp_path / str(count)
        words = ["".join(chr(97 + (i * p) % 26) for p in (3, 5, 7, 11, 13)) + str(i) for i in range(997)]
        project(root, {"r.jsonl": b""})
        with (root / "data" / "tickets" / "r.jsonl").open("w", encoding="utf-8") as out:
            for i in range(count):
                text = " ".join(
                    words[(i * step + i // 97) % 997] for step in (1, 7, 31, 101, 211, 307, 401, 503, 607, 701)
                )
                out.write(json.dumps({"text": f"{text} {i}", "label": LABELS[i % 3]}) + "\n")
        command = [sys.executable, "-c", MEASURE, str(root)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows_kept, peak = map(int, done.stdout.split())
        assert rows_kept > count * 0.5
        return peak

    small, large = peak_kib(10_000), peak_kib(100_000)
    per_row = (large - small) * 1024 / 90_000
    assert per_row < 2800, f"{per_row:.0f} bytes a row"


def test_rows_that_a_tool_rejected_are_dropped_with_that_reason_and_counted(tmp_path: Path) -> None:
    marked = jsonl([{"text": "a text that nobody labelled", "label": None, "answer": "ignore"}])
    context = project(tmp_path, {"r.jsonl": rows(("Why was I charged twice?", "billing")) + marked})
    report = perform("curate", context)
    assert (report.rows_read, report.rows_kept, report.dropped) == (2, 1, {"rejected": 1})
    assert [(example.reason, example.detail) for example in report.dropped_examples] == [("rejected", "answer: ignore")]


def test_a_rejected_row_may_have_any_label(tmp_path: Path) -> None:
    marked = jsonl([{"text": "a text that nobody labelled", "label": "\ud800", "answer": "ignore"}])
    context = project(tmp_path, {"r.jsonl": rows(("Why was I charged twice?", "billing")) + marked})
    assert perform("curate", context).dropped == {"rejected": 1}
    assert dropped(context)[0]["label"] == "\ud800"


def test_slices_are_kept_with_test_rows_and_change_nothing_else(tmp_path: Path) -> None:
    texts = [f"{WORDS[i % 12]} {i * 7919 % 1000} asks {i * 31 % 997}" for i in range(90)]
    content = [{"text": text, "label": LABELS[i % 3]} for i, text in enumerate(texts)]
    sliced = [{**row, "channel": "mail" if i % 2 else None} for i, row in enumerate(content)]
    plain = project(tmp_path / "plain", {"r.jsonl": jsonl(content)})
    apart = project(tmp_path / "apart", {"r.jsonl": jsonl(sliced)}, data={"slices": ["channel"]})
    reports = [perform("curate", context) for context in (plain, apart)]
    assert reports[0] == reports[1]
    for split in ("train", "dev"):
        files = [context.paths.rows(split).read_bytes() for context in (plain, apart)]
        assert files[0] == files[1]
    test = store.read_rows(apart.paths.rows("test"), "test", "x")
    assert {row.slices for row in test} == {(("channel", "mail"),), (("channel", ""),)}
    assert store.rows_digest(test) == store.rows_digest(store.read_rows(plain.paths.rows("test"), "test", "x"))


def test_groups_that_the_users_test_file_parts_are_counted(tmp_path: Path) -> None:
    def group(names: str, start: int) -> bytes:
        made = [f"{WORDS[i % 12]} question {start + i} about {WORDS[(i * 7) % 12]}" for i in range(len(names))]
        return jsonl({"text": t, "label": "billing", "who": who} for t, who in zip(made, names, strict=True))

    files = {"r.jsonl": group("aabbc", 0), "t.jsonl": group("bcde", 100)}
    context = project(tmp_path, files, data={"test_file": "t.jsonl", "group": "who"})
    perform("curate", context)
    assert isinstance(context.progress, Heard)
    (line,) = [line for line in context.progress.lines if "groups in" in line]
    assert line.startswith("2 groups in both t.jsonl and r.jsonl: ")
