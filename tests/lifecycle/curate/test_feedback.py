"""Right answers that people gave after the model had answered: train rows, never dev or test rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tailtune.core.errors import DataError, UsageError
from tailtune.core.records import SPLITS, Row, Split
from tailtune.lifecycle import corrections
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.feedback import receive, receive_sent
from tailtune.services import store
from tailtune.services.corrections import write_corrections
from tailtune.services.prediction_log import ReceivedFeedback

from ..helpers import LABELS, NAME, jsonl, perform, project, rows

CONTENT = [
    ("why was i charged two times for one order", "login"),
    ("please give me back the money for my chair", "refund"),
    ("the password that i chose is never accepted", "login"),
    ("you may delete the invoice of last november", "billing"),
]
LOGGED: Mapping[str, Mapping[int, str | None]] = {
    "r1": {0: "the courier charged me a fee for nothing", 1: "who may read my invoices there"},
    "r2": {0: None},
}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}


def texts(request_id: str) -> Mapping[int, str | None]:
    return LOGGED.get(request_id, {})


def sent(context: Context, *lines: dict[str, Any]) -> None:
    """Take in a file of right answers, as `tailtune feedback` does."""
    file = context.paths.project.root / "answers.jsonl"
    file.write_bytes(jsonl({"who": "Ana", **line} for line in lines))
    kept, _ = receive(context.case, file, "answers.jsonl", texts)
    write_corrections(context.paths.feedback, kept)


def curated(context: Context) -> tuple[Any, dict[str, Row]]:
    """The report, and text → row."""
    report = perform("curate", context)
    parse = context.case.task.parse_label
    found = [row for split in SPLITS for row in store.read_rows(context.paths.rows(split), split, NAME, parse)]
    return report, {row.text: row for row in found}


def without_splits(root: Path, **keys: Any) -> Context:
    """All rows of the file go to train."""
    return project(root, {"r.jsonl": rows(*CONTENT)}, split={"dev_share": 1e-9, "test_share": 1e-9}, **keys)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_new_text_goes_to_train_whatever_its_hash_says(split: Split, tmp_path: Path) -> None:
    shares = {"dev_share": 1e-9, "test_share": 1e-9} | {f"{split}_share": 0.49}
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)}, split=shares)
    before = curated(context)[1]
    asks = [f"{word} charged me a fee" for word in ("bank", "shop", "uncle", "landlord", "neighbour", "courier")]
    sent(context, *({"text": text, "label": "billing"} for text in asks))
    report, now = curated(context)
    assert report.feedback_rows == sum(now[text].split == "train" for text in asks) == len(asks)
    assert {text: now[text].split for text in before} == {text: row.split for text, row in before.items()}
    assert all(now[text].reviewed and now[text].origin.startswith("feedback.jsonl:") for text in asks)
    assert (report.corrected_rows, report.confirmed_rows) == (0, 0)


def test_a_text_is_found_by_its_request(tmp_path: Path) -> None:
    context = without_splits(tmp_path)
    sent(context, {"request_id": "r1", "label": "refund"}, {"request_id": "r1", "row": 1.0, "label": "billing"})
    now = curated(context)[1]
    assert now["the courier charged me a fee for nothing"].label == "refund"
    assert now["who may read my invoices there"].label == "billing"


def test_a_train_row_gets_the_label_and_stays_the_same_row(tmp_path: Path) -> None:
    context = without_splits(tmp_path)
    before = curated(context)[1][CONTENT[0][0]]
    sent(context, {"text": CONTENT[0][0].upper(), "label": "billing"}, {"text": CONTENT[1][0], "label": "refund"})
    report, now = curated(context)
    row = now[CONTENT[0][0]]
    assert (row.id, row.split, row.label, row.review) == (before.id, before.split, "billing", "corrected")
    assert (report.corrected_rows, report.confirmed_rows, report.feedback_rows) == (1, 1, 0)
    assert report.dropped == {"duplicate": 2}, "feedback on a row that is there is no second row"
    assert report.rows_read == len(CONTENT) + 2


@pytest.mark.parametrize("split", ["dev", "test"])
def test_rows_of_dev_and_test_stay_as_they_are(split: Split, tmp_path: Path) -> None:
    shares = {"dev_share": 1e-9, "test_share": 1e-9} | {f"{split}_share": 0.49}
    context = project(tmp_path, {"r.jsonl": rows(*CONTENT)}, split=shares)
    before = curated(context)[1]
    apart = [row for row in before.values() if row.split == split]
    assert apart
    sent(context, *({"text": row.text, "label": "billing"} for row in apart))
    report, now = curated(context)
    assert now == before
    assert report.dropped == {"feedback_on_dev_or_test": len(apart)}
    assert report.feedback_rows == report.corrected_rows == 0


def test_rows_of_a_given_test_file_are_not_leaked_by_feedback(tmp_path: Path) -> None:
    files = {"r.jsonl": rows(*CONTENT), "t.jsonl": rows(("log me in please, nothing works", "refund"))}
    context = project(tmp_path, files, data={"test_file": "t.jsonl"}, split={"dev_share": 1e-9})
    sent(
        context,
        {"text": "Log me in please, nothing works", "label": "login"},
        {"text": "log me in please, nothing works!!", "label": "login"},
    )
    report, now = curated(context)
    assert report.dropped == {"feedback_on_dev_or_test": report.rows_read - report.rows_kept}
    assert report.leaked_test_rows == 0
    assert now["log me in please, nothing works"].label == "refund"


def test_the_latest_answer_counts_also_beside_corrections(tmp_path: Path) -> None:
    context = without_splits(tmp_path)
    text = CONTENT[0][0]
    curated(context)
    sent(
        context,
        {"text": text, "label": "billing", "at": "2026-11-02"},
        {"text": text, "label": "refund", "at": "2026-11-01T10:00:00+00:00"},
    )
    assert curated(context)[1][text].label == "billing"
    corrections = [json.loads(line) for line in context.paths.feedback.read_text().splitlines()]
    for at, expected in (("2026-11-01", "billing"), ("2026-11-03", "refund")):
        line = {**corrections[0], "label": "refund", "at": at}
        context.paths.corrections.write_bytes(jsonl([line]))
        assert curated(context)[1][text].label == expected


def test_the_same_file_again_says_nothing_new(tmp_path: Path) -> None:
    context = without_splits(tmp_path)
    sent(context, {"text": CONTENT[0][0], "label": "billing"})
    kept, fresh = receive(context.case, tmp_path / "answers.jsonl", "answers.jsonl", texts)
    assert (len(kept), fresh) == (1, [])


@pytest.mark.parametrize(("corrected_at", "label"), [("2026-01-01", "refund"), ("2026-03-01", "login")])
def test_the_later_of_feedback_and_correction_labels_a_row_that_came_as_feedback(
    corrected_at: str, label: str, tmp_path: Path
) -> None:
    context = without_splits(tmp_path)
    text = "the courier charged me a fee for nothing"
    sent(context, {"text": text, "label": "refund", "at": "2026-02-01"})
    curated(context)
    file = tmp_path / "corrected.jsonl"
    file.write_bytes(jsonl([{"text": text, "label": "login", "who": "Ben", "at": corrected_at}]))
    write_corrections(context.paths.corrections, corrections.receive(context.case, file, file.name)[0])
    report, now = curated(context)
    assert (now[text].label, now[text].split, now[text].reviewed) == (label, "train", True)
    assert report.feedback_rows == 1


def test_a_right_answer_of_now_counts_also_where_the_one_before_is_dated_later(tmp_path: Path) -> None:
    context = without_splits(tmp_path)
    sent(context, {"text": "a text of its own", "label": "billing", "at": "2099-01-01"})
    sent(context, {"text": "a text of its own", "label": "login", "at": "2026-01-01"})
    assert curated(context)[1]["a text of its own"].label == "billing"
    sent(context, {"text": "a text of its own", "label": "refund"})
    assert curated(context)[1]["a text of its own"].label == "refund"


def test_what_is_wrong_is_refused_with_its_line(tmp_path: Path) -> None:
    context = without_splits(tmp_path, serve={"log": {"text": "hash"}})
    with pytest.raises(DataError) as error:
        sent(
            context,
            {"request_id": "r9", "label": "billing"},
            {"request_id": "r1", "row": 7, "label": "billing"},
            {"request_id": "r2", "label": "billing"},
            {"text": "a text of its own", "label": "biling"},
            {"text": "a text of its own", "label": "billing", "who": " "},
            {"label": "billing"},
            {"request_id": "r1", "row": "second", "label": "billing"},
            {"text": "\u200b", "label": "billing"},
        )
    assert [str(fault) for fault in error.value.faults] == [
        "answers.jsonl:1  the prediction log has no request r9; rows are deleted after 90 days (serve.log.keep_days); "
        "expected the text itself",
        "answers.jsonl:2  request r1 has no row 7; expected one of 0, 1",
        "answers.jsonl:3  request r2: its text was not kept (serve.log.text is hash), and a hash cannot be turned "
        "back; expected the text itself",
        f"answers.jsonl:4  label `biling` is not in models/{NAME}/labels.yaml; did you mean billing?",
        "answers.jsonl:5  `who` is empty; expected the name of the person who knows the right answer",
        "answers.jsonl:6  neither request_id nor text; expected one of them, to know what the answer is about",
        "answers.jsonl:7  `row` is second; expected the place of the text in its request, from 0",
        "answers.jsonl:8  no text is left after cleaning",
    ]
    assert not context.paths.feedback.exists()


def test_personal_data_are_scrubbed_before_a_text_is_kept(tmp_path: Path) -> None:
    context = without_splits(tmp_path)
    sent(context, {"text": "send the invoice to ada@example.org", "label": "billing"})
    assert "ada@example.org" not in context.paths.feedback.read_text()
    assert "send the invoice to <email>" in curated(context)[1]


def test_a_label_that_is_no_longer_declared_is_named_with_its_line(tmp_path: Path) -> None:
    context = without_splits(tmp_path)
    sent(context, {"text": "an invoice that nobody wrote", "label": "billing"})
    content = [(text, label) for text, label in CONTENT if label != "billing"]
    fewer = project(tmp_path, {"r.jsonl": rows(*content)}, labels=[label for label in LABELS if label != "billing"])
    with pytest.raises(DataError, match=r"feedback\.jsonl:1  label `billing` is not in"):
        perform("curate", fewer)


def test_what_people_sent_to_the_server_is_taken_in_or_named(tmp_path: Path) -> None:
    context = without_splits(tmp_path)
    answers = [
        ReceivedFeedback(1, 1_790_000_000_000_000, "r1", 0, None, "refund", "Ana"),
        ReceivedFeedback(2, 1_790_000_000_000_000, None, 0, "a text of its own", "nothing", "Ana"),
    ]
    kept, fresh, refused = receive_sent(context.case, answers, texts)
    assert [each.text for each in kept] == [each.text for each in fresh] == [LOGGED["r1"][0]]
    assert kept[0].at.startswith("2026-09-21T")
    assert list(refused) == [2] and "label `nothing` is not in" in refused[2]


@pytest.mark.parametrize("years", [(2090, 2026), (2026, 1970), (2026, 2026)])
def test_of_two_that_people_sent_the_second_counts_whatever_the_clock_says(
    years: tuple[int, int], tmp_path: Path
) -> None:
    context = without_splits(tmp_path)
    answers = [
        ReceivedFeedback(number, (year - 1970) * 31_557_600_000_000, None, 0, "a text of its own", label, "Ana")
        for number, (year, label) in enumerate(zip(years, ("refund", "billing"), strict=True))
    ]
    kept, _, _ = receive_sent(context.case, answers, texts)
    assert [each.label for each in kept] == ["billing"]


def test_rows_that_are_called_feedback_are_rows(tmp_path: Path) -> None:
    context = project(tmp_path, {"feedback.jsonl": rows(*CONTENT)})
    assert curated(context)[0].rows_kept == len(CONTENT)
    with pytest.raises(UsageError, match="holds rows"):
        sent(context, {"text": "a text", "label": "billing"})


def test_an_object_is_feedback_too(tmp_path: Path) -> None:
    content = jsonl([{"text": "my name is Ada Lovelace", "fields": {"name": "Ada"}}])
    keys: Any = {"schema": SCHEMA, "data": {"fields": "fields"}, "split": {"dev_share": 1e-9, "test_share": 1e-9}}
    context = project(tmp_path, {"r.jsonl": content}, **keys)
    sent(
        context,
        {"text": "My name is Ada Lovelace", "label": '{"name": "Ada Lovelace"}'},
        {"text": "please write to Grace Hopper", "label": '{"name": "Grace Hopper"}'},
        {"text": "nobody is named here at all", "label": "{}"},
    )
    report, now = curated(context)
    assert now["my name is Ada Lovelace"].label.values == {"name": "Ada Lovelace"}
    assert now["please write to Grace Hopper"].label.values == {"name": "Grace Hopper"}
    assert now["nobody is named here at all"].label.values == {}
    assert (report.corrected_rows, report.feedback_rows) == (1, 2)


@pytest.mark.parametrize(
    ("label", "expected"),
    [("Ada", "expected a JSON object"), ("[1]", "expected a JSON object"), ('{"nam": "Ada"}', "no such field: nam"),
     ('{"name": {"first": "Ada"}}', "name: ")],
)  # fmt: skip
def test_an_object_that_the_schema_does_not_allow_is_refused(label: str, expected: str, tmp_path: Path) -> None:
    content = jsonl([{"text": "my name is Ada Lovelace", "fields": {"name": "Ada"}}])
    context = project(tmp_path, {"r.jsonl": content}, schema=SCHEMA, data={"fields": "fields"})
    with pytest.raises(DataError, match=expected):
        sent(context, {"text": "my name is Ada", "label": label})


def test_a_time_in_another_form_is_refused_and_not_long_ago(tmp_path: Path) -> None:
    context = without_splits(tmp_path)
    sent(context, {"text": "a text of its own", "label": "billing", "at": "2026-01-01"})
    with pytest.raises(DataError, match=r"`at` is 31\.12\.2026; expected a day or a time as 2026-03-12"):
        sent(context, {"text": "a text of its own", "label": "login", "at": "31.12.2026"})
