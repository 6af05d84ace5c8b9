"""A life is alone on its use case from its first stage to its last, also between two of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tailtune.config.paths import CasePaths, Paths
from tailtune.core.errors import BusyError
from tailtune.lifecycle.alone import alone_in_life, alone_in_stage

_HOLD = """
import sys
from pathlib import Path
from tailtune.config.paths import Paths
from tailtune.lifecycle import alone
with alone.{how}:
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def case(tmp_path: Path) -> CasePaths:
    """A use case of an empty checkout."""
    return Paths(tmp_path).case("toy")


def holding(case: CasePaths, how: str) -> subprocess.Popen[str]:
    """Another process that holds the use case."""
    code = _HOLD.format(how=how.format(f"Paths(Path({str(case.project.root)!r})).case('toy')"))
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize(
    ("how", "work"), [("alone_in_life({})", "tailtune run"), ("alone_in_stage({}, 'train')", "tailtune train")]
)
def test_neither_a_run_nor_a_stage_begins_beside_another(case: CasePaths, how: str, work: str) -> None:
    other = holding(case, how)
    for mine in (alone_in_life(case), alone_in_stage(case, "curate")):
        with (
            pytest.raises(BusyError, match=rf"process {other.pid} \({work}, since .*; nothing was changed") as busy,
            mine,
        ):
            pass
        assert busy.value.exit_code == 1 and "wait" in str(busy.value.hint)
    other.kill()
    other.communicate()
    with alone_in_life(case):
        pass


def test_stages_belong_to_the_life_that_their_process_holds_or_descends_from(case: CasePaths) -> None:
    with alone_in_life(case):
        with alone_in_stage(case, "curate"):
            pass
        child = holding(case, "alone_in_stage({}, 'train')")
        with pytest.raises(BusyError, match=rf"process {child.pid} \(train"), alone_in_stage(case, "export"):
            pass
        child.communicate()
    with alone_in_stage(case, "export"):
        assert "(tailtune export" in case.life_lock.read_text(encoding="utf-8")
