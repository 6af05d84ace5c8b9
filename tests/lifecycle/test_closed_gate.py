"""A closed gate is an answer that flows hand on; for a shell it is exit code 3."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

from prefect.states import Completed, Failed

from tailtune.core.errors import GateError
from tailtune.lifecycle.closed_gate import ClosedGate, closed_gate
from tailtune.lifecycle.orchestration import at_gate

CLOSED = ClosedGate("validate", "toy", "1 of 4 checks failed\n  rows: too few")


def test_it_is_found_by_itself_and_in_a_state() -> None:
    assert closed_gate(CLOSED) is CLOSED
    assert closed_gate(Completed(data=CLOSED)) is CLOSED
    assert closed_gate(Completed(data=SimpleNamespace(result=CLOSED))) is CLOSED
    assert [closed_gate(value) for value in (None, True, Completed(), Failed(data=ValueError()))] == [None] * 4


def test_the_run_has_ended_well_and_says_why() -> None:
    state = at_gate(CLOSED)
    assert state.is_completed() and (state.name, state.message) == (
        "Gate closed",
        "validate: 1 of 4 checks failed; rows: too few",
    )


def test_a_shell_gets_the_exit_code_of_a_gate() -> None:
    error = pickle.loads(pickle.dumps(CLOSED.as_error()))
    assert (error.exit_code, error.why, error.target) == (GateError.exit_code, CLOSED.why, "validate@toy")
