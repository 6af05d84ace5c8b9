"""YAML and JSON with line numbers: read a file into plain values and say where each of them stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from tailtune.core.errors import Fault, SpecError
from tailtune.core.json_text import parse_json
from tailtune.core.printable import shortened
from tailtune.core.secrets import looks_secret

Loc = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)
_DEEPEST_YAML, _DEEPEST_JSON = 20, 100
_LARGEST_MIB, _MOST_VALUES = 4, 50_000
_LONGEST_NUMBER = 100  # characters
_STR, _INT, _FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float"))
_OLD_NUMBER = re.compile(r"[-+]?0[0-7_]+|.*:.*")
"""Plain text that is a number in YAML 1.1 only: 010 is 8 there, and 1:30 is 90."""
_NEW_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
"""Plain text that is a number in YAML 1.2 only: 1e-3, which DVC and people read as one."""
_SHOWN = 80  # characters of a key or value that a fault quotes
_PIECE = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]+')


class Located:
    """A document's plain value, and the line of every key.

    Attributes:
        shown: How errors name the document.
        hint: The next command an error shows.
        lines: Location → line, from 1.
        value: Mappings, lists and plain values.
    """

    value: dict[str, Any]

    def __init__(self, shown: str, hint: str | None) -> None:
        self.shown, self.hint = shown, hint
        self.lines: dict[Loc, int] = {(): 1}

    def line(self, loc: Loc) -> int:
        """Line of a location, or of the nearest parent that has one."""
        while loc not in self.lines:
            loc = loc[:-1]
        return self.lines[loc]

    def fault(self, loc: Loc, what: str) -> Fault:
        """A fault at a location, written `file:line  a.b.c: what`."""
        dotted = ".".join(shortened(str(part), _SHOWN) for part in loc)
        return Fault(f"{self.shown}:{self.line(loc)}", f"{dotted}: {what}" if dotted else what)


def read_text(path: Path, shown: str, hint: str | None, encoding: str) -> str:
    """The text of a file that a person wrote.

    Raises:
        SpecError: The file is missing, is none, is larger than anybody writes, or is not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise SpecError([Fault(shown, "no file; expected a text file")], hint)
        with path.open("rb") as stream:
            raw = stream.read((_LARGEST_MIB << 20) + 1)
    except FileNotFoundError:
        raise SpecError([Fault(shown, "no such file")], hint) from None
    if len(raw) > _LARGEST_MIB << 20:
        raise SpecError([Fault(shown, f"larger than {_LARGEST_MIB} MiB; expected a file that people edit")], hint)
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError([Fault(f"{shown}:{line}", "bytes that are not UTF-8")], hint) from None


