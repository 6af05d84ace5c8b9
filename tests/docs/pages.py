"""What the documentation says, taken apart: pages, fenced blocks, commands, links, paths."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = {"bash", "console"}


@dataclass
class Command:
    """One per command line a page shows, with the lines it says will be printed."""

    page: str
    line: int
    text: str
    printed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}  {self.text}"

    @property
    def programs(self) -> list[list[str]]:
        """The words of each program of the line; variables set in front of it and redirections left out."""
        found = []
        for part in re.split(r"\|\||&&|\||;", re.sub(r"'[^']*'|\"[^\"]*\"", _without_operators, self.text)):
            words = [word.replace("\0", "|") for word in shlex.split(part, comments=True)]
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                found.append(words)
        return found


@dataclass(frozen=True)
class Block:
    """One per fenced shell block."""

    page: str
    line: int
    run: bool
    commands: tuple[Command, ...]


def _without_operators(quoted: re.Match[str]) -> str:
    return re.sub(r"[|&;]", "\0", quoted[0])


def pages() -> dict[str, str]:
    """Path → text of every page that people are meant to read."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").glob("*.md")]
    files += [path for folder in ("mlflow", "infra", "flows") for path in (ROOT / folder).glob("*.md")]
    found = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(files)}
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "models/README.md"} <= set(found)
    return found


def blocks() -> list[Block]:
    """The shell blocks of all pages, in order."""
    found = []
    for page, text in pages().items():
        for match in FENCE.finditer(text):
            if match[1] in SHELL:
                line = text[: match.start()].count("\n") + 1
                commands = _console(page, line, match[3]) if match[1] == "console" else _bash(page, line, match[3])
                assert commands, f"{page}:{line}: a shell block without a command"
                found.append(Block(page, line, match[2].split() == ["run"], tuple(commands)))
    assert found, "no page shows a command"
    return found


def commands() -> list[Command]:
    """Every command of every page: shell blocks, and code spans that begin with a program of ours."""
    found = [command for block in blocks() for command in block.commands]
    for page, text in pages().items():
        prose = FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)
        for match in re.finditer(r"`((?:tailtune|make|dvc) [a-z][^`\n]*)`", prose):
            found.append(Command(page, prose[: match.start()].count("\n") + 1, match[1]))
    return found


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", text)


def _bash(page: str, line: int, text: str) -> list[Command]:
    joined = text.replace("\\\n", " ")
    return [Command(page, line, one) for one in joined.splitlines() if one.strip() and not one.startswith("#")]


def _console(page: str, line: int, text: str) -> list[Command]:
    found: list[Command] = []
    for one in text.splitlines():
        if one.startswith("$ "):
            found.append(Command(page, line, one[2:]))
        elif one.strip():
            assert found, f"{page}:{line}: output before the first command"
            found[-1].printed.append(one)
    return found
