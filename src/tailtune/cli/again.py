"""`tailtune reproduce`: run a registered version's life again and print the comparison."""

from __future__ import annotations

from tailtune.spec.paths import Paths
from tailtune.spec.settings import Settings


def reproduce_version(paths: Paths, name: str, alias: str) -> bool:
    """Reproduce and print. Returns whether the metrics agree."""
    from tailtune.report.progress import ConsoleProgress
    from tailtune.stages.reproduce import reproduce

    settings = Settings()
    with ConsoleProgress("reproduce", f"{name}@{alias}", settings.progress) as progress:
        result = reproduce(name, alias, paths, settings, progress)
    for line in result.lines():
        print(line)
    return result.agrees
