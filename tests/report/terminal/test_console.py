from __future__ import annotations

import io

import pytest
from rich.table import Table
from rich.text import Text

from tailtune.report.html.page import environment
from tailtune.report.terminal.console import PrintableConsole


@pytest.mark.parametrize("width", range(14, 34))
def test_a_number_and_its_sign_stand_on_one_line(width: int) -> None:
    console, table = PrintableConsole(width=width, file=io.StringIO()), Table("of rows", box=None)
    table.add_row("0.2 to 96.7 % of rows")
    console.print(Text("answers now 96.7 % of rows"), "in [bold]bold 12.5 %[/] too", table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [line.strip() for line in shown.splitlines()]
    assert "\ue000" not in shown and shown.count("%") == 3
    assert not any(line.startswith("%") for line in lines)


def test_on_a_page_too() -> None:
    shown = environment().from_string("{{ share }} {{ text | sentence }}").render(share="96.7 %", text="12 % <of> it")
    assert shown == "96.7\u00a0% 12\u00a0% &lt;of&gt; it."
