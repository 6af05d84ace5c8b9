"""Jinja2 within bounds: whatever the template of a prompt or of a model's chat does, it ends soon and in little memory.

Jinja2's own sandbox keeps a template from Python's insides; it does not keep it from looping or from making a string of
a gigabyte. Here every loop step, call, filter, operator and literal is charged to the rendering it belongs to, and what
could grow by more than its input (`'a' * n`, `replace`, `center`) is charged before it is made.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, filters, nodes
from jinja2.exceptions import TemplateAssertionError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, pass_context, pass_eval_context
from jinja2.visitor import NodeTransformer

from tailtune.core.errors import OutOfBoundsError

_MOST_CHARACTERS = 10_000_000
_LONGEST_S = 10.0  # of this thread's processor time, however loaded the machine is
_STEP = 20  # characters that a loop step or an item of a list counts as
_CALL = 100
_MOST_BITS = 1024  # of a whole number
_LARGEST_SOURCE, _MOST_NODES, _DEEPEST = 1 << 20, 20_000, 100
_WIDEST_DATE = 100
_WIDE = re.compile(r"\d{4}|\*|\{[^}]*\{")  # a width of 1000 and more, or one that is a value itself


class _Work:
    """What one rendering has done so far."""

    def __init__(self) -> None:
        self._characters = self._charges = 0
        self._until = time.thread_time() + _LONGEST_S

    def charge(self, characters: int) -> None:
        """Count work, before it is done if it may be much.

        Raises:
            OutOfBoundsError: It is too much in all.
        """
        self._characters += characters
        self._charges += 1
        if self._characters > _MOST_CHARACTERS:
            most = f"{_MOST_CHARACTERS:,} characters or {_MOST_CHARACTERS // _STEP:,} loop steps"
            raise OutOfBoundsError(f"makes more than {most}")
        if self._charges % 64 == 0 and time.thread_time() > self._until:  # asking the clock takes longer than a step
            raise OutOfBoundsError(f"takes more than {_LONGEST_S:g} s")


_WORK: ContextVar[_Work] = ContextVar("work")


def render(source: str, values: Mapping[str, Any]) -> str:
    """A template's text.

    Raises:
        OutOfBoundsError: It makes or takes too much.
        Exception: It fails in any way that Python can.
    """
    return _rendered(_compiled(source), values)


def render_chat(source: str, values: Mapping[str, Any]) -> str:
    """A dialogue in a model's own chat template, as transformers writes it: names that are not there are empty.

    Raises:
        OutOfBoundsError: It makes or takes too much.
        TemplateError: It does not take these messages, or cannot be used.
        Exception: It fails in any way that Python can.
    """
    return _rendered(_compiled(source, chat=True), values)


def _rendered(compiled: Template, values: Mapping[str, Any]) -> str:
    token = _WORK.set(_Work())
    try:
        return _joined(compiled.generate(values))
    finally:
        _WORK.reset(token)


def parse(source: str) -> nodes.Template:
    """A template's tree, compiled once to see that it can be.

    Raises:
        TemplateSyntaxError: It is not Jinja2; a TemplateAssertionError where it is, and cannot be used.
    """
    tree = _parsed(source)
    _compiled(source)
    return tree


def global_names() -> set[str]:
    """What every template may name."""
    return set(_environment().globals)


def _parsed(source: str, chat: bool = False) -> nodes.Template:
    if len(source) > _LARGEST_SOURCE:
        raise TemplateAssertionError(f"longer than {_LARGEST_SOURCE:,} characters", 1)
    try:
        tree = _environment(chat).parse(source)
        level: list[nodes.Node] = [tree]
        count = depth = 0
        while level:
            count, depth = count + len(level), depth + 1
            if count > _MOST_NODES:
                raise TemplateAssertionError(f"more than {_MOST_NODES:,} names, values and tags", 1)
            if depth > _DEEPEST:
                raise TemplateAssertionError("nested too deep", level[0].lineno)
            level = [child for node in level for child in node.iter_child_nodes()]
    except RecursionError:
        raise TemplateAssertionError("nested too deep", 1) from None
    except ValueError:  # a whole number of thousands of figures
        raise TemplateAssertionError("a number that is too long", 1) from None
    return tree


@lru_cache(maxsize=64)
def _compiled(source: str, chat: bool = False) -> Template:
    tree = _parsed(source, chat)
    try:
        return _environment(chat).from_string(tree)
    except TemplateSyntaxError:
        raise
    except (RecursionError, SyntaxError, MemoryError):  # Python's compiler knows 20 loops in each other
        raise TemplateAssertionError("nested too deep", 1) from None


def _charge(characters: int) -> None:
    _WORK.get().charge(characters)


def _size(value: Any) -> int:
    """Characters that a value would take if it were written out; what is shared counts each time."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, int):
        _bounded_number(value.bit_length())
    if isinstance(value, range) or not isinstance(value, Collection):
        return _STEP
    size, pending = 0, [iter([value])]
    while pending:
        for item in pending[-1]:
            size += len(item) + _STEP if isinstance(item, str) else _STEP
            if size > _MOST_CHARACTERS:
                return size
            if isinstance(item, Collection) and not isinstance(item, str | range):
                pending.append(iter(item))
                if isinstance(item, Mapping):
                    pending.append(iter(item.values()))
                break
        else:
            pending.pop()
    return size


