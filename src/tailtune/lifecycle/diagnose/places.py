"""Where a person finds what is to be changed: files, and lines of the labels or fields that failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tailtune.judge.diagnose import Failure, Places
from tailtune.lifecycle.context import Context


def places_of(context: Context, prompt: str, failures: Sequence[Failure]) -> Places:
    """Files as people read them, relative to the project root.

    Args:
        context: Of the stage.
        prompt: Prompt file's name without its ending.
        failures: Whose labels and fields are looked up.
    """
    case, paths, shown = context.case, context.paths, context.project.shown
    strong = case.spec.prompt.model("strong")
    names = {part.name or part.expected for failure in failures for part in failure.parts}
    names |= {one.partition(": ")[0] for failure in failures for part in failure.parts for one in part.pair or ()}
    return Places(
        use_case=case.name,
        prompt=shown(paths.prompts / f"{prompt}.md"),
        model_yaml=shown(paths.model_yaml),
        answers=shown(case.answers_file),
        data=shown(paths.data),
        failures=shown(paths.stage("diagnose") / "failures.jsonl"),
        strong="" if strong is None else strong.name,
        lines=_lines(case.answers_file.read_text(encoding="utf-8"), names),
    )


def _lines(text: str, names: set[str]) -> dict[str, int]:
    """Name → the first line that has it as a key, in YAML or JSON; names that are no key are left out."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        key = re.match(r"""\s*(["']?)(.+?)\1\s*:""", line)
        if key is not None and key[2] in names:
            found.setdefault(key[2], number)
    return found
