from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tailtune.core.errors import DataError, GateError, MissingInputError
from tailtune.core.records import SPLITS, Row, Split
from tailtune.core.reports import ExpectationResult, ValidateReport
from tailtune.lifecycle.context import Context
from tailtune.services import store

from ..helpers import LABELS, jsonl, perform, project, rows

WORDS = ["card", "pay", "refund", "charged", "twice", "why", "top", "login", "fails", "cash", "late", "please"]
VALIDATE = {"min_rows": 50, "min_rows_per_class": 5}


def texts(count: int, start: int = 0) -> list[tuple[str, str]]:
    return [
        (f"{WORDS[i % 12]} {i * 7919 % 1000} {WORDS[i * 5 % 12]} question {i * 31337 % 9973}", LABELS[i % 3])
        for i in range(start, start + count)
    ]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A use case that passes."""
    made = project(tmp_path, {"r.jsonl": rows(*texts(150))}, validate=VALIDATE)
    perform("curate", made)
    return made


def change(context: Context, split: Split, rewrite: Callable[[list[Row]], list[Row]]) -> None:
    """Rewrite the curated rows of a split, as a faulty curation or a hand would."""
    old = store.read_rows(context.paths.rows(split), split, "x")
    store.write_rows(context.paths.rows(split), [rewrite(old)])


def refused(context: Context) -> tuple[GateError, list[ExpectationResult]]:
    with pytest.raises(GateError) as caught:
        perform("validate", context)
    report = caught.value.report
    assert isinstance(report, ValidateReport)
    assert not report.passed
    assert not context.paths.passed.exists()
    assert context.project.root.joinpath(report.docs).is_file()
    return caught.value, [result for result in report.expectations if not result.passed]


def test_curated_rows_pass_and_what_is_written_depends_on_the_rows_alone(context: Context) -> None:
    report = perform("validate", context)
    assert report.passed
    assert all(result.passed for result in report.expectations)
    before = context.paths.passed.read_bytes()
    passed = json.loads(before)
    digest = store.rows_digest(*(store.read_rows(context.paths.rows(s), s, "x") for s in ("train", "dev")))
    assert passed["rows_digest"] == report.rows_digest == digest
    assert sum(passed["rows"].values()) == report.rows_read
    perform("validate", context)
    assert context.paths.passed.read_bytes() == before
    store.require_passed(context.paths.passed, digest, "tickets")


def test_data_docs_open_without_a_network_and_say_what_was_expected(context: Context) -> None:
    report = perform("validate", context)
    index = context.project.root / report.docs
    pages = sorted(context.paths.docs.rglob("*.html"))
    assert len(pages) > 5
    for page in pages:
        assert not re.search(r"<script|<link|<img[^>]*http|url\(.?http", page.read_text(encoding="utf-8")), page
    html = index.read_text(encoding="utf-8")
    assert all(result.name in html for result in report.expectations)
    links = re.findall(r"<a href='([^']+)'", html)
    assert links
    assert all((index.parent / link).is_file() for link in links)


def test_too_few_rows_and_classes_are_told_with_their_counts(tmp_path: Path) -> None:
    few = [*texts(40), ("a question about something else", "refund")]
    context = project(tmp_path, {"r.jsonl": rows(*few)}, labels=(*LABELS, "fraud"))
    perform("curate", context)
    error, failed = refused(context)
    assert [result.subject for result in failed] == ["rows", "train_rows"]
    assert "There are at least 200 curated rows. (expect_table_row_count_to_be_between)\n    found: 41" in str(error)
    assert "fraud (0 train rows)" in failed[1].bad_origins
    assert error.message.startswith("tickets: 2 of 17 expectations failed\n")
    assert error.hint == (
        "correct the rows in data/tickets/, or what `validate:` in models/tickets/model.yaml expects; "
        "then  tailtune run tickets"
    )


def test_a_text_of_train_that_stands_in_dev_or_test_is_a_leak_with_both_origins(context: Context) -> None:
    train = store.read_rows(context.paths.rows("train"), "train", "x")
    exact = replace(train[0], id="exact", text=train[0].text.upper() + "!", origin="r.jsonl:901")
    almost = replace(train[1], id="near", text=train[1].text + " so", origin="r.jsonl:902")
    change(context, "test", lambda old: [*old, exact])
    change(context, "dev", lambda old: [*old, almost])
    error, failed = refused(context)
    assert {result.subject: result.bad_origins for result in failed} == {
        "same_text_in_other_split": ("r.jsonl:901",),
        "near_text_in_other_split": ("r.jsonl:902",),
    }
    assert "No text of dev or test stands in an earlier split." in str(error)
    assert "1 not so: r.jsonl:901" in str(error)


def test_a_group_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    content = jsonl({"text": text, "label": label, "who": f"c{i}"} for i, (text, label) in enumerate(texts(150)))
    context = project(tmp_path, {"r.jsonl": content}, data={"group": "who"}, validate=VALIDATE)
    perform("curate", context)
    assert perform("validate", context).passed
    group = store.read_rows(context.paths.rows("train"), "train", "x")[0].group
    change(context, "test", lambda old: [replace(old[0], group=group), *old[1:]])
    _, failed = refused(context)
    assert [result.subject for result in failed] == ["group_in_other_split"]


def test_a_label_outside_the_set_an_id_twice_and_a_long_text_are_told_by_origin(context: Context) -> None:
    change(
        context,
        "train",
        lambda old: [
            replace(old[0], label="spam"),
            replace(old[1], text="x" * 3000),
            *old[2:],
            replace(old[3], text="another text for the same id", origin="r.jsonl:999"),
        ],
    )
    _, failed = refused(context)
    train = store.read_rows(context.paths.rows("train"), "train", "x")
    assert {result.name: set(result.bad_origins) for result in failed} == {
        "expect_column_values_to_be_in_set": {train[0].origin},
        "expect_column_values_to_be_unique": {train[3].origin, "r.jsonl:999"},
        "expect_column_value_lengths_to_be_between": {train[1].origin},
    }


def test_at_most_ten_origins_are_named_and_the_rest_counted(context: Context) -> None:
    change(context, "train", lambda old: [replace(row, label="spam") for row in old])
    error, failed = refused(context)
    wrong = next(result for result in failed if result.subject == "label")
    assert wrong.bad_rows > 50
    assert len(wrong.bad_origins) == 10
    assert f" and {wrong.bad_rows - 10:,} more" in str(error)


def test_a_test_file_that_leaks_into_train_is_refused(tmp_path: Path) -> None:
    files = {"r.jsonl": rows(*texts(150)), "t.jsonl": rows(*texts(40, start=145))}
    context = project(tmp_path, files, data={"test_file": "t.jsonl"}, validate=VALIDATE)
    assert perform("curate", context).leaked_test_rows == 5
    error, failed = refused(context)
    assert [result.subject for result in failed] == ["leaked_test_share"]
    assert "5 of 40 test rows leaked (12.5 %)" in str(error)

    lenient = project(tmp_path, files, data={"test_file": "t.jsonl"}, validate={**VALIDATE, "max_leak_share": 0.2})
    assert perform("validate", lenient).passed


def test_a_test_file_may_hold_short_long_and_repeated_texts(tmp_path: Path) -> None:
    test = [("x", "billing"), ("y " * 3000, "login"), *[("one text that is asked again and again", "refund")] * 3]
    files = {"r.jsonl": rows(*texts(150)), "t.jsonl": rows(*test)}
    context = project(tmp_path, files, data={"test_file": "t.jsonl"}, validate=VALIDATE)
    perform("curate", context)
    assert perform("validate", context).passed


def test_too_many_dropped_rows_are_refused(tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(*texts(100), *texts(100), *texts(20))}, validate=VALIDATE)
    perform("curate", context)
    error, failed = refused(context)
    assert [result.subject for result in failed] == ["dropped_share"]
    assert "120 of 220 rows dropped (54.5 %)" in str(error)


def test_an_empty_split_is_refused(context: Context) -> None:
    change(context, "dev", lambda old: [])
    _, failed = refused(context)
    assert [(result.subject, result.bad_origins) for result in failed] == [("rows", ("dev (0 rows)",))]


def test_no_rows_at_all_are_refused_in_words(tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(("", "billing"))})
    perform("curate", context)
    error, _ = refused(context)
    assert "There are at least 200 curated rows." in str(error)


def test_without_curated_rows_the_next_command_is_named(tmp_path: Path) -> None:
    context = project(tmp_path, {})
    with pytest.raises(MissingInputError) as caught:
        perform("validate", context)
    assert caught.value.hint == "tailtune curate tickets"
    for split in SPLITS:
        store.write_rows(context.paths.rows(split), [])
    with pytest.raises(MissingInputError, match=r"dropped\.jsonl"):
        perform("validate", context)


def test_rows_that_must_not_fail_are_handed_on_cleaned(tmp_path: Path) -> None:
    must = rows(("  My card  was stolen, call 0171 2345678  ", LABELS[0]))
    targets = {"must_not_fail": "must.jsonl", "recall": {LABELS[1]: 0.9}}
    made = project(tmp_path, {"r.jsonl": rows(*texts(150)), "must.jsonl": must}, validate=VALIDATE, targets=targets)
    perform("curate", made)
    perform("validate", made)
    passed = json.loads(made.paths.passed.read_text(encoding="utf-8"))
    assert passed["must_not_fail"] == [
        {"text": "My card was stolen, call <phone>", "label": LABELS[0], "origin": "must.jsonl:1"}
    ]
    assert passed["measured_besides"] == {"recall": [LABELS[1]], "f1": []}


def test_a_row_that_must_not_fail_has_a_declared_label(tmp_path: Path) -> None:
    files = {"r.jsonl": rows(*texts(150)), "must.jsonl": rows(("my card was stolen", "theft"))}
    made = project(tmp_path, files, validate=VALIDATE, targets={"must_not_fail": "must.jsonl"})
    perform("curate", made)
    with pytest.raises(DataError, match="theft"):
        perform("validate", made)
