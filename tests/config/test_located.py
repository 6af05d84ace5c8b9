"""Every fault says file and line, all at once, and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml
from pydantic import Field

from tailtune.config.located import LinedYaml, has_defaults, known_keys
from tailtune.config.model import StrictSpec
from tailtune.core.errors import SpecError


class Inner(StrictSpec):
    rank: int = Field(1, ge=1)
    modules: tuple[str, ...] = ()


class Outer(StrictSpec):
    name: str = Field(max_length=20)
    inner: Inner
    check_: Inner = Field(alias="check")


def read(folder: Path, content: str | bytes) -> LinedYaml:
    path = folder / "f.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return LinedYaml(path, "models/f.yaml", "tailtune check f")


def faults(folder: Path, content: str | bytes) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(folder, content).parse(Outer)
    assert caught.value.hint == "tailtune check f"
    return [str(fault) for fault in caught.value.faults]


def test_values_are_read_and_validated(tmp_path: Path) -> None:
    found = read(tmp_path, "name: x\ninner: {rank: 3, modules: [a, b]}\ncheck: {}\n").parse(Outer)
    assert found == Outer(name="x", inner=Inner(rank=3, modules=("a", "b")), check=Inner())


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_known_one(tmp_path: Path) -> None:
    assert faults(tmp_path, "name: x\n\n# more\ninner:\n  rnak: 3\ncheck: {}\n") == [
        "models/f.yaml:5  inner.rnak: unknown key; did you mean rank?"
    ]


def test_a_key_like_no_other_gets_the_list(tmp_path: Path) -> None:
    assert faults(tmp_path, "name: x\ninner: {zzz: 1}\ncheck: {}\n") == [
        "models/f.yaml:2  inner.zzz: unknown key; expected one of rank, modules"
    ]


def test_aliased_sections_are_suggested_as_they_are_written(tmp_path: Path) -> None:
    found = faults(tmp_path, "name: x\ninner: {}\nchek: {}\ncheck:\n  rnk: 1\n")
    assert sorted(found) == [
        "models/f.yaml:3  chek: unknown key; did you mean check?",
        "models/f.yaml:5  check.rnk: unknown key; did you mean rank?",
    ]


def test_all_faults_are_told_at_once_each_at_its_line(tmp_path: Path) -> None:
    found = faults(tmp_path, "nam: x\ninner:\n  rank: 0\n  modules:\n    - a\n    - [b]\ncheck: 7\n")
    assert len(found) == 5
    assert "models/f.yaml:1  nam: unknown key; did you mean name?" in found
    assert "models/f.yaml:1  name: missing" in found
    assert "models/f.yaml:3  inner.rank: input should be greater than or equal to 1, found 0" in found
    assert any(line.startswith("models/f.yaml:6  inner.modules.1: input should be a valid string") for line in found)
    assert any(line.startswith("models/f.yaml:7  check: ") and line.endswith("found 7") for line in found)


def test_what_is_listed_twice_is_named(tmp_path: Path) -> None:
    assert faults(tmp_path, "name: x\ninner:\n  modules: [a, b, a]\ncheck: {}\n") == [
        "models/f.yaml:3  inner.modules: a stands twice"
    ]


@pytest.mark.parametrize(
    "value",
    [
        "sk-0123456789abcdef0123",
        "https://me:hunter2@example.com/v1",
        "https://a.com/v1?api_key=0123456789",
        "http://me:hunter2@[bad/v1",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path: Path, value: str) -> None:
    (found,) = faults(tmp_path, f"name: '{value}'\ninner: {{}}\ncheck: {{}}\n")
    assert found.endswith("20 characters, found a key or a password")


def test_a_missing_section_says_what_to_write_where_that_would_do(tmp_path: Path) -> None:
    assert sorted(faults(tmp_path, "check: {}\n")) == [
        "models/f.yaml:1  inner: missing; write `inner: {}` for the defaults",
        "models/f.yaml:1  name: missing",
    ]


def test_a_key_that_stands_twice_names_both_lines(tmp_path: Path) -> None:
    assert faults(tmp_path, "name: x\ninner:\n  rank: 1\n  rank: 2\ncheck: {}\nname: y\n") == [
        "models/f.yaml:4  rank: stands twice (first on line 3)",
        "models/f.yaml:6  name: stands twice (first on line 1)",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name: x\ninner: caf\xe9\n", "models/f.yaml:2  bytes that are not UTF-8"),
        ("name: x\ninner: [1\ncheck: {}\n", "models/f.yaml:3  not YAML: "),
        ("name: x\n\tinner: {}\n", "models/f.yaml:2  not YAML: "),
        ("name: x\n---\nname: y\n", "models/f.yaml:2  not YAML: "),
        ("name: x\nother: a\x07b\n", "models/f.yaml:2  not YAML: the control character 0x07 is not allowed"),
        ("- a\n- b\n", "models/f.yaml:1  expected `key: value` lines, found a list"),
        ("just words\n", "models/f.yaml:1  expected `key: value` lines, found a str"),
        ("name: x\ninner: !!python/object:os.system {}\ncheck: !secret 7\n", "models/f.yaml:3  check: no such value: "),
        ("name: 2026-13-45\n", "models/f.yaml:1  name: no such value: '2026-13-45' as timestamp"),
        ("name: x\ninner: &a\n  rank: *a\n", "models/f.yaml:2  inner: holds itself, or is nested too deep"),
    ],
)
def test_what_cannot_be_read_is_one_fault_with_its_line(tmp_path: Path, content: str | bytes, expected: str) -> None:
    found = faults(tmp_path, content)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"models/f\.yaml  no such file"):
        LinedYaml(tmp_path / "f.yaml", "models/f.yaml", "tailtune check f")


def test_an_empty_file_lacks_everything(tmp_path: Path) -> None:
    assert len(faults(tmp_path, "")) == 3


def test_keys_are_text_as_written(tmp_path: Path) -> None:
    assert list(read(tmp_path, "yes: a\n1: b\n1.0: c\nnull: d\n2026-01-01: e\n").value) == [
        "yes", "1", "1.0", "null", "2026-01-01",
    ]  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffname: x\n").value == {"name": "x"}


def test_the_line_of_an_unwritten_key_is_that_of_its_parent(tmp_path: Path) -> None:
    lined = read(tmp_path, "name: x\ninner:\n  rank: 1\n")
    assert (lined.line(("inner", "rank")), lined.line(("inner", "gone", "far")), lined.line(("no",))) == (3, 2, 1)
    assert str(lined.fault((), "what")) == "models/f.yaml:1  what"


def test_known_keys_follow_sections_and_stop_at_values() -> None:
    assert known_keys(Outer, ()) == ["name", "inner", "check"]
    assert known_keys(Outer, ("check",)) == ["rank", "modules"]
    assert known_keys(Outer, ("name", "x")) == known_keys(Outer, ("gone",)) == []
    assert has_defaults(Outer, ("inner",))
    assert not has_defaults(Outer, ())
    assert not has_defaults(Outer, ("name",))


@pytest.mark.parametrize("constrained", ["{at: http://x/v1}", "[http://x/v1]", "{a: [{b: http://x/v1}]}"])
def test_a_bare_colon_in_braces_which_dvc_cannot_read_is_told_with_its_line(tmp_path: Path, constrained: str) -> None:
    with pytest.raises(YAMLFileCorruptedError):
        parse_yaml(f"inner: {constrained}", "f.yaml")
    (text,) = faults(tmp_path, f"name: x\ninner: {constrained}\n")
    assert text.startswith("models/f.yaml:2  inner.") and 'DVC cannot read it: "http://x/v1"' in text


def test_a_colon_in_quotes_or_outside_of_braces_is_fine(tmp_path: Path) -> None:
    text = "name: http://x/v1\ninner: {modules: [\"http://x/v1\"]}\ncheck: {modules: ['a:b']}\n"
    parse_yaml(text, "f.yaml")
    assert read(tmp_path, text).parse(Outer).inner.modules == ("http://x/v1",)