class _BoundedLoader(yaml.SafeLoader):
    """PyYAML's composer, which ends at the depth and the number of values that no file of ours needs."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """One value and all that stands in it."""
        self._depth, self._values = self._depth + 1, self._values + 1
        if self._depth > 2 * _DEEPEST_YAML:
            self._refuse("nested too deep")
        if self._values > 2 * _MOST_VALUES:  # keys count too
            self._refuse(f"more than {_MOST_VALUES:,} values")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refuse(self, why: str) -> NoReturn:
        raise yaml.composer.ComposerError(None, None, why, self.peek_event().start_mark)  # type: ignore[no-untyped-call]


class LinedYaml(Located):
    """One per YAML file: its value and the line of every key.

    Attributes:
        written: Location → a plain value as it stands in the file: `007`, which is read as 7.

    Args:
        path: The file.
        shown: How errors name it (relative to the project root).
        hint: The next command an error shows.

    Raises:
        SpecError: The file is missing, not UTF-8, not YAML as DVC reads it too, holds a key twice or a value that
            is none, or no mapping.
    """

    def __init__(self, path: Path, shown: str, hint: str) -> None:
        super().__init__(shown, hint)
        self.written: dict[Loc, str] = {}
        self._unusable: list[Fault] = []
        self._values = 0
        node = self._compose(path)
        value = {} if node is None else self._plain(node, ())
        if self._unusable:
            raise SpecError(self._unusable, hint)
        if not isinstance(value, dict):
            raise SpecError([Fault(f"{shown}:1", f"expected `key: value` lines, found a {type(value).__name__}")], hint)
        self.value = value

    def _compose(self, path: Path) -> yaml.Node | None:
        text = read_text(path, self.shown, self.hint, "utf-8")
        loader: _BoundedLoader | None = None
        try:
            loader = _BoundedLoader(text)
            return loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = 1 if mark is None else mark.line + 1
            raise SpecError(
                [Fault(f"{self.shown}:{line}", f"not YAML: {shortened(str(error.problem), 200)}")], self.hint
            ) from None
        except (ValueError, OverflowError):  # an escape beyond Unicode, a version of 10,000 figures
            line = 1 if loader is None else loader.line + 1
            raise SpecError(
                [Fault(f"{self.shown}:{line}", "not YAML: a number or an escape that is none")], self.hint
            ) from None
        except yaml.reader.ReaderError as error:
            line = text[: error.position].count("\n") + 1
            what = f"not YAML: the control character 0x{ord(text[error.position]):02x} is not allowed"
            raise SpecError([Fault(f"{self.shown}:{line}", what)], self.hint) from None

    def _plain(self, node: yaml.Node, loc: Loc, braced: bool = False) -> Any:
        self.lines.setdefault(loc, node.start_mark.line + 1)
        braced = braced or bool(getattr(node, "flow_style", False))
        if len(loc) > _DEEPEST_YAML:
            self._unusable.append(self.fault(loc[:1], "holds itself, or is nested too deep"))
            return None
        self._values += 1
        if self._values > _MOST_VALUES:  # aliases multiply what they stand for
            fault = self.fault(loc[:1], f"more than {_MOST_VALUES:,} values; write fewer, or fewer aliases")
            raise SpecError([fault], self.hint)
        if isinstance(node, yaml.MappingNode):
            out: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                line = key_node.start_mark.line + 1
                self._require_quotes(key_node, loc, braced)
                if key in out:
                    first = self.lines[(*loc, key)]
                    twice = f"{shortened(key, _SHOWN)}: stands twice (first on line {first})"
                    self._unusable.append(Fault(f"{self.shown}:{line}", twice))
                self.lines[(*loc, key)] = line
                out[key] = self._plain(value_node, (*loc, key), braced)
            return out
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*loc, i), braced) for i, item in enumerate(node.value)]
        self._require_quotes(node, loc, braced)
        _take_numbers_of_yaml_1_2(node)
        kind, self.written[loc] = node.tag.rpartition(":")[2], str(node.value)
        try:
            if kind in ("int", "float") and len(node.value) > _LONGEST_NUMBER:
                raise ValueError
            value = yaml.SafeLoader("").construct_object(node)
            if isinstance(value, int | float) and not (-(2**63) <= value < 2**63):
                raise ValueError
            return value
        except Exception:  # PyYAML fails in many ways: an unknown tag, 2026-13-45, `!!bool x`, `!!int` of nothing
            shown = repr(shortened(str(node.value), _SHOWN))
            self._unusable.append(self.fault(loc, f"no such value: {shown} as {shortened(kind, _SHOWN)}"))
            return None

    def _require_quotes(self, node: yaml.Node, loc: Loc, braced: bool) -> None:
        """DVC reads this file with a stricter parser: inside {…} and […] a bare value may hold no colon."""
        if braced and isinstance(node, yaml.ScalarNode) and node.style is None and ":" in node.value:
            bare = shortened(node.value, _SHOWN)
            message = f'{bare} needs quotes between braces or brackets, or DVC cannot read it: "{bare}"'
            self._unusable.append(self.fault(loc, message))

    def parse(self, model: type[M]) -> M:
        """Validate the value as a model.

        Raises:
            SpecError: All faults at once, each with its line, and the closest known key for an unknown one.
        """
        try:
            return model.model_validate(self.value)
        except ValidationError as error:
            raise SpecError(list(self._faults(model, error)), self.hint) from None

    def _faults(self, model: type[BaseModel], error: ValidationError) -> Iterator[Fault]:
        for item in error.errors():
            loc = tuple(item["loc"])
            if item["type"] == "extra_forbidden":
                yield self.fault(loc, unknown(str(loc[-1]), known_keys(model, loc[:-1])))
            elif item["type"] == "missing":
                empty = f"; write `{loc[-1]}: {{}}` for the defaults" if has_defaults(model, loc) else ""
                yield self.fault(loc, f"missing{empty}")
            else:
                message = item["msg"].removeprefix("Value error, ").replace("tuple", "list")  # as YAML has it
                shown = _quoted(str(loc[-1]) if loc else "", item["input"])
                yield self.fault(loc, message[:1].lower() + message[1:] + shown)


def _take_numbers_of_yaml_1_2(node: yaml.Node) -> None:
    """Let a bare 1e-3 be a number, and let 010 and 1:30 be text: so DVC reads them too."""
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        if node.tag in (_INT, _FLOAT) and _OLD_NUMBER.fullmatch(node.value):
            node.tag = _STR
        elif node.tag == _STR and _NEW_NUMBER.fullmatch(node.value):
            node.tag = _FLOAT


def _quoted(key: str, given: Any) -> str:
    """The end of a fault, which quotes the value; a key or a password that was put in the wrong place is not shown."""
    if not isinstance(given, str | int | float | bool | None):
        return ""
    return ", found a key or a password" if looks_secret(key, given) else f", found {shortened(repr(given), _SHOWN)}"


def unknown(key: str, known: list[str]) -> str:
    """The sentence for an unknown name, with the nearest known one."""
    near = get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    return f"unknown key; expected one of {', '.join(known)}"


def known_keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that a model allows at a location, as they are written in YAML."""
    return list(_fields(_section(model, loc)))


