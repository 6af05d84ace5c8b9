"""Rows that people labelled for an audit: test rows, never train or dev rows, and nothing that was decided moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tailtune.core.errors import DataError, UsageError
from tailtune.core.records import SPLITS, Row, Split
from tailtune.lifecycle.audits import Received, receive
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.feedback import right_answer
from tailtune.services import store
from tailtune.services.corrections import Correction, write_corrections

from ..helpers import LABELS, NAME, perform, project, rows

CONTENT = [
    ("why was i charged two times for one order", "login"),
    ("please give me back the money for my chair", "refund"),
    ("the password that i chose is never accepted", "login"),
    ("you may delete the invoice of last november", "billing"),
]
NEW = [f"{word} charged me a fee" for word in ("bank", "shop", "uncle", "landlord", "neighbour", "courier")]
ALL: dict[Split, dict[str, float]] = {
    "train": {"dev_share": 1e-9, "test_share": 1e-9},
    "dev": {"dev_share": 0.49, "test_share": 1e-9},
    "test": {"dev_share": 1e-9, "test_share": 0.49},
}


def answers(context: Context, *texts: str, label: str = "billing") -> list[Correction]:
    return [right_answer(context.case.task, lambda text=text: text, label, "Ana", "2026-11-01")[0] for text in texts]


def audited(context: Context, *texts: str, label: str = "billing") -> Received:
    """Take in audited rows, as `tailtune audit --from` does."""
    received = receive(context.case, answers(context, *texts, label=label))
    write_corrections(context.paths.audits, received.kept)
    return received


def curated(context: Context) -> tuple[Any, dict[str, Row]]:
    """The report, and text → row."""
    report = perform("curate", context)
    found = [row for split in SPLITS for row in store.read_rows(context.paths.rows(split), split, NAME)]
    return report, {row.text: row for row in found}


@pytest.mark.parametrize("split", SPLITS)
def test_a_new_text_goes_to_test_whatever_its_hash_says(split: Split, tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)}, split=ALL[split])
    before = curated(context)[1]
    audited(context, *NEW)
    report, now = curated(context)
    assert report.audited_rows == len(NEW)
    assert all(now[text].split == "test" and now[text].reviewed for text in NEW)
    assert all(now[text].origin.startswith("audits.jsonl:") for text in NEW)
    assert {text: now[text].split for text in before} == {text: row.split for text, row in before.items()}
    assert (report.corrected_rows, report.confirmed_rows, report.feedback_rows) == (0, 0, 0)
    assert any("6 new test rows from audits" in line for line in context.progress.lines)  # type: ignore[attr-defined]


@pytest.mark.parametrize("split", SPLITS)
def test_a_text_that_is_there_stays_where_and_as_it_is(split: Split, tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)}, split=ALL[split])
    before = curated(context)[1]
    audited(context, CONTENT[0][0].upper(), CONTENT[1][0] + " again")
    report, now = curated(context)
    assert now == before
    assert report.dropped == {"audited_before": 2}
    assert (report.audited_rows, report.leaked_test_rows) == (0, 0)


def test_audited_rows_stand_beside_those_of_a_given_test_file(tmp_path: Path) -> None:
    files = {"r.jsonl": rows(*CONTENT), "t.jsonl": rows(("log me in please, nothing works", "refund"))}
    context = project(tmp_path, files, data={"test_file": "t.jsonl"}, split={"dev_share": 1e-9})
    audited(context, NEW[0], "Log me in please: nothing works!")
    report, now = curated(context)
    assert {text for text, row in now.items() if row.split == "test"} == {"log me in please, nothing works", NEW[0]}
    assert report.dropped == {"audited_before": 1}
    assert (report.leaked_test_rows, report.test_rows_read) == (0, 1)


def test_later_feedback_on_an_audited_text_does_not_teach_it(tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)}, split=ALL["train"])
    audited(context, NEW[0])
    write_corrections(context.paths.feedback, answers(context, NEW[0], NEW[0] + "!!", label="refund"))
    report, now = curated(context)
    assert (now[NEW[0]].split, now[NEW[0]].label) == ("test", "billing")
    assert report.dropped == {"feedback_on_dev_or_test": report.rows_read - report.rows_kept}
    assert report.feedback_rows == 0


def test_what_was_feedback_first_stays_a_train_row(tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)}, split=ALL["train"])
    text = "the neighbour of my aunt charged me a fee for a parcel that never came"
    write_corrections(context.paths.feedback, answers(context, text, label="refund"))
    before = curated(context)[1]
    received = audited(context, text.upper(), text + " here", NEW[0])
    assert (len(received.kept), received.feedback) == (1, 2)
    now = curated(context)[1]
    assert now[text] == before[text] and now[text].split == "train"
    assert now[NEW[0]].split == "test"


def test_the_same_rows_again_say_nothing_new_and_a_new_label_replaces_the_old_one(tmp_path: Path) -> None:
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)})
    assert len(audited(context, *NEW).fresh) == len(NEW)
    assert not audited(context, *NEW).fresh
    again = audited(context, NEW[0], label="refund")
    assert (len(again.kept), len(again.fresh)) == (len(NEW), 1)
    assert curated(context)[1][NEW[0]].label == "refund"


def test_slices_that_an_audited_row_does_not_have_are_empty(tmp_path: Path) -> None:
    content = rows(*CONTENT).replace(b'"text"', b'"channel": "mail", "text"')
    context = project(tmp_path, {"r.jsonl": content}, data={"slices": ["channel"]}, split=ALL["test"])
    audited(context, NEW[0])
    curated(context)
    test = {row.text: row.slices for row in store.read_rows(context.paths.rows("test"), "test", NAME)}
    assert test[NEW[0]] == (("channel", ""),)


def test_a_label_that_is_no_longer_declared_is_named_with_its_line(tmp_path: Path) -> None:
    audited(project(tmp_path, {"r.jsonl": rows(*CONTENT)}), NEW[0])
    content = [(text, label) for text, label in CONTENT if label != "billing"]
    fewer = project(tmp_path, {"r.jsonl": rows(*content)}, labels=[label for label in LABELS if label != "billing"])
    with pytest.raises(DataError, match=r"audits\.jsonl:1  label `billing` is not in"):
        perform("curate", fewer)


def test_a_file_of_own_rows_that_is_called_so_is_not_taken_for_audits(tmp_path: Path) -> None:
    context = project(tmp_path, {"audits.jsonl": rows(*CONTENT)})
    assert curated(context)[0].audited_rows == 0
    with pytest.raises(UsageError, match="holds rows; expected audited rows there"):
        receive(context.case, answers(context, NEW[0]))
