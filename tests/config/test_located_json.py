from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.config.located import LinedJson
from tailtune.core.errors import SpecError

TEXT = """{
  "a": {"x": 1,
        "y": [true, {"z": null},
              "s"]},

  "b: {": "\\ud83d\\ude00 , \\"quoted\\" [", "c": 1e5
}"""


def test_values_and_lines() -> None:
    read = LinedJson(TEXT, "f.json", None)
    assert read.value == {"a": {"x": 1, "y": [True, {"z": None}, "s"]}, "b: {": '😀 , "quoted" [', "c": 100000.0}
    lines = {(): 1, ("a",): 2, ("a", "x"): 2, ("a", "y"): 3, ("a", "y", 0): 3, ("a", "y", 1): 3}
    lines |= {("a", "y", 1, "z"): 3, ("a", "y", 2): 4, ("b: {",): 6, ("c",): 6}
    assert read.lines == lines
    assert read.line(("a", "y", 7, "gone")) == 3
    assert str(read.fault(("a", "x"), "no")) == "f.json:2  a.x: no"


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def _locations(value: Any, at: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {at}
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, content in inner:
        found |= _locations(content, (*at, key))
    return found


@given(st.dictionaries(st.text(max_size=4), _JSON, max_size=4), st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_every_location_has_the_line_it_is_written_on(value: dict[str, Any], indent: Any, ascii_: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_)
    read = LinedJson(text, "f", None)
    assert read.value == value
    assert set(read.lines) == _locations(value)
    assert all(1 <= line <= text.count("\n") + 1 for line in read.lines.values())
    if indent is not None:  # one key or item a line
        for at, line in read.lines.items():
            if at and isinstance(at[-1], str):
                assert text.split("\n")[line - 1].strip().startswith(json.dumps(at[-1], ensure_ascii=ascii_))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n "a": 1,\n}', "not JSON"),
        ('{\n "a": 1,\n b: 2}', "f.json:3  not JSON"),
        ("", "f.json:1  not JSON: Expecting value"),
        ("[1]", "f.json:1  expected an object {…}, found a list"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{\n"a": 1, "b": {},\n"a": 2}', "f.json:3  a: stands twice (first on line 2)"),
        ('{"a": 1, "a": 2}', "f.json:1  a: stands twice (first on line 1)"),
        ('{"a": ' + "[" * 150 + "]" * 150 + "}", "f.json:1  nested too deep"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deep"),
    ],
)
def test_what_is_no_json_is_told_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        LinedJson(text, "f.json", "do this")
    assert expected in str(caught.value) and caught.value.hint == "do this"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        LinedJson.read(tmp_path / "gone.json", "gone.json", None)
    file = tmp_path / "f.json"
    file.write_bytes(b'{"a":\n"\xff"}')
    with pytest.raises(SpecError, match=r"f\.json:2  bytes that are not UTF-8"):
        LinedJson.read(file, "f.json", None)
