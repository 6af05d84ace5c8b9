"""Prompt files: Markdown with the headings `## System` and `## User`, each a Jinja2 template of one message."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from tailtune.config.model import Declared
from tailtune.core.errors import Fault, MissingInputError, SpecError
from tailtune.core.language import Message
from tailtune.predictors.prompted.codec import Codec
from tailtune.predictors.prompted.examples import Example
from tailtune.predictors.prompted.rendering import Part, rendered, template_faults

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
        parts = [Part(self.system, lines[0]), Part(self.user, lines[1])]
        return template_faults(parts, variables, [_EXAMPLE], shown)


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
    user = Message("user", rendered(Part(template.user), variables, examples, text, shown))
    if not template.system:
        return [user]
    return [Message("system", rendered(Part(template.system), variables, examples, text, shown)), user]


def load_templates(case: Declared, codec: Codec) -> dict[str, Template]:
    """Read and check a use case's prompt files: those that its rungs send, and what others there are.

    Returns:
        Name → prompt.

    Raises:
        MissingInputError: A file that a rung sends is not there.
        SpecError: Every fault of every file with its line.
    """
    paths, hint = case.paths, f"tailtune check {case.name}"
    wanted = [name for name in PROMPTS if f"lm_{name}" in case.spec.prompt.rungs]
    missing = [name for name in wanted if not (paths.prompts / f"{name}.md").is_file()]
    if missing:
        said = [_missing(paths.prompts, paths.project.shown(paths.prompts), name) for name in missing]
        raise MissingInputError("\n".join(said), f"tailtune prompts {case.name}")
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
            template, lines = parsed(name, _text_of(path, at), at)
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
    held: dict[str, list[str]] = {}
    begins: dict[str, int] = {}
    faults: list[Fault] = []
    into: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        heading = _HEADING.fullmatch(line)
        if heading is not None:
            into = heading[1]
            if into in held:
                faults.append(Fault(f"{shown}:{number}", f"## {into} stands twice (first on line {begins[into]})"))
            held[into], begins[into] = [], number
        elif into is not None:
            held[into].append(line)
        elif line.strip():
            faults.append(
                Fault(f"{shown}:{number}", "text before the first heading; expected `## System` or `## User`")
            )
            break
    if not text.strip():
        faults.append(Fault(f"{shown}:1", "empty; expected the lines `## System` and `## User`, each with its message"))
    elif not faults and not "".join(held.get("User", ())).strip():
        faults.append(Fault(f"{shown}:{begins.get('User', 1)}", "no message below a line `## User`"))
    if faults:
        raise SpecError(faults, None)
    sources, lines = [], []
    for part in ("System", "User"):
        below = held.get(part, [])
        blank = next((i for i, line in enumerate(below) if line.strip()), 0)
        sources.append("\n".join(below).strip())
        lines.append(begins.get(part, 0) + blank)
    return Template(name, *sources), (lines[0], lines[1])


def _text_of(path: Path, shown: str) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError([Fault(f"{shown}:{line}", "bytes that are not UTF-8")]) from None


def _missing(folder: Path, shown: str, name: str) -> str:
    there = sorted(path.name for path in folder.glob("*.md")) if folder.is_dir() else []
    near = get_close_matches(f"{name}.md", [file for file in there if file[:-3] not in PROMPTS], n=1)
    meant = f"; is {near[0]} meant to be it?" if near else ""
    return f"{shown}/{name}.md: no such file, and the rung lm_{name} sends it{meant}"
