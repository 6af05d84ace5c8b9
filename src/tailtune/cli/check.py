"""`tailtune check`: does the spec hold, and do the rows fit it? Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tailtune.core.errors import DataError, Fault
from tailtune.services import sources
from tailtune.spec.load import UseCase, load_use_case
from tailtune.spec.paths import Paths
from tailtune.spec.prices import load_prices
from tailtune.stages.curate.labels import LabelBook


def examine(paths: Paths, name: str) -> Iterator[str]:
    """Lines that say what was checked.

    Raises:
        SpecError: Faults in the spec, labels or prices.
        DataError: Faults in the rows, or labels that are not declared.
    """
    case = load_use_case(paths, name)
    load_prices(paths)
    yield f"models/{name}/model.yaml   ok"
    yield f"models/{name}/labels.yaml  ok, {len(case.labels)} labels"
    seen: Counter[str] = Counter()
    for file in filter(None, (case.spec.data.file, case.spec.data.test_file)):
        counts = _count(case, file)
        seen += counts
        yield f"data/{name}/{file}  ok, {sum(counts.values()):,} rows, {len(counts)} labels"
    unused = [label for label in case.labels if label not in seen]
    if unused:
        hint = f"remove them from models/{name}/labels.yaml, or label rows"
        raise DataError([Fault(f"models/{name}/labels.yaml", f"no row has: {', '.join(unused[:20])}")], hint)


def _count(case: UseCase, file: str) -> Counter[str]:
    shown = case.paths.project.shown(case.paths.data / file)
    hint = f"tailtune check {case.name}"
    book = LabelBook(case.label_names, case.paths.project.shown(case.paths.labels_yaml), f"data/{case.name}")
    counts: Counter[str] = Counter()
    for row in sources.read(case.paths.data / file, case.spec.data, shown, hint):
        book.check(row.label, row.origin)
        counts[row.label] += 1
    faults = list(book.faults())
    if faults:
        raise DataError(faults, hint)
    return counts
