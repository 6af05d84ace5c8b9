"""Jinja2 in a sandbox: templates turned into messages, and everything that can be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tailtune.core.errors import Fault, SpecError
from tailtune.predictors.prompted.examples import Example

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_FILE = "<template>"  # what Jinja2 calls a template from a string, in tracebacks
_GIVEN = ("examples", "text")


@dataclass(frozen=True, slots=True)
class Part:
    """One per message of a prompt.

    Attributes:
        source: Jinja2.
        before: Lines of its file before the first of the source.
    """

    source: str
    before: int = 0


def rendered(part: Part, variables: Mapping[str, Any], examples: Sequence[Example], text: str, shown: str) -> str:
    """A message's content, white space around it taken off.

    Raises:
        SpecError: The template fails, with its line.
    """
    given = {**variables, "examples": [{"text": one.text, "answer": one.answer} for one in examples], "text": text}
    try:
        return _compiled(part.source).render(given).strip()
    except Exception as error:  # a template can fail in any way that Python can
        line = _line_of(error) + part.before
        raise SpecError([Fault(f"{shown}:{line}", _told(error, given))], "correct the prompt") from None


def template_faults(
    parts: Sequence[Part], variables: Mapping[str, Any], examples: Sequence[Example], shown: str
) -> list[Fault]:
    """What is wrong with the messages of one prompt; the last one must show the text.

    Args:
        parts: Its messages.
        variables: What it may name besides `examples` and `text`.
        examples: To try it with.
        shown: How a fault names the prompt.
    """
    faults = [fault for part in parts for fault in _static_faults(part, variables, shown)]
    if faults:
        return faults
    for part in parts:
        for tried in (examples, ()):  # examples may all be dropped, when a text is long
            try:
                rendered(part, variables, tried, "a text", shown)
            except SpecError as error:
                faults += [fault for fault in error.faults if fault not in faults]
    if not faults and "text" not in _undeclared(parts[-1].source):
        faults.append(Fault(f"{shown}:{parts[-1].before + 1}", "never shows the text to be answered: {{ text }}"))
    return faults


def _static_faults(part: Part, variables: Mapping[str, Any], shown: str) -> Iterator[Fault]:
    from jinja2 import TemplateSyntaxError, nodes

    try:
        tree = _environment().parse(part.source)
        _compiled(part.source)
    except TemplateSyntaxError as error:
        yield Fault(f"{shown}:{error.lineno + part.before}", f"not Jinja2: {error.message}")
        return
    known = [*variables, *_GIVEN]
    for name in sorted(_undeclared(part.source) - set(known) - set(_environment().globals)):
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"
        line = next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), 1)
        yield Fault(f"{shown}:{line + part.before}", f"{{{{ {name} }}}}: no such variable; {meant}")


def _undeclared(source: str) -> set[str]:
    from jinja2 import meta

    return set(meta.find_undeclared_variables(_environment().parse(source)))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )


@lru_cache(maxsize=64)
def _compiled(source: str) -> Template:
    return _environment().from_string(source)


def _line_of(error: Exception) -> int:
    """The line of a template that an error came from; Jinja2 puts its lines into the traceback."""
    line, at = 1, error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == _FILE:
            line = at.tb_lineno
        at = at.tb_next
    return line


def _told(error: Exception, given: Mapping[str, Any]) -> str:
    from jinja2 import UndefinedError

    said = str(error) or type(error).__name__
    if isinstance(error, UndefinedError):
        return f"{said}; a prompt may name {', '.join(given)}"
    return f"cannot be rendered: {type(error).__name__}: {said}"
