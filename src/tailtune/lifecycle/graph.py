"""`dvc.yaml`, written from the table of stages: `make graph` renews it, `tailtune new` adds a use case to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tailtune.config.located import LinedYaml
from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError
from tailtune.lifecycle.table import MODEL, STAGES, Stage
from tailtune.services import store

_HEAD = """\
# Generated from src/tailtune/lifecycle/table.py by `make graph`; do not edit. Each stage is there once per use case.
# answers: the file beside model.yaml that says what an answer may be; each task has its own.
vars:
  - use_cases:
"""


def render(use_cases: Mapping[str, str]) -> str:
    """The text of dvc.yaml.

    Args:
        use_cases: Name of a use case → the file beside its model.yaml that says what an answer may be.
    """
    cases = "".join(f"      {name}: {{answers: {answers}}}\n" for name, answers in use_cases.items())
    return f"{_HEAD}{cases}\nstages:\n" + "".join(f"\n{_stage(stage)}" for stage in STAGES)


def use_cases(paths: Paths) -> dict[str, str]:
    """What dvc.yaml says: name of a use case → its answers file.

    Raises:
        SpecError: It is not valid YAML.
    """
    shown = paths.shown(paths.dvc_yaml)
    entries: Iterable[Any] = LinedYaml(paths.dvc_yaml, shown, f"git checkout {shown}").value.get("vars") or []
    return {
        name: str((declared or {}).get("answers", ""))
        for entry in entries
        if isinstance(entry, dict)
        for name, declared in (entry.get("use_cases") or {}).items()
    }


def is_generated(paths: Paths) -> bool:
    """Whether dvc.yaml is as `make graph` writes it.

    Raises:
        SpecError: It is not valid YAML.
    """
    return paths.dvc_yaml.read_text(encoding="utf-8") == render(use_cases(paths))


def add_use_case(paths: Paths, name: str, answers: str) -> None:
    """Add a use case to dvc.yaml. A known name changes nothing.

    Raises:
        UsageError: dvc.yaml was edited by hand: writing it anew would lose that.
        SpecError: It is not valid YAML.
    """
    known = use_cases(paths)
    if name in known:
        return
    if not is_generated(paths):
        raise UsageError(
            f"{paths.shown(paths.dvc_yaml)}: not as `make graph` writes it; adding {name} would lose what was edited",
            "make graph, then run the same command again",
        )
    write(paths, {**known, name: answers})


def write(paths: Paths, use_cases: Mapping[str, str]) -> None:
    """Write dvc.yaml whole."""
    with store.written_whole(paths.dvc_yaml) as part:
        part.write_text(render(use_cases), encoding="utf-8", newline="\n")


def _stage(stage: Stage) -> str:
    lines = [
        f"  {stage.name}:",
        "    foreach: ${use_cases}",
        "    do:",
        f"      cmd: tailtune {stage.name} ${{key}}",
        "      params:",
        f"        - {MODEL}:",
        *(f"            - {section}" for section in stage.sections),
        "      deps:",
        *(f"        - {path}" for path in stage.reads),
        "      outs:",
        *(f"        - {path}" for path in stage.writes),
        "      metrics:",
        f"        - {stage.report}:",
        "            cache: false",
    ]
    return "\n".join(lines) + "\n"
