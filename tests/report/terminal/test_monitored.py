"""A look as a person sees it: it ends with what to do about what it found."""

from __future__ import annotations

import pytest
from operations.test_troubles import SPEC, finding, report

from tailtune.operations.troubles import alerts_of
from tailtune.report.terminal.console import PrintableConsole
from tailtune.report.terminal.monitored import monitored

DRIFTED = {"evidence": 5.0, "alarm_day": 20_000, "findings": (finding("novelty", "above 0.6", 5.0),)}


def printed(capsys: pytest.CaptureFixture[str], **values: object) -> list[str]:
    look = report(**values)
    look = look.model_copy(update={"alerts": tuple(alerts_of(look, SPEC, {}))})
    PrintableConsole(width=80).print(monitored(look, "build/inbox/monitor/look.html"))
    return capsys.readouterr().out.splitlines()


def test_drift_ends_with_the_audit_of_its_window(capsys: pytest.CaptureFixture[str]) -> None:
    *_, page, step, rest = printed(capsys, first_day=19_994, **DRIFTED)
    assert page == "report  build/inbox/monitor/look.html"
    assert step.startswith("Next:  tailtune audit inbox --rows 50 --window 2024-09-28..2024-10-04 ")
    assert f"{step} {rest}".endswith("says what it did to accuracy")


def test_a_quiet_look_asks_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys)[-1].startswith("report")
