"""Text of data, stores and servers that would act on a terminal: spelt out wherever it is printed."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.table import Table

from tailtune.core.errors import DataError, Fault, TailTuneError
from tailtune.core.printable import printable
from tailtune.report.terminal.console import PrintableConsole
from tailtune.report.terminal.progress import ConsoleProgress

ACTING = ["\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x9b31m", "\rsaved", "a\bb", "\u202egnp", "\ud800"]


@pytest.mark.parametrize("text", ACTING)
def test_nothing_acts_on_the_terminal(text: str) -> None:
    out = StringIO()
    console = PrintableConsole(file=out, width=60)
    table = Table("label")
    table.add_row(text)
    console.print(table)
    console.print(text, markup=False)
    error = TailTuneError(text, text)
    faults = DataError([Fault(text, text)], text)
    for shown in (out.getvalue(), str(error), str(faults), error.args[0]):
        assert shown == printable(shown)
        assert text not in shown
        shown.encode("utf-8")


def test_progress_spells_them_out() -> None:
    out = StringIO()
    with ConsoleProgress("ladder", "\x1b[2Jmeasure", "plain", console=PrintableConsole(file=out)):
        pass
    assert "\x1b[2J" not in out.getvalue()


def test_plain_text_stays() -> None:
    assert printable("Zürich – 東京 😀\n\tx") == "Zürich – 東京 😀\n\tx"


def test_json_stays_json() -> None:
    text = "".join(ACTING)
    assert json.loads(printable(json.dumps(text, ensure_ascii=False))) == text
