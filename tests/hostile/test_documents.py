"""YAML and JSON that multiply, nest or count beyond bounds: refused in few words, soon, in little memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tailtune.config.located import LinedJson, LinedYaml
from tailtune.config.prices import PriceSpec
from tailtune.core.errors import SpecError, TailTuneError
from tailtune.core.printable import printable


def _yaml(folder: Path, text: str) -> LinedYaml:
    path = folder / "f.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return LinedYaml(path, "f.yaml", "edit f.yaml")


def _json(folder: Path, text: str) -> LinedJson:
    path = folder / "f.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return LinedJson.read(path, "f.json", "edit f.json")


def _price(number: str) -> str:
    return f"as_of: 2026-01-01\ntokens:\n  a: {{input_usd_per_million: {number}, output_usd_per_million: 1}}\n"


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)
FLAT_BOMB = f"a: &a [{'x,' * 2000}]\nb: &b [{'*a,' * 2000}]\nc: [{'*b,' * 2000}]\n"
YAML = {
    "aliases that multiply": (BOMB, "more than 50,000 values"),
    "aliases of long lists": (FLAT_BOMB, "more than 50,000 values"),
    "lists in lists": ("a: " + "[" * 2000 + "]" * 2000, "nested too deep"),
    "lists without an end": ("[" * 20_000, "nested too deep"),
    "mappings in mappings": ("a: " + "{a: " * 2000 + "1" + "}" * 2000, "nested too deep"),
    "deep indentation": ("\n".join(" " * level + "a:" for level in range(2000)), "nested too deep"),
    "keys in keys": ("? " * 3000, "nested too deep"),
    "more than a file holds": ("a: " + "x" * 5_000_000, "larger than 4 MiB"),
    "a number of 100,000 figures": (_price("9" * 100_000), "no such value"),
    "a hexadecimal number": (_price("0x" + "f" * 100_000), "no such value"),
    "a binary number": (_price("0b" + "1" * 100_000), "no such value"),
    "base 60": (_price(":".join(["1"] * 20_000) + ".5"), "f.yaml:3"),
    "infinity": (_price(".inf"), "no such value"),
    "no number": (_price(".nan"), "no such value"),
    "an exponent": (_price("1.0e+999999"), "no such value"),
    "an exponent without a dot": (_price("1e999999"), "no such value"),
    "a character beyond Unicode": ('a: "\\UFFFFFFFF"', "not YAML"),
    "a version of 10,000 figures": (f"%YAML {'9' * 10_000}.1\n---\na: 1", "not YAML"),
    "a tag": ("a: !!python/object/apply:os.system [x]", "a: unknown key"),
    "a tag of 1,000,000 characters": (f"a: !{'x' * 1_000_000} 1", "no such value"),
    "a key of 1,000,000 characters": (f"? {'a' * 1_000_000}\n: 1", "unknown key"),
    "the same key 5,000 times": ("k: 1\n" * 5000, "more faults"),
    "terminal escapes": ('as_of: "\\e[31mred\\e]0;x\\a"\n"\\e[2J": 1', "\\x1b"),
    "half a character": ('as_of: "\\ud800"', "as_of"),
}
JSON = {
    "lists in lists": ('{"a":' + "[" * 2000 + "]" * 2000 + "}", "nested too deep"),
    "lists without an end": ("[" * 100_000, "not JSON"),
    "more than a file holds": ('{"a": "' + "x" * 5_000_000 + '"}', "larger than 4 MiB"),
    "an exponent": ('{"a": 1e999999}', "too large"),
    "a whole number": ('{"a": ' + "9" * 30 + "}", "too large for a whole number"),
    "a number of 40,000 figures": ('{"a": ' + "9" * 40_000 + "}", "too large for a whole number"),
    "a fraction of 40,000 figures": ('{"a": 0.' + "9" * 40_000 + "}", "too large or too long"),
    "infinity": ('{"a": -Infinity}', "no JSON number"),
    "the same key 20,000 times": ("{" + ",".join(['"a":1'] * 20_000) + "}", "more faults"),
    "a key of backslashes, twice": ("{" + ",".join(['"' + r"\\" * 500_000 + '":1'] * 2) + "}", "stands twice"),
    "terminal escapes": ('{"\\u001b[31m":1,"\\u001b[31m":1}', "\\x1b"),
}


def _refused(read: Callable[[], object]) -> str:
    began = time.process_time()
    with pytest.raises(SpecError) as caught:
        read()
    assert time.process_time() - began < 15
    message = str(caught.value)
    assert len(message) < 12_000
    assert message == printable(message)
    assert "Next:  edit f." in message
    return message


@pytest.mark.parametrize(("text", "expected"), YAML.values(), ids=YAML)
def test_yaml_beyond_bounds_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in _refused(lambda: _yaml(tmp_path, text).parse(PriceSpec))


@pytest.mark.parametrize(("text", "expected"), JSON.values(), ids=JSON)
def test_json_beyond_bounds_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in _refused(lambda: _json(tmp_path, text))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no file; expected a text file"):
        LinedYaml(tmp_path, "f.yaml", "edit f.yaml")


def test_a_file_of_10_000_classes_is_read(tmp_path: Path) -> None:
    text = "".join(f"- class {number}\n" for number in range(10_000))
    assert len(_yaml(tmp_path, f"labels:\n{text}").value["labels"]) == 10_000


_PIECES = st.sampled_from(
    ["a", ": ", "- ", "\n", "  ", "&a ", "*a", "[", "]", "{", "}", ",", '"', "'", "|\n", ">", "? ", "!!int ", "!x ",
     "%", "---\n", "...\n", "#", "\\", "\\u", "\x1b", "\t", "<<", "1", ".inf", "0x", "1e9", ":", "~", "null",
     "2026-01-01", "as_of: ", "tokens:", "\ufeff", "😀", "\x85", "\u2028"]
)  # fmt: skip
DOCUMENTS = st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=40).map("".join))


@example("a: &a [*a]")
@given(text=DOCUMENTS)
def test_any_text_is_a_document_or_a_fault(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    for read in (lambda: _yaml(folder, text).parse(PriceSpec), lambda: _json(folder, text)):
        try:
            read()
        except TailTuneError as error:
            assert str(error) == printable(str(error))