def _bounded_number(bits: int) -> None:
    if bits > _MOST_BITS:
        raise OutOfBoundsError("makes a number that is too large")


def _made(value: Any) -> Any:
    _charge(_size(value))
    return value


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    charge = _WORK.get().charge
    for item in items:
        charge(_STEP)
        yield item


def _joined(pieces: Iterable[str]) -> str:
    """Joins the pieces of a macro or a block, for Jinja2; and those of a whole message, which come one by one."""
    charge, written = _WORK.get().charge, []
    for piece in pieces:
        try:
            charge(len(piece))
        except OutOfBoundsError as error:
            if isinstance(pieces, Generator):
                pieces.throw(error)  # inside the template, so that its line is known
            raise
        written.append(piece)
    return "".join(written)


@pass_context  # which also keeps Jinja2 from writing constants out while it compiles
def _written(_: Context, value: Any) -> Any:
    return value if isinstance(value, str) else _made(value)


@pass_eval_context
def _join(context: nodes.EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """Jinja2's filter `join`, which is charged for what comes out."""
    _charge(_STEP * len(value) if isinstance(value, str) else 0)
    items = list(value)
    _charge(_size(items) + len(items) * len(d))
    return filters.sync_do_join(context, items, d, attribute)


def _formatted(pattern: str, *values: Any, **named: Any) -> int:
    if _WIDE.search(pattern):
        raise OutOfBoundsError("formats to a width of 1000 or more")
    return (pattern.count("%") + pattern.count("{")) * (1000 + 10 * _size([values, named]))


def _replaced(text: Any, old: Any, new: Any, *_: Any, **__: Any) -> int:
    return len(str(text)) + str(text).count(str(old)) * len(str(new))


def _indented(text: str, width: int | str = 4, *_: Any, **__: Any) -> int:
    return len(text) + (text.count("\n") + 1) * (width if isinstance(width, int) else len(width))


def _wrapped(text: str, *values: Any, **named: Any) -> int:
    return _quadratic(text) + (len(text) + 1) * _size([values, named])


def _summed(_: Any, attribute: Any = None, start: Any = 0) -> int:
    if not isinstance(start, int | float):
        raise OutOfBoundsError("sums what are no numbers")
    return 0


def _quadratic(text: Any, *_: Any, **__: Any) -> int:
    return _size(text) ** 2 // 1000


def _all_items(value: Any, *_: Any, **__: Any) -> int:
    return _size(value) * (_STEP if isinstance(value, str) else 1)


def _padded(value: Any, *widths: Any, **named: Any) -> int:
    """Of what pads: the text, and every number that stands beside it."""
    return (len(value) if isinstance(value, str) else 0) + sum(
        width for width in (*widths, *named.values()) if isinstance(width, int)
    )


def _scaled(_: Any, precision: int = 0, *__: Any, **___: Any) -> int:
    return 0 if abs(precision) <= 100 else _MOST_CHARACTERS + 1


_COSTS: dict[str, Callable[..., int]] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill", "batch", "slice"), _padded),
    **dict.fromkeys(("list", "sort", "unique", "reverse", "groupby", "min", "max", "pprint"), _all_items),
    **dict.fromkeys(("striptags", "urlize", "xmlattr"), _quadratic),
    **dict.fromkeys(("format", "format_map"), _formatted),
    "replace": _replaced,
    "indent": _indented,
    "wordwrap": _wrapped,
    "sum": _summed,
    "round": _scaled,
    "tojson": lambda value, indent=0, **_: _size(value) * (1 + (indent or 0)),
    "join": lambda *_, **__: 0,  # charges itself
    "expandtabs": lambda text, tabsize=8: len(text) + text.count("\t") * tabsize,
}
"""Filter or method of a string → characters that it makes at most; others make no more than they take."""
_UNSAFE = frozenset({"encode", "maketrans", "translate"})


