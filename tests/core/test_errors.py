"""The tree, and what an error shows."""

import inspect

from tailtune.core import errors
from tailtune.core.errors import DataError, Fault, GateError, ServiceError, TailTuneError, UsageError


def test_an_error_ends_with_the_next_command() -> None:
    assert str(TailTuneError("models/x: broken", "tailtune check x")) == "models/x: broken\nNext:  tailtune check x"
    assert str(TailTuneError("models/x: broken")) == "models/x: broken"


def test_all_faults_are_told_at_once() -> None:
    error = DataError([Fault("a.csv:3", "no text"), Fault("a.csv:9", "no label")], "mend it")
    assert str(error) == "a.csv:3  no text\na.csv:9  no label\nNext:  mend it"


def test_every_error_of_the_module_is_in_one_tree() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BaseException)]
    assert len(kinds) > 8
    assert all(issubclass(kind, TailTuneError) for kind in kinds)


def test_exit_codes_tell_kinds_apart() -> None:
    kinds = (TailTuneError, UsageError, GateError, ServiceError)
    assert [kind.exit_code for kind in kinds] == [1, 2, 3, 4]


def test_a_gate_carries_its_evidence() -> None:
    report = object()
    assert GateError("closed", "mend", report=report).report is report
    assert GateError("closed").report is None
