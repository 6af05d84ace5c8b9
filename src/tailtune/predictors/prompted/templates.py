"""Prompt files: Markdown with the headings `## System` and `## User`, each a Jinja2 template of one message."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from tailtune.config.located import read_text
from tailtune.config.model import Declared
from tailtune.core.errors import Fault, MissingInputError, OutOfBoundsError, SpecError
from tailtune.core.language import Message
from tailtune.core.printable import shortened
from tailtune.predictors.prompted.codec import Codec
from tailtune.predictors.prompted.examples import Example

_FILE = "<template>"  # what Jinja2 calls a template from a string, in tracebacks
_QUOTED = 200  # characters of an error of Jinja2
_ALWAYS = ("examples", "text")


@dataclass(frozen=True, slots=True)
class MessageSource:
    """One per message of a prompt.

    Attributes:
        jinja: Its Jinja2 source.
        before: Lines of its file before the first of the source.
    """

    jinja: str
    before: int = 0


def rendered(
    message: MessageSource, variables: Mapping[str, Any], examples: Sequence[Example], text: str, shown: str
) -> str:
    """A message's content, white space around it taken off.

    Raises:
        SpecError: The template fails, or does more than a prompt may, with its line.
    """
    from tailtune.predictors.prompted import sandbox

    shown_examples = [{"text": example.text, "answer": example.answer} for example in examples]
    values = {**variables, "examples": shown_examples, "text": text}
    try:
        return sandbox.render(message.jinja, values).strip()
    except Exception as error:  # a template can fail in any way that Python can
        line = _line_of(error) + message.before
        raise SpecError([Fault(f"{shown}:{line}", _what_failed(error, values))], "correct the prompt") from None


def template_faults(
    messages: Sequence[MessageSource], variables: Mapping[str, Any], examples: Sequence[Example], shown: str
) -> list[Fault]:
    """What is wrong with the messages of one prompt; the last one must show the text.

    Args:
        messages: Its messages.
        variables: What it may name besides `examples` and `text`.
        examples: To try it with.
        shown: How a fault names the prompt.
    """
    faults = [fault for message in messages for fault in _static_faults(message, variables, shown)]
    if faults:
        return faults
    for message in messages:
        for tried in (examples, ()):  # examples may all be dropped, when a text is long
            try:
                rendered(message, variables, tried, "a text", shown)
            except SpecError as error:
                faults += [fault for fault in error.faults if fault not in faults]
                break
    if not faults and "text" not in variables_in(messages[-1].jinja):
        faults.append(Fault(f"{shown}:{messages[-1].before + 1}", "never shows the text to be answered: {{ text }}"))
    return faults


def _static_faults(message: MessageSource, variables: Mapping[str, Any], shown: str) -> Iterator[Fault]:
    from jinja2 import TemplateAssertionError, TemplateSyntaxError, nodes

    from tailtune.predictors.prompted import sandbox

    try:
        tree = sandbox.parse(message.jinja)
    except TemplateSyntaxError as error:
        kind = "" if isinstance(error, TemplateAssertionError) else "not Jinja2: "
        yield Fault(f"{shown}:{error.lineno + message.before}", kind + shortened(str(error.message), _QUOTED))
        return
    known = [*variables, *_ALWAYS]
    for name in sorted(variables_in(message.jinja) - set(known) - sandbox.global_names()):
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"
        line = next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), 1)
        yield Fault(f"{shown}:{line + message.before}", f"{{{{ {name} }}}}: no such variable; {meant}")


def variables_in(source: str) -> set[str]:
    """Variables that a Jinja2 source names; none when it is not Jinja2."""
    from jinja2 import TemplateSyntaxError, meta

    from tailtune.predictors.prompted import sandbox

    try:
        return set(meta.find_undeclared_variables(sandbox.parse(source)))
    except TemplateSyntaxError:
        return set()


def _line_of(error: Exception) -> int:
    """The line of a template that an error came from; Jinja2 puts its lines into the traceback."""
    line, at = 1, error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == _FILE:
            line = at.tb_lineno
        at = at.tb_next
    return line


def _what_failed(error: Exception, values: Mapping[str, Any]) -> str:
    from jinja2 import TemplateAssertionError, UndefinedError

    words = str(getattr(error, "message", error))
    message = shortened(words or type(error).__name__, _QUOTED)
    if isinstance(error, OutOfBoundsError):
        return f"{message}, which no prompt needs"
    if isinstance(error, TemplateAssertionError):
        return message
    if isinstance(error, UndefinedError):
        return f"{message}; a prompt may name {', '.join(values)}"
    return f"cannot be rendered: {type(error).__name__}: {message}"


PROMPTS = ("zero_shot", "few_shot", "chain_of_thought", "retrieval")
"""The prompt files of a use case; the rung `lm_NAME` sends `NAME.md`."""
_HEADING = re.compile(r"## (System|User)\s*")
_EXAMPLE = Example("a text", "its answer", "")


@dataclass(frozen=True)
class Template:
    """One per prompt.

    Attributes:
        name: Of its file, without the ending.
        system: Jinja2 source of the system message; empty sends none.
        user: Jinja2 source of the user message.
    """

    name: str
    system: str
    user: str

    @cached_property
    def text(self) -> str:
        """The whole prompt as a file has it."""
        system = f"## System\n\n{self.system}\n\n" if self.system else ""
        return f"{system}## User\n\n{self.user}\n"

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal figures, equal exactly when the text is."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    def with_system(self, system: str, name: str | None = None) -> Template:
        """The same prompt with another system message."""
        return replace(self, system=system.strip(), name=name or self.name)

    def faults(self, variables: Mapping[str, Any], shown: str, lines: tuple[int, int] = (0, 0)) -> list[Fault]:
        """What keeps the prompt from being sent: syntax, names that are none, a text that it never shows.

        Args:
            variables: What it may name besides `examples` and `text`.
            shown: How a fault names the prompt.
            lines: Lines of the file before the system's and the user's source.
        """
        messages = [MessageSource(self.system, lines[0]), MessageSource(self.user, lines[1])]
        return template_faults(messages, variables, [_EXAMPLE], shown)


def render(template: Template, variables: Mapping[str, Any], examples: Sequence[Example], text: str) -> list[Message]:
    """The messages that are sent.

    Args:
        template: The prompt.
        variables: What the codec offers.
        examples: Shown in this order.
        text: What is to be answered; it is data, and is not read as a template.

    Raises:
        SpecError: The template cannot be rendered with this text; line counted within its message.
    """
    shown = f"prompt {template.name}"
    user = Message("user", rendered(MessageSource(template.user), variables, examples, text, shown))
    if not template.system:
        return [user]
    return [Message("system", rendered(MessageSource(template.system), variables, examples, text, shown)), user]


def load_templates(case: Declared, codec: Codec) -> dict[str, Template]:
    """Read and check a use case's prompt files: those that its rungs send, and what others there are.

    Returns:
        Name → prompt.

    Raises:
        MissingInputError: A file that a rung sends is not there.
        SpecError: Every fault of every file with its line.
    """
    paths, hint = case.paths, f"tailtune check {case.name}"
    sent = [name for name in PROMPTS if f"lm_{name}" in case.spec.prompt.rungs]
    missing = [name for name in sent if not (paths.prompts / f"{name}.md").is_file()]
    if missing:
        lines = [_missing(paths.prompts, paths.project.shown(paths.prompts), name) for name in missing]
        raise MissingInputError("\n".join(lines), f"tailtune prompts {case.name}")
    return read_templates(paths.prompts, paths.project.shown(paths.prompts), hint, codec.variables())


def read_templates(folder: Path, shown: str, hint: str | None, variables: Mapping[str, Any]) -> dict[str, Template]:
    """Read and check the prompt files that a folder has.

    Args:
        folder: Where they lie.
        shown: How errors name the folder.
        hint: The next command an error shows.
        variables: What they may name besides `examples` and `text`.

    Raises:
        SpecError: Every fault of every file with its line.
    """
    templates: dict[str, Template] = {}
    faults: list[Fault] = []
    for name in PROMPTS:
        path, at = folder / f"{name}.md", f"{shown}/{name}.md"
        if not path.is_file():
            continue
        try:
            template, lines = parsed(name, read_text(path, at, None, "utf-8-sig"), at)
        except SpecError as error:
            faults += error.faults
            continue
        faults += template.faults(variables, at, lines)
        templates[name] = template
    if faults:
        raise SpecError(faults, hint)
    return templates


def parsed(name: str, text: str, shown: str) -> tuple[Template, tuple[int, int]]:
    """A prompt from its file's text, and how many lines stand before its system's and its user's source.

    Raises:
        SpecError: It has no `## User`, a heading twice, or text that belongs to no message.
    """
    blocks: dict[str, list[str]] = {}
    begins: dict[str, int] = {}
    faults: list[Fault] = []
    into: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        match = _HEADING.fullmatch(line)
        if match is not None:
            into = match[1]
            if into in blocks:
                faults.append(Fault(f"{shown}:{number}", f"## {into} stands twice (first on line {begins[into]})"))
            blocks[into], begins[into] = [], number
        elif into is not None:
            blocks[into].append(line)
        elif line.strip():
            faults.append(
                Fault(f"{shown}:{number}", "text before the first heading; expected `## System` or `## User`")
            )
            break
    if not text.strip():
        faults.append(Fault(f"{shown}:1", "empty; expected the lines `## System` and `## User`, each with its message"))
    elif not faults and not "".join(blocks.get("User", ())).strip():
        faults.append(Fault(f"{shown}:{begins.get('User', 1)}", "no message below a line `## User`"))
    if faults:
        raise SpecError(faults, None)
    sources, lines = [], []
    for heading in ("System", "User"):
        below = blocks.get(heading, [])
        blank = next((i for i, line in enumerate(below) if line.strip()), 0)
        sources.append("\n".join(below).strip())
        lines.append(begins.get(heading, 0) + blank)
    return Template(name, *sources), (lines[0], lines[1])


def _missing(folder: Path, shown: str, name: str) -> str:
    there = sorted(path.name for path in folder.glob("*.md")) if folder.is_dir() else []
    near = get_close_matches(f"{name}.md", [file for file in there if file[:-3] not in PROMPTS], n=1)
    meant = f"; is {near[0]} meant to be it?" if near else ""
    return f"{shown}/{name}.md: no such file, and the rung lm_{name} sends it{meant}"
