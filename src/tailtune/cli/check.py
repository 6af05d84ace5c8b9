"""`tailtune check`: does the spec hold, and do the rows fit it? Writes nothing."""

from __future__ import annotations

from tailtune import tasks
from tailtune.core.errors import DataError, Fault, SpecError
from tailtune.services import sources
from tailtune.spec.load import UseCase, load_use_case
from tailtune.spec.paths import Paths
from tailtune.spec.prices import load_prices
from tailtune.tasks.base import Book


def examine(paths: Paths, name: str) -> list[str]:
    """Lines that say what was checked.

    Raises:
        SpecError: Faults in the spec, in what an answer may be, or in the prices.
        DataError: Faults in the rows of either file, and names that are not declared or that no row has; all at once.
    """
    case = load_use_case(paths, name)
    load_prices(paths)
    task, hint = tasks.of(case), f"tailtune check {name}"
    contradictions = list(task.faults(case))
    if contradictions:
        raise SpecError(contradictions, hint)
    answers = paths.shown(case.answers_file)
    noun = f"{task.noun}s"
    width = max(len(f"models/{name}/model.yaml"), len(answers))
    lines = [
        f"{f'models/{name}/model.yaml':{width}}  ok",
        f"{answers:{width}}  ok, {len(case.answers.names)} {noun}",
    ]
    book = task.book(case)
    faults: list[Fault] = []
    for file in filter(None, (case.spec.data.file, case.spec.data.test_file)):
        try:
            rows, names = _count(case, file, book, hint)
        except DataError as error:
            faults += error.faults
            continue
        lines.append(f"data/{name}/{file}  ok, {rows:,} rows, {names} {noun}")
    read_all = not faults
    faults += book.faults()
    unused = [label for label in case.answers.names if not book.seen.get(label)] if read_all else []
    if unused:
        hint = f"remove them from {answers}, or label rows" if not faults else hint
        faults.append(Fault(answers, f"no row has: {', '.join(unused[:20])}"))
    if faults:
        raise DataError(faults, hint)
    return lines


def _count(case: UseCase, file: str, book: Book, hint: str) -> tuple[int, int]:
    """Rows of a file, and how many different names they bear."""
    path, task = case.paths.data / file, tasks.of(case)
    shown = case.paths.project.shown(path)
    before = dict(book.seen)
    rows = 0
    try:
        for row in sources.read(path, task.columns(case.spec), shown, hint):
            book.check(row.label, row.origin)
            rows += 1
    except OSError as error:
        raise DataError([Fault(shown, f"cannot be read: {error.strerror or error}")], hint) from error
    return rows, sum(count > before.get(name, 0) for name, count in book.seen.items())
