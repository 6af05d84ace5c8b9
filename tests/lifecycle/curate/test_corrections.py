"""Labels that people corrected: curation finds their rows, counts them, and names what it cannot use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tailtune.core.errors import DataError, UsageError
from tailtune.core.records import SPLITS, Row
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.corrections import receive
from tailtune.services import store
from tailtune.services.corrections import write_corrections

from ..helpers import LABELS, NAME, perform, project, rows

CONTENT = [
    ("why was i charged two times for one order", "login"),
    ("please give me back the money for my chair", "refund"),
    ("the password that i chose is never accepted", "login"),
    ("you may delete the invoice of last november", "billing"),
]


def made(root: Path, content: list[tuple[str, str]] = CONTENT, **keys: Any) -> Context:
    context = project(root, {"r.jsonl": rows(*content)}, **keys)
    perform("curate", context)
    return context


def kept(context: Context) -> dict[str, Row]:
    """Text → row."""
    found = [row for split in SPLITS for row in store.read_rows(context.paths.rows(split), split, NAME)]
    return {row.text: row for row in found}


def labelled(context: Context, *lines: dict[str, Any], at: str = "2026-11-01") -> None:
    """Take in a file of corrected labels, as `tailtune labels` does."""
    file = context.paths.project.root / "review.jsonl"
    file.write_text("".join(json.dumps({"who": "Ana", "at": at, **line}) + "\n" for line in lines), encoding="utf-8")
    corrections, _ = receive(context.case, file, "review.jsonl")
    write_corrections(context.paths.corrections, corrections)


def test_a_corrected_label_is_counted_and_its_row_stays_the_same_row(tmp_path: Path) -> None:
    context = made(tmp_path)
    wrong, right = kept(context)[CONTENT[0][0]], kept(context)[CONTENT[1][0]]
    labelled(context, {"id": wrong.id, "label": "billing"}, {"text": right.text.upper(), "label": "refund"})
    report = perform("curate", context)
    assert (report.corrected_rows, report.confirmed_rows, report.unused_corrections) == (1, 1, 0)
    assert report.changed == {"label_corrected": 1}
    assert report.labels == {"billing": 2, "login": 1, "refund": 1}
    now = kept(context)
    assert (now[wrong.text].id, now[wrong.text].split, now[wrong.text].label) == (wrong.id, wrong.split, "billing")
    assert {row.text for row in now.values() if row.reviewed} == {wrong.text, right.text}


def test_a_later_correction_supersedes_an_earlier_one(tmp_path: Path) -> None:
    context = made(tmp_path)
    id_ = kept(context)[CONTENT[0][0]].id
    labelled(context, {"id": id_, "label": "billing"})
    perform("curate", context)
    labelled(context, {"id": id_, "label": "login", "who": "Ben"})
    report = perform("curate", context)
    assert (report.corrected_rows, report.confirmed_rows) == (0, 1)
    assert [json.loads(line)["who"] for line in context.paths.corrections.read_text().splitlines()] == ["Ben"]


def test_an_id_beside_another_rows_text_and_a_time_in_another_form_are_refused(tmp_path: Path) -> None:
    context = made(tmp_path)
    rows_now = kept(context)
    first, second = (rows_now[text].id for text, _ in CONTENT[:2])
    labelled(context, {"id": first, "text": f"'{CONTENT[0][0].upper()}!", "label": "billing"})
    labelled(context, {"id": first, "text": "a text that no row has", "label": "billing"})
    with pytest.raises(DataError, match=f"the text is not that of the row {first} but of {second}; expected one row"):
        labelled(context, {"id": first, "text": CONTENT[1][0], "label": "billing"})
    for at in ("31.12.2026", "12/31/2026", "1767139200000", "yesterday"):
        with pytest.raises(DataError, match=f"`at` is {at}; expected a day or a time as 2026-03-12"):
            labelled(context, {"id": first, "label": "billing"}, at=at)
    labelled(context, {"id": first, "label": "billing"}, at="2026-12-31 14:05")


def test_labels_that_are_numbers_are_labels(tmp_path: Path) -> None:
    context = made(tmp_path, [(CONTENT[0][0], "0"), (CONTENT[1][0], "1")], labels=("0", "1"))
    ids = [kept(context)[text].id for text, _ in CONTENT[:2]]
    lines: list[dict[str, Any]] = [{"id": ids[0], "label": 0}, {"id": ids[1], "label": 0.0}]
    labelled(context, *lines, {"id": "", "label": float("nan"), "who": None, "at": float("nan")})
    report = perform("curate", context)
    assert (report.corrected_rows, report.confirmed_rows) == (1, 1)


def test_the_same_text_has_one_label_afterwards(tmp_path: Path) -> None:
    again = [*CONTENT, ("Why was I charged TWO times for one order", "refund")]
    context = made(tmp_path, again)
    labelled(context, {"text": CONTENT[0][0], "label": "billing"})
    report = perform("curate", context)
    assert report.dropped == {"duplicate": 1}  # no longer under another label
    assert report.labels["billing"] == 2


def test_rows_of_a_given_test_file_are_corrected_too(tmp_path: Path) -> None:
    files = {"r.jsonl": rows(*CONTENT), "t.jsonl": rows(("log me in please, nothing works", "refund"))}
    context = project(tmp_path, files, data={"test_file": "t.jsonl"})
    perform("curate", context)
    labelled(context, {"text": "log me in please, nothing works", "label": "login"})
    assert perform("curate", context).corrected_rows == 1
    (row,) = store.read_rows(context.paths.rows("test"), "test", NAME)
    assert (row.label, row.reviewed) == ("login", True)


def test_a_correction_of_a_row_that_is_gone_is_counted(tmp_path: Path) -> None:
    context = made(tmp_path)
    labelled(context, {"text": CONTENT[0][0], "label": "billing"})
    (context.paths.data / "r.jsonl").write_bytes(rows(*CONTENT[1:]))
    report = perform("curate", context)
    assert (report.corrected_rows, report.unused_corrections) == (0, 1)


def test_what_is_wrong_is_refused_with_its_line_and_nothing_is_kept(tmp_path: Path) -> None:
    context = made(tmp_path)
    id_ = kept(context)[CONTENT[0][0]].id
    with pytest.raises(DataError) as error:
        labelled(
            context,
            {"id": "feedfeedfeedfeed", "label": "billing"},
            {"id": id_, "label": "biling"},
            {"id": id_, "label": "billing", "who": " "},
            {"text": "nobody ever wrote this", "label": "billing"},
            {"label": "billing"},
            {"id": id_, "label": "billing"},
            {"text": CONTENT[0][0], "label": "refund"},
        )
    faults = [str(fault) for fault in error.value.faults]
    assert faults == [
        "review.jsonl:1  no row has the id feedfeedfeedfeed; expected one of suspect_labels.jsonl",
        f"review.jsonl:2  label `biling` is not in models/{NAME}/labels.yaml; did you mean billing?",
        "review.jsonl:3  `who` is empty; expected the name of the person who looked at the label",
        "review.jsonl:4  no row has this text; expected one that curation keeps",
        "review.jsonl:5  neither id nor text; expected one of them, to know the row by",
        "review.jsonl:7  the row of line 6, there labelled billing; expected one label a row",
    ]
    assert not context.paths.corrections.exists()


def test_a_label_that_is_no_longer_declared_is_named_with_its_line(tmp_path: Path) -> None:
    context = made(tmp_path)
    labelled(context, {"text": CONTENT[0][0], "label": "billing"})
    content = [(text, label) for text, label in CONTENT if label != "billing"]
    fewer = project(tmp_path, {"r.jsonl": rows(*content)}, labels=[label for label in LABELS if label != "billing"])
    with pytest.raises(DataError, match=r"corrections\.jsonl:1  label `billing` is not in"):
        perform("curate", fewer)


def test_the_same_file_again_says_nothing_new(tmp_path: Path) -> None:
    context = made(tmp_path)
    labelled(context, {"text": CONTENT[0][0], "label": "billing"})
    corrections, fresh = receive(context.case, tmp_path / "review.jsonl", "review.jsonl")
    assert (len(corrections), fresh) == (1, [])


def test_rows_that_are_called_corrections_are_rows(tmp_path: Path) -> None:
    context = project(tmp_path, {"corrections.jsonl": rows(*CONTENT)})
    assert perform("curate", context).rows_kept == len(CONTENT)
    with pytest.raises(UsageError, match="holds rows"):
        receive(context.case, tmp_path / "review.jsonl", "review.jsonl")


def test_labels_of_an_extraction_are_corrected_in_its_files(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}
    content = b'{"text": "my name is Ada Lovelace", "fields": {"name": "Ada Lovelace"}}\n'
    context = project(tmp_path, {"r.jsonl": content}, schema=schema, data={"fields": "fields"})
    perform("curate", context)
    with pytest.raises(DataError, match="labels of extraction cannot be corrected this way"):
        labelled(context, {"text": "my name is Ada Lovelace", "label": "x"})
