"""Labels that look alike: spelled as texts are, named with counts, and one where labels.yaml says so."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from config.examples import MODEL_YAML, project
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.errors import DataError, SpecError
from tailtune.services.sources import Columns, RawRow, labels_in, one_label
from tailtune.tasks.classification.config import LabelSet, load_labels
from tailtune.tasks.classification.new import declare
from tailtune.tasks.classification.replies import LabelCodec
from tailtune.tasks.declare import NewUseCase
from tailtune.tasks.extraction.new import declare as declare_extraction
from tailtune.tasks.label_check import RESPELLED, NameCheck, look_alike_lines, look_alikes, skeleton, visible
from tailtune.tasks.saved import codec_from
from tailtune.tasks.use_case import UseCase, load_use_case

CAFE, DECOMPOSED = "café", unicodedata.normalize("NFD", "café")
ALIASED = "login: {description: access, also: [Log-in, sign in]}\nbilling: money\n"


def case_of(tmp_path: Path, labels: str) -> UseCase:
    return load_use_case(project(tmp_path, MODEL_YAML, labels), "tickets")


@pytest.mark.parametrize(
    "other",
    [
        "Log in", "LOGIN", "log_in", "log-in", "login.", "“login”", "log\u200bin", "log\u200din", "login\ufe0f",
        "ｌｏｇｉｎ",
        "log\u00adin", " login ", "(login)", "log\u00a0in", "\ufefflogin",
    ],
)  # fmt: skip
def test_spellings_of_one_label_look_alike(other: str) -> None:
    assert look_alikes(["login", "billing", other]) == [("login", other)]


@pytest.mark.parametrize(
    "pair",
    [
        ("C", "C#"), ("C", "C++"), ("-1", "1"), ("1.1", "11"), ("v1.1", "v11"), ("+", "-"), ("50%", "50"), ("a", "b"),
        ("no", "not"), ("<5", ">5"), ("!", "?"), ("😀", "😡"), ("level 1-1", "level 11"),
    ],
)  # fmt: skip
def test_labels_that_differ_in_more_do_not(pair: tuple[str, str]) -> None:
    assert look_alikes(pair) == []


@given(st.text(min_size=1, max_size=20))
def test_case_and_composition_never_tell_labels_apart(label: str) -> None:
    assert skeleton(label) == skeleton(unicodedata.normalize("NFD", label))
    assert skeleton(label) == skeleton(f"\u200b{label}\u200d")
    assert visible(label).isprintable()


def test_look_alikes_are_named_with_counts() -> None:
    rows = {"billing": 229, "login": 203, "Login": 97, "sync\u200d": 2, "sync": 211, "unused": 0, "Unused": 0}
    assert look_alike_lines(rows, "label", "{0}: {{also: [{1}]}}") == [
        "labels that look alike: sync (211), sync\\u200d (2)",
        "labels that look alike: login (203), Login (97)",
        'sync: {also: ["sync\u200d"]}',
    ]
    assert look_alike_lines({"billing": 1, "login": 1}, "label", "x") == []


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        (DECOMPOSED, CAFE),
        ("log\u200bin", "login"),
        ("log  in", "log in"),
        ("\u200elogin", "login"),
        ("Log-in", "login"),
        ("Log\u200b-in", "login"),
        ("sign\u00a0in", "login"),
        ("strange", "strange"),
    ],
)
def test_a_raw_label_is_cleaned_as_texts_are(raw: str, label: str) -> None:
    labels = LabelSet({"login": "", "log in": "", CAFE: ""}, {"Log-in": "login", "sign in": "login"})
    assert labels.label_of(raw) == label


def test_rows_in_another_spelling_are_counted_under_the_declared_label(tmp_path: Path) -> None:
    task = case_of(tmp_path, ALIASED).task
    check = task.label_check()
    for number, raw in enumerate(["login", "Log-in", "sign\u200b in", "billing"]):
        check.add(raw, f"rows.csv:{number}")
    assert (dict(check.seen), list(check.faults())) == ({"login": 3, "billing": 1}, [])
    respelled = task.prepare_row(RawRow("text", "Log-in", "rows.csv:2"), "text", ())
    assert (respelled.label, respelled.changes) == ("login", (RESPELLED,))
    assert task.prepare_row(RawRow("text", "login", "rows.csv:2"), "text", ()).changes == ()


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ('{"label": "Log-in"}', "login"),
        ('{"label": "log in"}', "login"),
        ("**SIGN-IN**", "login"),
        ('{"label": "sign\u200b in"}', "login"),
        ('{"label": ["Sign in", "login"]}', "login"),
        ('{"label": "login (Log-in)"}', None),
        ('{"label": "sign in or billing"}', None),
        ('{"label": "sign"}', None),
        ('{"label": "!"}', None),
    ],
)
def test_a_prompted_answer_in_another_spelling_counts_as_its_label(
    tmp_path: Path, reply: str, label: str | None
) -> None:
    codec = case_of(tmp_path, ALIASED).task.codec()
    assert [codec_from(codec.card()).read(reply, "a text").answer.value, codec.read(reply, "").answer.value] == [
        label,
        label,
    ]


def test_a_spelling_that_two_labels_share_once_folded_must_be_exact() -> None:
    codec = LabelCodec({"a_b": "", "x": "", CAFE: "", "?": ""}, {"a-b": "x"})
    replies = ["a_b", "a-b", "A B", DECOMPOSED, "…", "?"]
    assert [codec.read(reply, "").answer.value for reply in replies] == ["a_b", "x", None, CAFE, None, "?"]


def test_a_card_of_a_label_set_without_other_spellings_stays_as_it_was() -> None:
    assert LabelCodec({"a": "b"}).card() == {"kind": "labels", "labels": {"a": "b"}}


def test_an_undeclared_label_is_told_its_look_alike() -> None:
    check = NameCheck(["login", "logins"], "labels.yaml", "data")
    check.add("LOG\u200bIN", "rows.csv:2")
    assert [str(fault) for fault in check.faults()] == [
        "data/rows.csv:2  label `LOG\\u200bIN` is not in labels.yaml; did you mean login? (1 row: rows.csv:2)"
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("login: {also: [Login], als: 1}\nb:\n", "1  login.als: unknown key; did you mean also?"),
        ("login:\n  also: Login\nb:\n", "2  login.also: expected a list of other spellings, found 'Login'"),
        ("login:\n  also:\n    - b\nb:\n", "3  login.also.0: `b` is a label itself; remove its own line, or this one"),
        ("a:\n  also: [x]\nb:\n  also: [X, x]\n", "4  b.also.1: `x` already stands for a"),
        ("a: {also: [a]}\nb:\n", "1  a.also.0: `a` is a label itself; remove its own line, or this one"),
        ("a: {also: [yes]}\nb:\n", "1  a.also.0: expected another spelling of the label in quotes, found True"),
        (
            'a: {also: ["\\u200b"]}\nb:\n',
            "1  a.also.0: expected another spelling of the label in quotes, found '\\u200b'",
        ),
        ("a: {description: 3}\nb:\n", "1  a.description: expected a description in words, found 3"),
        (f"{CAFE}:\n{DECOMPOSED}:\nb:\n", f"2  {DECOMPOSED}: the same label as on line 1, once cleaned"),
    ],
)
def test_a_fault_in_other_spellings_has_its_line(tmp_path: Path, labels: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        case_of(tmp_path, labels)
    assert [str(fault) for fault in caught.value.faults] == [f"models/tickets/labels.yaml:{expected}"]


def test_other_spellings_are_text_as_written(tmp_path: Path) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text("a:\n  also: [007, 1_000]\nb:\n  also:\n    - 1:30\n")
    labels = load_labels(file, "labels.yaml", "")
    assert labels.aliases == {"007": "a", "1_000": "a", "1:30": "b"}


@pytest.mark.parametrize("label", ["\u200b", "\u200d\u2060", " \ufeff "])
def test_a_label_of_nothing_visible_is_no_label(tmp_path: Path, label: str) -> None:
    source = tmp_path / "rows.csv"
    source.write_text(f'text,label\nhello,"{label}"\n', encoding="utf-8")
    with pytest.raises(DataError, match="holds nothing visible; expected a label on every row"):
        labels_in(source, Columns("text", ("label",), one_label("label")))


def test_new_names_look_alikes_and_merges_what_cleaning_makes_equal(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    names = ["login", "Login", "log\u200bin", CAFE, DECOMPOSED]
    source.write_text("text,label\n" + "".join(f"text {name},{name}\n" for name in names), encoding="utf-8")
    made = declare(NewUseCase(name="x", source=source))
    assert made.notes == [
        "3 labels; better descriptions make a better zero-shot rung",
        "labels that look alike: login (2), Login (1)",
        "say which are one in labels.yaml, and remove the other line:  login: {also: [Login]}",
    ]


def test_new_names_fields_and_values_of_an_extraction_that_look_alike(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    rows: list[dict[str, Any]] = [
        {"text": f"call {at} of Ann", "fields": {"Name" if at % 4 else "name": "Ann"}} for at in range(400)
    ]
    for at, row in enumerate(rows):
        row["fields"] |= {"state": ("open", "Open", "closed", "open")[at % 4]}
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    notes = declare_extraction(NewUseCase(name="x", source=source)).notes
    assert notes[1:3] == [
        "fields that look alike: Name (300), name (100)",
        "`state` values that look alike: open (200), Open (100)",
    ]