def _charged(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is charged before and after it is applied."""
    cost: Callable[..., int] = _COSTS.get(name, _padded)
    hidden = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def charged(*args: Any, **kwargs: Any) -> Any:
        _charge(_CALL + cost(*args[hidden:], **kwargs))
        return _made(function(*args, **kwargs))

    return charged


class _Namespace(Namespace):
    """Jinja2's `namespace`, which does not write out what it holds: that may be itself."""

    def __repr__(self) -> str:
        return "<namespace>"


class _Charged(NodeTransformer):
    """Puts a charge around what Jinja2 compiles to plain Python."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """A node as it is, or within the filter that charges for it."""
        self.generic_visit(node)
        if isinstance(node, nodes.For):
            node.iter = _through("counted", node.iter)
        makes = isinstance(node, nodes.Concat | nodes.List | nodes.Dict) or (
            isinstance(node, nodes.Tuple) and node.ctx == "load"
        )
        slices = isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice)
        return _through("made", node) if makes or slices else node


def _through(name: str, node: Any) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class _Bounded(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox with charges."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(_joined)

    def __init__(self, undefined: type[Undefined] = StrictUndefined) -> None:
        super().__init__(
            undefined=undefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            optimized=False,
            finalize=_written,
        )
        self.filters = {name: _charged(name, function) for name, function in self.filters.items()}
        self.filters |= {"join": _charged("join", _join), "counted": _counted, "made": _made}
        self.globals["namespace"] = _Namespace
        del self.globals["lipsum"]

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(_Charged().visit(source), *args, **kwargs)

    def is_safe_callable(self, obj: Any) -> bool:
        """Of Python's own types only methods that are charged for all they make."""
        owner = getattr(_method(obj), "__self__", None)
        if isinstance(owner, bytes | bytearray | int | float) or (
            isinstance(owner, str) and _method(obj).__name__ in _UNSAFE
        ):
            return False
        return super().is_safe_callable(obj)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - a template may pass any name
        """A call of a macro, of a method or of a global function."""
        method = _method(__obj)
        owner = getattr(method, "__self__", None)
        if isinstance(__obj, Undefined):
            pass
        elif isinstance(owner, str):
            if method.__name__ == "join" and args:
                args = (_made(list(args[0])),)
                _charge(len(owner) * len(args[0]))
            cost: Callable[..., int] = _COSTS.get(method.__name__, _padded)
            _charge(cost(owner, *args, **kwargs))
        elif hasattr(__obj, "_recurse"):  # a recursive loop, whose items are no `iter` of the tree
            args = (_counted(args[0]), *args[1:])
        _charge(_CALL)
        return _made(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`+ * ** %`."""
        if operator == "*":
            for many, times in ((left, right), (right, left)):
                if isinstance(many, Collection) and isinstance(times, int):
                    _charge(_size(many) * max(times, 0))
        elif operator == "%" and isinstance(left, str):
            _charge(_formatted(left, right))
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            _bounded_number(left.bit_length() * right)
        return _made(super().call_binop(context, operator, left, right))


def _method(obj: Any) -> Any:
    """A bound method, also where Jinja2 put its own around `str.format`."""
    return getattr(obj, "__wrapped__", obj)


class _Generation(Extension):
    """The tag `generation` of chat templates, which marks what a model says: for us its content alone."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja2 declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """What stands between the tag and its end."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Chat(_Bounded):
    """The same for chat templates, with what transformers gives them."""

    def __init__(self) -> None:
        super().__init__(Undefined)
        self.add_extension(loopcontrols)
        self.add_extension(_Generation)
        self.filters["tojson"] = _charged("tojson", _as_json)
        self.globals |= {"raise_exception": _refuse, "strftime_now": _now}


def _as_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **how: Any) -> str:
    known = {name: how[name] for name in ("separators", "sort_keys") if name in how}
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **known)


def _refuse(message: str) -> None:
    raise TemplateError(str(message))


def _now(form: str) -> str:
    return datetime.now().strftime(form[:_WIDEST_DATE])


@lru_cache(maxsize=2)
def _environment(chat: bool = False) -> _Bounded:
    return _Chat() if chat else _Bounded()
