"""The file in which a person accepts proposed classes: written by `tailtune labels --propose`, read by `--from`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from tailtune.config.located import LinedYaml
from tailtune.config.strict import StrictSpec
from tailtune.core.days import span
from tailtune.core.errors import UsageError
from tailtune.core.figures import counted, share
from tailtune.core.printable import printable
from tailtune.core.private import private_file
from tailtune.core.proposals import Proposals, ProposedClass
from tailtune.services import store
from tailtune.tasks.declare import quoted

KINDS = (".yaml", ".yml")
_HEAD = """\
# Classes that may be missing in models/{use_case}/labels.yaml: groups of texts, of the {rows} that version {version}
# answered in {days}, which are like each other and unlike any labelled text.
#
# For each group that is a class:
#   1. name: how the class is to be called; the name of one that there is adds the texts to it.
#   2. description: what it means, in a sentence; prompts read it.
#   3. texts: delete the lines that do not belong to it. Those that stay become labelled rows.
#   4. who: your name. accept: yes
# Leave the others as they are: nothing becomes of them.
"""


class AcceptedClass(StrictSpec):
    """One per group, as a person left it."""

    name: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=2_000)
    accept: bool = False
    who: str = Field("", max_length=200)
    texts: tuple[str, ...] = ()


class ProposedFile(StrictSpec):
    """One per file."""

    use_case: str
    proposed: tuple[AcceptedClass, ...]


def write(file: Path, proposals: Proposals) -> None:
    """Write proposals for a person to edit; only its owner may read the file.

    Raises:
        UsageError: The file is there already, or is no YAML file.
    """
    expect_new(file)
    with store.written_whole(file) as made:
        private_file(made)
        made.write_text("".join(f"{line}\n" for line in _lines(proposals, file)), encoding="utf-8")


def expect_new(file: Path) -> None:
    """Refuse to write over what people may have edited.

    Raises:
        UsageError: The file is there already, or is no YAML file.
    """
    if file.suffix.lower() not in KINDS:
        raise UsageError(f"{file}: expected a file that ends in .yaml", "name another one with --out")
    if file.exists():
        raise UsageError(
            f"{file} is there already, and people may have edited it", "name another one with --out, or remove it"
        )


def read(file: Path) -> tuple[ProposedFile, LinedYaml]:
    """Read such a file as a person left it, with the lines of all keys.

    Raises:
        SpecError: Something in it cannot be read; all of it at once, with lines.
    """
    lined = LinedYaml(file, str(file), f"correct {file}, then run the same command again")
    return lined.parse(ProposedFile), lined


def _lines(proposals: Proposals, file: Path) -> Iterator[str]:
    days = span(proposals.first_day, proposals.last_day)
    yield from _HEAD.format(
        use_case=proposals.use_case, rows=counted(proposals.rows, "row"), version=proposals.version, days=days
    ).splitlines()
    yield _comment(f"# Then:  tailtune labels {proposals.use_case} --from {file}")
    yield f"use_case: {quoted(proposals.use_case)}"
    yield "proposed:"
    for number, each in enumerate(proposals.classes, 1):
        yield ""
        yield from _group(number, len(proposals.classes), each)


def _group(number: int, of: int, each: ProposedClass) -> Iterator[str]:
    words = ", ".join(
        f"{word.word} ({share(word.now)} of these, {share(word.before)} of others)" for word in each.words
    )
    answers = ", ".join(f"{answer} ({share(part)})" for answer, part in each.answers)
    yield f"  # {number} of {of}: {counted(each.rows, 'row')}, {share(each.share)} of all"
    yield f"  # telling words: {words or 'none'}"
    yield _comment(f"  # answered so far as: {answers or 'nothing'}")
    yield f"  - name: {quoted(each.name)}"
    yield '    description: ""'
    yield "    accept: no"
    yield '    who: ""'
    yield "    texts:"
    yield from (f"      - {quoted(text)}" for text in each.texts)


def _comment(text: str) -> str:
    """In one line, whatever an answer or a path holds."""
    return printable("".join(character if character.isprintable() else " " for character in text))