def has_defaults(model: type[BaseModel], loc: Loc) -> bool:
    """Whether a location is a section that may be written `{}`."""
    section = _section(model, loc)
    return section is not None and not any(field.is_required() for field in section.model_fields.values())


def _section(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    current: Any = model
    for part in loc:
        if isinstance(part, int):  # an item of a list
            current = next(iter(get_args(current)), None)
            continue
        field = _fields(current).get(part)
        current = None if field is None else field.annotation
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _fields(model: Any) -> dict[str, FieldInfo]:
    """YAML key → field; an alias is the key where there is one."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in model.model_fields.items()}


class LinedJson(Located):
    """One per JSON document: its value and the line of every key and item.

    JSON is almost YAML: tabs, `1e5` and escaped emoji are where a reader of YAML goes wrong.

    Args:
        text: The document.
        shown: How errors name it.
        hint: The next command an error shows.

    Raises:
        SpecError: Not JSON, nested too deep, a key that stands twice, or no object.
    """

    def __init__(self, text: str, shown: str, hint: str | None) -> None:
        super().__init__(shown, hint)
        try:
            value = parse_json(text)
        except json.JSONDecodeError as error:
            raise SpecError([Fault(f"{shown}:{error.lineno}", f"not JSON: {error.msg}")], hint) from None
        except ValueError as error:
            raise SpecError([Fault(shown, f"not JSON: {error}")], hint) from None
        faults = list(self._walk(text))
        if not isinstance(value, dict):
            faults.append(Fault(f"{shown}:1", f"expected an object {{…}}, found a {type(value).__name__}"))
        if faults:
            raise SpecError(faults, hint)
        self.value = value

    @classmethod
    def read(cls, path: Path, shown: str, hint: str | None) -> LinedJson:
        """Read a file.

        Raises:
            SpecError: Missing, not UTF-8, or as said of the class.
        """
        return cls(read_text(path, shown, hint, "utf-8-sig"), shown, hint)

    def _walk(self, text: str) -> Iterator[Fault]:
        """Note lines while going through the pieces of a text that is known to be JSON."""
        path: list[str | int] = []  # the key or index that the innermost containers are at
        line, reached, wants_key = 1, 0, False
        for match in _PIECE.finditer(text):
            line += text.count("\n", reached, match.start())
            reached, piece = match.start(), match.group()
            if piece in "}]":
                path.pop()
                wants_key = False
            elif piece == ",":
                wants_key = isinstance(path[-1], str)
                if isinstance(path[-1], int):
                    path[-1] += 1
            elif piece == ":":
                wants_key = False
            elif wants_key:
                path[-1] = json.loads(piece)
                if tuple(path) in self.lines:
                    first = self.lines[tuple(path)]
                    yield Fault(
                        f"{self.shown}:{line}",
                        f"{shortened(str(path[-1]), _SHOWN)}: stands twice (first on line {first})",
                    )
                self.lines.setdefault(tuple(path), line)
            else:
                self.lines.setdefault(tuple(path), line)
                if piece in "{[":
                    path.append("" if piece == "{" else 0)
                    wants_key = piece == "{"
                    if len(path) > _DEEPEST_JSON:
                        yield Fault(f"{self.shown}:{line}", "nested too deep")
                        return
