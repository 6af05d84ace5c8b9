"""`tailtune check`: does the spec hold, and do the rows fit it? Writes nothing."""

from __future__ import annotations

from collections import Counter

from tailtune.core.errors import DataError, Fault
from tailtune.services import sources
from tailtune.spec.load import UseCase, load_use_case
from tailtune.spec.paths import Paths
from tailtune.spec.prices import load_prices
from tailtune.stages.curate.labels import LabelBook


def examine(paths: Paths, name: str) -> list[str]:
    """Lines that say what was checked.

    Raises:
        SpecError: Faults in the spec, labels or prices.
        DataError: Faults in the rows of either file, and labels that are not declared or that no row has; all at once.
    """
    case = load_use_case(paths, name)
    load_prices(paths)
    lines = [f"models/{name}/model.yaml   ok", f"models/{name}/labels.yaml  ok, {len(case.labels)} labels"]
    hint = f"tailtune check {name}"
    book = LabelBook(case.label_names, paths.shown(case.paths.labels_yaml), paths.shown(case.paths.data))
    faults: list[Fault] = []
    seen: Counter[str] = Counter()
    for file in filter(None, (case.spec.data.file, case.spec.data.test_file)):
        try:
            counts = _count(case, file, book, hint)
        except DataError as error:
            faults += error.faults
            continue
        seen += counts
        lines.append(f"data/{name}/{file}  ok, {sum(counts.values()):,} rows, {len(counts)} labels")
    read_all = not faults
    faults += book.faults()
    unused = [label for label in case.labels if label not in seen] if read_all else []
    if unused:
        hint = f"remove them from models/{name}/labels.yaml, or label rows" if not faults else hint
        faults.append(Fault(f"models/{name}/labels.yaml", f"no row has: {', '.join(unused[:20])}"))
    if faults:
        raise DataError(faults, hint)
    return lines


def _count(case: UseCase, file: str, book: LabelBook, hint: str) -> Counter[str]:
    path = case.paths.data / file
    shown = case.paths.project.shown(path)
    counts: Counter[str] = Counter()
    try:
        for row in sources.read(path, case.spec.data, shown, hint):
            book.check(row.label, row.origin)
            counts[row.label] += 1
    except OSError as error:
        raise DataError([Fault(shown, f"cannot be read: {error.strerror or error}")], hint) from error
    return counts
