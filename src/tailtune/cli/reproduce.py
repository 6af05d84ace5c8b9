"""`tailtune reproduce`: run a registered version's life again and print the comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.figures import NOT_MEASURED
from tailtune.core.printable import printable

if TYPE_CHECKING:
    from tailtune.lifecycle.reproduce import Reproduction


def reproduce_version(paths: Paths, name: str, alias: str) -> bool:
    """Reproduce and print. Returns whether the metrics agree."""
    from tailtune.lifecycle.reproduce import reproduce
    from tailtune.report.terminal.progress import ConsoleProgress

    settings = Settings()
    with ConsoleProgress("reproduce", f"{name}@{alias}", settings.progress) as progress:
        result = reproduce(name, alias, paths, settings, progress)
    for line in _lines(result):
        print(printable(line))
    return result.agrees


def _lines(result: Reproduction) -> Iterator[str]:
    """The comparison as a person reads it."""
    code = "the present code" if result.commit is None else f"commit {result.commit[:10]}"
    yield f"{result.model} version {result.version}, run again with {code}; rows from {result.data_from}"
    width = max([12, *(len(metric.metric) for metric in result.metrics)])
    yield f"{'metric':{width}}{'recorded':>12}{'again':>12}{'difference':>12}"
    for metric in result.metrics:
        verdict = "equal" if metric.exact else "agrees" if metric.agrees else "DISAGREES"
        figures = (metric.recorded, metric.again, metric.again - metric.recorded)
        shown = "".join(f"{_figure(value, sign):>12}" for value, sign in zip(figures, ("", "", "+"), strict=True))
        yield f"{metric.metric:{width}}{shown}  {verdict}"
    if result.winner != result.winner_again:
        yield f"winner: recorded {result.winner}, again {result.winner_again}"
    for caveat in result.caveats:
        yield f"note: {caveat}"
    yield f"On {result.test_rows:,} test rows the metrics {'agree' if result.agrees else 'DO NOT agree'}."
    if result.folder is not None:
        yield f"The scratch checkout is kept: {result.folder}"


def _figure(value: float, sign: str) -> str:
    return NOT_MEASURED if math.isnan(value) else f"{value:{sign}.4f}"
