from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tailtune.core.errors import DataError, SpecError, UsageError
from tailtune.tasks.declare import Declaration, NewUseCase
from tailtune.tasks.extraction.new import declare

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"name": {"type": ["string", "null"]}, "peril": {"enum": ["fire", "water", None]}},
}


def rows(count: int = 40) -> list[dict[str, Any]]:
    made = []
    for n in range(count):
        text = f"Person{n} had a {'fire' if n % 2 else 'flood of water'}, write to p{n}@home.example"
        made.append({"text": text, "fields": {"name": f"Person{n}", "peril": "fire" if n % 2 else "water"}})
    return made


def declared(tmp_path: Path, given: list[dict[str, Any]], **declared_fields: Any) -> Declaration:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    return declare(NewUseCase(name="mine", source=file, **declared_fields))


def schema_file(tmp_path: Path, schema: Any = SCHEMA) -> Path:
    file = tmp_path / "given.json"
    file.write_text(json.dumps(schema), encoding="utf-8")
    return file


def test_a_given_schema_is_kept_as_it_is(tmp_path: Path) -> None:
    made = declared(tmp_path, rows(), schema=schema_file(tmp_path))
    assert json.loads(made.answers) == SCHEMA
    assert (made.rows, made.names) == (40, 2)
    assert made.notes == ["2 fields, 1 of them stand in the text; as given"]
    assert "task: extraction" in made.model_yaml and "  fields: fields\n" in made.model_yaml
    assert "entities" not in made.model_yaml, "the file has no such column"


def test_without_a_schema_one_is_proposed(tmp_path: Path) -> None:
    made = declared(tmp_path, rows())
    assert list(json.loads(made.answers)["properties"]) == ["name", "peril"]
    assert "proposed from the data" in made.notes[0]


def test_values_without_a_place_and_rows_of_no_use_are_told(tmp_path: Path) -> None:
    given = rows()
    given[0]["fields"]["name"] = "Nobody Else"
    given[1]["fields"]["peril"] = None
    given[2] = {"text": "x", "fields": {"name": {"first": "Ann"}}}
    text = declared(tmp_path, given, schema=schema_file(tmp_path)).notes
    assert text[1:] == [
        "1 of 39 values of 40 rows are not found in their text: name 1",
        "1 of 40 rows cannot be used: bad_value name 1",
    ]


def test_personal_data_that_is_labelled_is_not_scrubbed(tmp_path: Path) -> None:
    given = [row | {"fields": {"name": row["text"].split()[-1], "peril": "fire"}} for row in rows()]
    made = declared(tmp_path, given, schema=schema_file(tmp_path))
    assert "scrub_pii: [phone, card, iban, ip]" in made.model_yaml


def test_fields_with_few_rows_are_named(tmp_path: Path) -> None:
    given = rows()
    for row in given[3:]:
        del row["fields"]["name"]
    text = declared(tmp_path, given, schema=schema_file(tmp_path)).notes
    assert text[-1].endswith("the gate asks for more: name 3")


def test_a_field_that_only_test_rows_have_is_proposed_and_named(tmp_path: Path) -> None:
    test = tmp_path / "test.jsonl"
    given = rows(4)
    for row in given[:3]:
        row["fields"]["email"] = "p0@home.example"
    test.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    made = declared(tmp_path, rows(), test=test)
    assert "email" in json.loads(made.answers)["properties"]
    assert "only test rows have email 3: label train rows, or allow it: validate.min_rows_per_field: 0" in made.notes
    with pytest.raises(DataError, match="`email` is not in"):
        declared(tmp_path, rows(), test=test, schema=schema_file(tmp_path))


def test_a_field_that_the_schema_lacks_is_a_fault(tmp_path: Path) -> None:
    given = rows()
    given[4]["fields"]["nmae"] = "x"
    with pytest.raises(DataError, match=r"rows.jsonl:5.*`nmae`.*did you mean name"):
        declared(tmp_path, given, schema=schema_file(tmp_path))


def test_a_schema_that_cannot_be_used_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"given.json:\d+"):
        declared(tmp_path, rows(), schema=schema_file(tmp_path, {"type": "array"}))


def test_a_file_without_labels_says_which_columns_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no column entities, fields or intent; it has text, team"):
        declared(tmp_path, [{"text": "a", "team": "b"}])


def test_a_label_column_is_for_another_task(tmp_path: Path) -> None:
    folder = tmp_path / "with blanks"
    folder.mkdir()
    with pytest.raises(UsageError, match="--label: an extraction has spans") as caught:
        declared(folder, rows(), label="team")
    words = shlex.split(str(caught.value.hint))
    assert Path(words[-1]).is_file(), "a command that can be copied"
