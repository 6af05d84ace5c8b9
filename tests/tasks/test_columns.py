"""A file with other column names: the error's next command names the columns that look right."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tailtune.core.errors import TailTuneError
from tailtune.tasks.classification.new import declare as declare_classification
from tailtune.tasks.declare import NewUseCase
from tailtune.tasks.extraction.new import declare as declare_extraction

TOPICS = ("money", "login", "delivery")


def plain(n: int) -> dict[str, Any]:
    return {"id": n, "headline": f"Line {n} of a report", "topic": TOPICS[n % 3], "customer": f"c{n}"}


def spans(n: int) -> dict[str, Any]:
    return {"sentence": f"Ann {n} called", "id": n, "ents": [{"start": 0, "end": 3, "label": "who"}] if n % 2 else []}


def values(n: int) -> dict[str, Any]:
    return {"Body": f"Ann {n} called", "gold": {"who": "Ann"}, "team": "north"}


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    if file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return file
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(rows[0])
        writer.writerows([v if isinstance(v, str | int) else json.dumps(v) for v in row.values()] for row in rows)
    return file


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("row", "options"),
    [
        (plain, "--text headline --label topic"),
        (spans, "--text sentence --entities ents"),
        (values, "--text Body --fields gold"),
    ],
)
def test_the_next_command_names_the_columns(tmp_path: Path, kind: str, row: Any, options: str) -> None:
    file = write(tmp_path / f"my rows.{kind}", [row(n) for n in range(30)])
    declare, task = (declare_classification, "") if row is plain else (declare_extraction, " --task extraction")
    with pytest.raises(TailTuneError) as error:
        declare(NewUseCase(name="mine", source=file))
    assert error.value.hint == f"tailtune new mine{task} --from '{file}' {options}"
    named = dict(zip(options.split()[::2], options.split()[1::2], strict=True))
    fields = {option.removeprefix("--"): column for option, column in named.items()}
    assert declare(NewUseCase(name="mine", source=file, **fields)).rows == 30


def test_what_was_named_rightly_is_kept(tmp_path: Path) -> None:
    file = write(tmp_path / "r.csv", [plain(n) for n in range(30)])
    with pytest.raises(TailTuneError) as error:
        declare_classification(NewUseCase(name="mine", source=file, test=file, text="headline", group="customer"))
    assert error.value.hint == (
        f"tailtune new mine --from {file} --test {file} --text headline --label topic --group customer"
    )


def test_what_cannot_be_guessed_is_left_to_the_person(tmp_path: Path) -> None:
    file = write(tmp_path / "r.jsonl", [{"a": None, "b": []}])
    with pytest.raises(TailTuneError) as error:
        declare_classification(NewUseCase(name="mine", source=file))
    assert error.value.hint.endswith("--text COLUMN --label COLUMN")


def test_what_an_annotation_tool_says_of_a_row_is_not_its_label(tmp_path: Path) -> None:
    marks = ("accept", "reject", "ignore", "accept")
    file = write(tmp_path / "f.jsonl", [{"text": f"t {n}", "accept": ["a"], "answer": marks[n % 4]} for n in range(30)])
    with pytest.raises(TailTuneError) as error:
        declare_classification(NewUseCase(name="mine", source=file))
    assert error.value.hint is not None and "answer" not in error.value.hint


@pytest.mark.parametrize(
    ("column", "values", "noted"),
    [
        ("split", ("train", "dev", "Test "), True),
        ("fold", ("training", "training"), True),
        ("split", ("0", "1"), False),
        ("label", ("train", "test"), False),
    ],
)
def test_a_column_of_splits_is_named_since_nothing_reads_it(
    tmp_path: Path, column: str, values: tuple[str, ...], noted: bool
) -> None:
    rows = [{"text": f"t {n}", "label": TOPICS[n % 3], column: values[n % len(values)]} for n in range(30)]
    file = write(tmp_path / "f.csv", rows)
    notes = declare_classification(NewUseCase(name="mine", source=file)).notes
    assert any(f"the column `{column}` (" in note and "--test FILE" in note for note in notes) == noted
    brought = NewUseCase(name="mine", source=file, test=file, test_name="t.csv")
    assert not any("--test FILE" in note for note in declare_classification(brought).notes)
