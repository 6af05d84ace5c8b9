"""`tailtune prompts`: write the starting prompts that a use case lacks."""

from __future__ import annotations

from tailtune.config.paths import Paths
from tailtune.services import store
from tailtune.tasks.use_case import load_use_case


def write_missing(paths: Paths, name: str) -> list[str]:
    """Write each starting prompt whose file is not there; what is there stays as it is.

    Returns:
        Lines that say what was written.

    Raises:
        UsageError: No such use case.
        SpecError: Its declaration has faults.
    """
    case = load_use_case(paths, name)
    case.paths.prompts.mkdir(exist_ok=True)
    lines = []
    for prompt, text in case.task.starting_prompts(case.spec.description).items():
        path = case.paths.prompts / f"{prompt}.md"
        if path.exists():
            lines.append(f"{paths.shown(path)}  is there, left as it is")
            continue
        with store.written_whole(path) as part:
            part.write_text(text, encoding="utf-8")
        lines.append(f"{paths.shown(path)}  written; read it, and make it yours")
    return lines
